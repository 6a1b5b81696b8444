import { execFileSync } from "node:child_process";
import AxeBuilder from "@axe-core/playwright";
import { type Browser, test as base, expect, type Page } from "@playwright/test";

function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; these tests are started by tests/e2e/test_dashboard.py`);
  return value;
}

export const ADMIN_KEY = given("TUTORQ_ADMIN_KEY");
export const READ_KEY = given("TUTORQ_READ_KEY");
/** The OpenID provider of this installation. */
export const PROVIDER = given("TUTORQ_OIDC_ISSUER");
export const OURS = { "X-Requested-With": "tutorq" };

export async function logIn(page: Page, key = ADMIN_KEY): Promise<void> {
  const answer = await page.request.post("/api/auth/session", { data: { api_key: key }, headers: OURS });
  expect(answer.status()).toBe(201);
}

/** The command line of this installation. */
export const tutorq = (...words: string[]) =>
  execFileSync("python", ["-m", "cli.app", ...words], { encoding: "utf8" });

export const linkOf = (email: string) => tutorq("login-link", email).match(/http\S+/)?.[0] ?? "";

/** Add a person with these tutors; a link that logs them in. */
const newLink = (email: string, name: string, role: string, tutors: string[]) =>
  execFileSync("python", ["-m", "tests.e2e.log_in_link", email, name, role, ...tutors], {
    cwd: "..",
    encoding: "utf8",
  }).trim();

export async function openLink(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
}

/**
 * A browser that knows no streams: the page asks every 30 seconds. Tests change one installation all at once, and what one
 * of them posts would come up on the pages of the others in the middle of a click. (A route would turn the cache off.)
 */
const withoutStream = (page: Page) =>
  page.addInitScript(() => {
    Reflect.deleteProperty(window, "EventSource");
  });

/** Somebody new, logged in at a browser of their own, with these tutors. */
export async function atBrowser(
  browser: Browser,
  name: string,
  role: "coach" | "lead",
  ...tutors: string[]
): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await withoutStream(page);
  await logInAs(page, name, role, ...tutors);
  return page;
}

/** The same at this page. */
export async function logInAs(
  page: Page,
  name: string,
  role: "coach" | "lead",
  ...tutors: string[]
): Promise<void> {
  const email = `${name.replace(" ", ".").toLowerCase()}@example.org`;
  await openLink(page, newLink(email, name, role, tutors));
  await expect(page.getByRole("heading", { level: 1, name: "Today" })).toBeVisible();
}

/** What the API itself says, to hold the page against. */
// biome-ignore lint/suspicious/noExplicitAny: tests read a few fields of bodies that the API's own tests check
export async function ask(page: Page, path: string): Promise<any> {
  const answer = await page.request.get(path);
  expect(answer.status(), path).toBe(200);
  return answer.json();
}

/** Concerns as the page names them. */
export const LABELS: Record<string, string> = {
  unreliable: "Unreliable",
  getting_worse: "Suddenly worse",
  no_shows: "No-shows",
  late_starts: "Late starts",
  loses_new_students: "Loses new students",
  low_ratings: "Low ratings",
};

/** Tests whose page is logged in as admin, and fails on any error that it throws or reports. */
export const test = base.extend<{ page: Page; hasStream: boolean }>({
  /** Whether the page hears of changes as they happen. */
  hasStream: [false, { option: true }],
  page: async ({ page, hasStream }, use) => {
    if (!hasStream) await withoutStream(page);
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      // What fails on the network is what the tests of failures are about.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
        errors.push(message.text());
    });
    await logIn(page);
    await use(page);
    expect(errors).toEqual([]);
  },
});

const MODAL = "[role=dialog][aria-modal=true]";

/** No serious or critical violation of WCAG 2.2 A and AA, in the light and in the dark page, and no small target. */
export async function expectAccessible(page: Page, { isDashboard = true } = {}): Promise<void> {
  // A colour on its way from one to the other is neither. A tutor's own page has none, and takes no foreign styles.
  if (isDashboard) {
    await page.addStyleTag({
      content: "*, *::before, *::after { transition: none !important; animation: none !important }",
    });
  }
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    if (isDashboard)
      await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", colorScheme);
    const axe = new AxeBuilder({ page });
    // The dark page is the light one in other colours.
    if (colorScheme === "light") axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
    else axe.withRules(["color-contrast", "link-in-text-block"]);
    // What is behind a dialog cannot be clicked, and may be half under the header.
    if ((await page.locator(MODAL).count()) > 0) axe.include(MODAL);
    const { violations } = await axe.analyze();
    const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    const found = grave.map(({ id, nodes }) => ({
      id,
      where: nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).slice(0, 5),
    }));
    expect(found, `${page.url()}, ${colorScheme}`).toEqual([]);
  }
  expect(await smallTargets(page), page.url()).toEqual([]);
}

/** The same of a mail, which has no switch: it is light or dark as its reader's mail program is. */
export async function expectMailAccessible(page: Page, what: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page })
      .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
      .analyze();
    expect(
      violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`),
      `${what}, ${colorScheme}`,
    ).toEqual([]);
  }
}

