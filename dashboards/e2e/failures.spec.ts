import { test as anonymous, type Page, type Route } from "@playwright/test";
import { ask, expect, expectAccessible, logIn, test } from "./support";

/** Every page, the data that it cannot do without, and something that shows it is there. */
const PAGES = [
  {
    name: "today",
    path: "/",
    // Not the other queues, which are asked for beforehand.
    data: "**/api/cases?queue=todo*",
    proof: (page: Page) => page.locator("tbody tr").first(),
    hasFigures: false,
  },
  {
    name: "case",
    path: "/cases/1",
    data: "**/api/cases/1",
    proof: (page: Page) => page.getByRole("region", { name: "Prepare" }),
    hasFigures: false,
  },
  {
    name: "outcomes",
    path: "/outcomes",
    data: "**/api/cases/outcomes?*",
    proof: (page: Page) => page.getByRole("region", { name: "By month" }),
    hasFigures: false,
  },
  {
    name: "appeals",
    path: "/appeals",
    data: "**/api/appeals?*",
    proof: (page: Page) => page.locator("tbody tr").or(page.getByText("No open appeals")).first(),
    hasFigures: false,
  },
  {
    name: "honesty",
    path: "/honesty",
    data: "**/api/calibration",
    proof: (page: Page) => page.getByRole("region", { name: "By month" }),
    hasFigures: false,
  },
  {
    name: "fairness",
    path: "/fairness",
    data: "**/api/fairness",
    proof: (page: Page) => page.getByRole("region", { name: "Excuses by person" }),
    hasFigures: false,
  },
  {
    name: "overview",
    path: "/overview",
    data: "**/api/overview",
    proof: (page: Page) => page.getByRole("region", { name: "Platform" }),
    hasFigures: true,
  },
  {
    name: "tutors",
    path: "/tutors",
    data: "**/api/tutors?*",
    proof: (page: Page) => page.locator("tbody tr").first(),
    hasFigures: true,
  },
  {
    name: "tutor",
    path: "/tutors/{tutor}",
    data: "**/api/tutors/*",
    proof: (page: Page) => page.getByRole("region", { name: "Counted" }),
    hasFigures: true,
  },
  {
    name: "matching",
    path: "/matching",
    data: "**/api/matching/students?*",
    proof: (page: Page) => page.getByRole("list", { name: "Students" }),
    hasFigures: false,
  },
  {
    name: "weekly",
    path: "/weekly",
    data: "**/api/weekly-report",
    proof: (page: Page) => page.getByRole("region", { name: "Let-downs by week" }),
    hasFigures: false,
  },
  {
    name: "messages",
    path: "/messages",
    data: "**/api/reports?*",
    proof: (page: Page) => page.locator("tbody tr").first(),
    hasFigures: false,
  },
  {
    name: "audit log",
    path: "/audit",
    data: "**/api/audit?*",
    proof: (page: Page) => page.locator("tbody tr").first(),
    hasFigures: false,
  },
];

const problem = (status: number) => ({
  status,
  contentType: "application/problem+json",
  body: JSON.stringify({
    type: "about:blank",
    title: `Trouble ${status}`,
    status,
    detail: "It broke.",
    request_id: "r-17",
  }),
});

/** Numbers as a broken API might send them: every one a text, or null. */
function spoil(value: unknown): unknown {
  if (typeof value === "number") return value % 2 === 0 ? `${value} or so` : null;
  if (Array.isArray(value)) return value.map(spoil);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, spoil(inner)]));
}

async function spoiled(route: Route): Promise<void> {
  const response = await route.fetch();
  await route.fulfill({ response, json: spoil(await response.json()) });
}

/** Each of its parts fails in a way of its own. */
const IN_THE_GATE = ["tutors"];

