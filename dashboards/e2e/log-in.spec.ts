import { test as anonymous, type Page } from "@playwright/test";
import {
  ADMIN_KEY,
  expect,
  expectAccessible,
  expectFitsTelephone,
  linkOf,
  logIn,
  openLink,
  PROVIDER,
  test,
  tutorq,
} from "./support";

/** Say who one is at the provider, which believes everybody. */
async function comeBackAs(page: Page, subject: string): Promise<void> {
  await page.getByRole("link", { name: "Continue with your organisation" }).click();
  await page.getByPlaceholder("sub").fill(subject);
  await page.getByRole("button", { name: "Authorize" }).click();
}

anonymous("a pasted key logs in, and leads to the page that was asked for", async ({ page }) => {
  await page.goto("/tutors?concern=no_shows");
  await page.getByRole("button", { name: "Use an API key" }).click();
  await page.getByLabel("API key").fill("tq_wrong_key");
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByText("The key is unknown or revoked.")).toBeVisible();
  await page.getByLabel("API key").fill(ADMIN_KEY);
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByRole("heading", { name: "Tutors" })).toBeVisible();
  await expect(page).toHaveURL("/tutors?concern=no_shows");
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ name: "tutorq_session", httpOnly: true, sameSite: "Strict" });
  expect(
    await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie),
  ).not.toContain("tq_");
});

anonymous("a one-time link logs in once", async ({ page, browser }) => {
  tutorq("people", "add", "ann@example.org", "--name", "Ann Lee");
  const link = linkOf("ann@example.org");
  // Whoever only looks at the page does not use the link up.
  const elsewhere = await browser.newContext();
  const scanner = await elsewhere.newPage();
  await scanner.goto(link);
  await expect(scanner.getByRole("button", { name: "Log in", exact: true })).toBeFocused();
  await expectAccessible(scanner);
  await elsewhere.close();
  await page.goto(link);
  await expect(page.getByRole("button", { name: "Log in", exact: true })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Today" })).toBeVisible();
  expect(page.url()).not.toContain("token");
  await expect(page.getByRole("button", { name: "Account: Ann Lee" })).toBeVisible();
  const other = await browser.newPage();
  await openLink(other, link);
  await expect(other.getByText("The link has been used, or is too old.")).toBeVisible();
  await other.close();
});

anonymous("the organisation's log-in leads back to the page that was asked for", async ({ page }) => {
  tutorq("people", "add", "olga@example.org", "--name", "Olga Novak", "--role", "coach");
  const known = await page.request.put(`${PROVIDER}/users/olga`, {
    data: { email: "olga@example.org", email_verified: true },
  });
  expect(known.ok()).toBe(true);
  await page.goto("/tutors?concern=no_shows");
  await comeBackAs(page, "a stranger");
  await expect(page.getByText("Ask an admin to add you.")).toBeVisible();
  await comeBackAs(page, "olga");
  await expect(page.getByRole("button", { name: "Account: Olga Novak" })).toBeVisible();
  await expect(page).toHaveURL("/tutors?concern=no_shows");
  await expect(page.getByText("My tutors")).toBeVisible();
});

anonymous(
  "a person sees where they are logged in, and ends what is not theirs",
  { tag: "@soak" },
  async ({ page, browser }) => {
    tutorq("people", "add", "lisa@example.org", "--name", "Lisa Berg");
    const other = await browser.newPage({ userAgent: "Mozilla/5.0 (iPhone) Version/18.0 Safari/604.1" });
    for (const each of [other, page]) {
      await openLink(each, linkOf("lisa@example.org"));
      await expect(each.getByRole("heading", { name: "Today" })).toBeVisible();
    }
    await page.getByRole("button", { name: "Account: Lisa Berg" }).click();
    await page.getByRole("menuitem", { name: "Where you are logged in" }).click();
    await expect(page.getByRole("heading", { name: "Where you are logged in" })).toBeVisible();
    await expect(page.locator("tbody tr")).toHaveCount(2);
    await expect(page.getByRole("row").filter({ hasText: "This browser" })).toHaveCount(1);
    await expectAccessible(page);
    await expectFitsTelephone(page);
    await page.getByRole("button", { name: "End: Lisa Berg, Safari on iOS" }).click();
    await expect(page.locator("tbody tr")).toHaveCount(1);
    await other.reload();
    await expect(other.getByRole("heading", { name: "Log in to tutorq" })).toBeVisible();
    await other.close();
  },
);

test("an admin sees who is logged in", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/log-ins");
  await page.getByText("Everybody", { exact: true }).click();
  await expect(page.getByRole("heading", { name: "Who is logged in" })).toBeVisible();
  await expect(page).toHaveURL("/log-ins?of=everybody");
  await expect(page.getByRole("row").filter({ hasText: "This browser" })).toHaveCount(1);
});

test("log-out forgets what was seen", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Log out", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Log in to tutorq" })).toBeVisible();
  await expect(page.getByText("You are logged out.")).toBeVisible();
  expect((await page.request.get("/api/overview")).status()).toBe(401);
});

test("log-out has the browser forget the answers that it kept", { tag: "@soak" }, async ({ page }) => {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.enable");
  const urls = new Map<string, string>();
  const asked: { id: string; tag: string | undefined }[] = [];
  cdp.on("Network.requestWillBeSent", ({ requestId, request }) => urls.set(requestId, request.url));
  cdp.on("Network.requestWillBeSentExtraInfo", ({ requestId, headers }) =>
    asked.push({ id: requestId, tag: headers["If-None-Match"] }),
  );
  /** The tags that the browser sends with the list of tutors: of an answer that it has kept. */
  const tagsOf = async (open: () => Promise<unknown>) => {
    asked.length = 0;
    await open();
    await expect(page.locator("tbody tr").first()).toBeVisible();
    const lists = asked.filter(({ id }) => urls.get(id)?.includes("/api/tutors?"));
    expect(lists.length).toBeGreaterThan(0);
    return lists.map(({ tag }) => tag);
  };
  await page.goto("/tutors");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  expect(await tagsOf(() => page.reload())).toContainEqual(expect.stringMatching(/^W/));
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Log out", exact: true }).click();
  await expect(page.getByText("You are logged out.")).toBeVisible();
  await logIn(page);
  expect(await tagsOf(() => page.reload())).not.toContainEqual(expect.stringMatching(/^W/));
});

test("a log-out that fails says so", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/");
  await page.route("**/api/auth/session", (route) =>
    route.request().method() === "DELETE" ? route.abort("connectionrefused") : route.continue(),
  );
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Log out", exact: true }).click();
  await expect(page.getByText("You are still logged in.")).toBeVisible();
});

anonymous("can be used by everybody", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/login#refused=unknown");
  await expect(page.getByText("Ask an admin to add you.")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Use an API key" }).click();
  await expect(page.getByLabel("API key")).toBeFocused();
  await expectAccessible(page);
});