const LEAST_TARGET = 24;

/**
 * What can be clicked and is smaller than 24 by 24 pixels. The rule `target-size` of axe forgives what stands alone; this
 * forgives only links in a line of text, which would push the lines apart.
 */
const smallTargets = (page: Page): Promise<string[]> =>
  page.evaluate((least) => {
    const isPositioned = (element: Element) => getComputedStyle(element).position !== "static";
    /** The element, what it is stretched over, and the labels that stand for it. */
    const boxesOf = (element: HTMLElement): DOMRect[] => {
      const boxes = [element.getBoundingClientRect()];
      const stretched = getComputedStyle(element, "::after");
      if (stretched.content !== "none" && stretched.position === "absolute" && !isPositioned(element)) {
        let over: HTMLElement | null = element.parentElement;
        while (over && !isPositioned(over)) over = over.parentElement;
        if (over) boxes.push(over.getBoundingClientRect());
      }
      for (const label of (element as HTMLInputElement).labels ?? [])
        boxes.push(label.getBoundingClientRect());
      return boxes;
    };
    const isInText = (element: HTMLElement) =>
      getComputedStyle(element).display === "inline" &&
      [...(element.parentElement?.childNodes ?? [])].some(
        (node) => node !== element && node.nodeName === "#text" && node.textContent?.trim(),
      );
    const all = document.querySelectorAll<HTMLElement>(
      "a[href], button, input, select, textarea, [role=option], [role=menuitem], [tabindex='0']",
    );
    return [...all]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !isInText(element))
      .map((element) => ({
        element,
        boxes: boxesOf(element).filter(({ width, right }) => width > 0 && right > 0),
      }))
      .filter(({ boxes }) => boxes.length > 0)
      .filter(({ boxes }) => !boxes.some(({ width, height }) => width >= least && height >= least))
      .map(({ element, boxes }) => {
        const [{ width, height } = { width: 0, height: 0 }] = boxes;
        return `${width.toFixed(1)} × ${height.toFixed(1)}: ${element.outerHTML.slice(0, 120)}`;
      });
  }, LEAST_TARGET);

/** At the width of a small telephone, nothing reaches beyond the right edge, no table beyond its panel, and no target is small. */
export async function expectFitsTelephone(page: Page): Promise<void> {
  await page.setViewportSize({ width: 360, height: 740 });
  await expect
    .poll(() =>
      page.evaluate(() => {
        const tables = [...document.querySelectorAll("table")];
        const hidden = tables.map((table) => table.offsetWidth - (table.parentElement?.clientWidth ?? 0));
        const { scrollWidth, clientWidth } = document.documentElement;
        return Math.max(scrollWidth - clientWidth, ...hidden);
      }),
    )
    .toBeLessThanOrEqual(0);
  expect(await smallTargets(page), `${page.url()}, on a telephone`).toEqual([]);
}

export { expect, type Page };