for (const { name, path, data, proof, hasFigures } of PAGES) {
  test.describe(name, { tag: IN_THE_GATE.includes(name) ? [] : "@soak" }, () => {
    const open = async (page: Page) => {
      const [tutor] = (await ask(page, "/api/tutors?limit=1")).data;
      await page.goto(path.replace("{tutor}", tutor.tutor_id));
    };

    test("API down: says so, and comes back", async ({ page }) => {
      await page.route(data, (route) => route.abort("connectionrefused"));
      await open(page);
      const alert = page.getByRole("alert").first();
      await expect(alert).toContainText("Cannot reach the API");
      await expectAccessible(page);
      await page.unroute(data);
      await page.getByRole("button", { name: "Try again" }).first().click();
      await expect(proof(page)).toBeVisible();
    });

    test("500: says what the API said, and the rest of the page goes on", async ({ page }) => {
      await page.route(data, (route) => route.fulfill(problem(500)));
      await open(page);
      const alert = page.getByRole("alert").first();
      await expect(alert).toContainText("Trouble 500");
      await expect(alert).toContainText("It broke.");
      await expect(page.getByText("request r-17").first()).toBeVisible();
      await page
        .getByRole("navigation")
        .getByRole("link", { name: name === "overview" ? "Tutors" : "Overview" })
        .click();
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(
        name === "overview" ? "Tutors" : "Overview",
      );
    });

    test("401: asks for a log-in, and keeps the address", async ({ page }) => {
      await page.route(data, (route) => route.fulfill(problem(401)));
      await open(page);
      const address = page.url();
      await expect(page.getByRole("heading", { name: "Log in to tutorq" })).toBeVisible();
      expect(page.url()).toBe(address);
    });

    test("slow: shows that it waits, then the page", async ({ page }) => {
      // Ten seconds by the clock of the page.
      await page.clock.install();
      let letItCome = () => {};
      const late = new Promise<void>((resolve) => {
        letItCome = resolve;
      });
      await page.route(data, async (route) => {
        const response = await route.fetch();
        await late;
        await route.fulfill({ response });
      });
      await open(page);
      await expect(page.getByTestId("loading").first()).toBeVisible();
      await page.clock.fastForward(10_000);
      await expect(page.getByText("The API is slow. Still waiting…").first()).toBeVisible();
      await expectAccessible(page);
      letItCome();
      await expect(proof(page)).toBeVisible();
    });

    if (!hasFigures) return;
    test("malformed numbers: names them, and shows the rest", async ({ page }) => {
      await page.route(data, spoiled);
      await open(page);
      await expect(page.getByText(/invalid numbers.*unreadable.*sessions_90d/)).toBeVisible();
      await expect(proof(page)).toBeVisible();
      await expect(proof(page)).toContainText("unreadable");
      await expectAccessible(page);
    });
  });
}

test("a problem is announced once, however often it is asked about and in how many parts it shows", async ({
  page,
}) => {
  await page.clock.install();
  await page.route("**/api/{overview,sessions/upcoming}*", (route) => route.fulfill(problem(500)));
  await page.goto("/overview");
  const problems = page.getByText("Trouble 500", { exact: true });
  for (let second = 0; second < 6; second += 1) await page.clock.runFor(1_000);
  await expect(problems).toHaveCount(2);
  const alert = page.getByRole("alert");
  await expect(alert).toHaveCount(1);
  await expect(alert).toHaveText("Trouble 500It broke.");
  await alert.evaluate((element) => element.setAttribute("data-first", "yes"));
  const asked = page.waitForResponse("**/api/overview");
  await page.clock.runFor(31_000);
  await asked;
  // Asked again, it neither went away nor became another one.
  for (let second = 0; second < 6; second += 1) await page.clock.runFor(1_000);
  await expect(page.getByTestId("loading")).toHaveCount(0);
  await expect(page.locator("[role=alert][data-first=yes]")).toHaveCount(1);
  await expect(alert).toHaveCount(1);
});

test("malformed numbers on every answer at once: no page breaks", { tag: "@soak" }, async ({ page }) => {
  const [tutor] = (await ask(page, "/api/tutors?limit=1")).data;
  const [student] = (await ask(page, "/api/matching/students?limit=1&is_active=true")).data;
  await page.route(
    "**/api/{overview,funnel,calibration,fairness,health,sessions,tutors,matching,reports,cases,weekly-report}**",
    spoiled,
  );
  await page.route("**/api/{sessions,tutors,matching,cases}/**", spoiled);
  const pair = `/matching?student=${student.student_id}&tutor=${tutor.tutor_id}`;
  for (const path of [
    "/",
    "/cases/1",
    "/outcomes",
    "/honesty",
    "/fairness",
    "/overview",
    "/tutors",
    `/tutors/${tutor.tutor_id}`,
    pair,
    "/weekly",
    "/messages",
  ]) {
    await page.goto(path);
    await expect(page.getByText(/invalid numbers/)).toBeVisible();
    await expect(page.getByText("This page failed to load")).toBeHidden();
    await expect(page.getByTestId("loading")).toHaveCount(0);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
});

anonymous(
  "an answer that makes no sense breaks its page only, and the page can be tried again",
  async ({ page }) => {
    await page.route("**/api/overview", (route) =>
      route.fulfill({ json: { data: { risk_status: 7 }, meta: {} } }),
    );
    await logIn(page);
    await page.goto("/overview");
    await expect(page.getByRole("heading", { name: "This page failed to load" })).toBeVisible();
    await page.unroute("**/api/overview");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("region", { name: "Platform" })).toBeVisible();
  },
);
