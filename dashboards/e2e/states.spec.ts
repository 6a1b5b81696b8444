import { test as anonymous, type Page } from "@playwright/test";
import { ask, expect, expectAccessible, logIn, READ_KEY, test } from "./support";

/** States of the pages that no other test looks at: what is open, chosen, empty or refused. */

const TELEPHONE = { width: 390, height: 844 };

const anyTutor = async (page: Page) => (await ask(page, "/api/tutors?limit=1&sort_by=let_downs_30d")).data[0];
const anyStudent = async (page: Page) =>
  (await ask(page, "/api/matching/students?limit=1&is_active=true")).data[0];

const down = (page: Page, address: string) =>
  page.route(address, (route) =>
    route.request().method() === "GET" ? route.continue() : route.abort("connectionrefused"),
  );

test("the menu of the log-in", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Account" }).click();
  await expect(page.getByRole("menuitem", { name: "Log out", exact: true })).toBeVisible();
  await expectAccessible(page);
});

test("the pages that are in the menu", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/honesty");
  await page
    .getByRole("navigation", { name: "Pages" })
    .getByRole("button", { name: "Flag accuracy" })
    .click();
  await expect(page.getByRole("menuitem", { name: "Flag accuracy" })).toHaveAttribute("aria-current", "page");
  await expectAccessible(page);
  await page.getByRole("menuitem", { name: "Weekly" }).click();
  await expect(
    page.getByRole("navigation", { name: "Pages" }).getByRole("button", { name: "Weekly" }),
  ).toBeVisible();
});

test("the pages' menu on a telephone", { tag: "@soak" }, async ({ page }) => {
  await page.setViewportSize(TELEPHONE);
  await page.goto("/");
  await page.getByRole("button", { name: "Open the menu" }).click();
  await expect(page.getByRole("navigation").getByRole("link", { name: "Messages" })).toBeVisible();
  await expectAccessible(page);
});

test("tutors: chosen filters, an open list, nobody who fits", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/tutors?concern=unreliable,no_shows&active=yes&attention=yes");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await page.getByRole("combobox", { name: "Subject" }).click();
  await expect(page.getByRole("option").first()).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("option").first().click();
  await expectAccessible(page);
  await page.goto("/tutors?search=nobody-is-called-this");
  await expect(page.getByText("No tutors match these filters")).toBeVisible();
  await expectAccessible(page);
});

test("tutors: the plot with the keyboard on it, also on a telephone", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/tutors");
  const plot = page.getByRole("region", { name: "Tutors on the plot" });
  await plot.getByRole("link").focus();
  await page.keyboard.press("ArrowRight");
  await expect(plot.getByRole("link")).toBeFocused();
  await expectAccessible(page);
  await page.setViewportSize(TELEPHONE);
  await page.getByText("Plot", { exact: true }).click();
  await expect(plot).toBeVisible();
  await expectAccessible(page);
});

test("tutors: an export that fails is announced", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/tutors");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await page.route("**/api/tutors?*", (route) => route.abort("connectionrefused"));
  await page.getByRole("button", { name: "Export CSV" }).click();
  await expect(page.getByRole("alert")).toContainText("Cannot reach the API");
  await expectAccessible(page);
});

test("tutor: a chosen day, and a dialog whose request fails", { tag: "@soak" }, async ({ page }) => {
  const tutor = await anyTutor(page);
  await page.goto(`/tutors/${tutor.tutor_id}`);
  await page.getByRole("table", { name: "Sessions by day" }).getByRole("button").last().click();
  await expectAccessible(page);
  await down(page, "**/excuse");
  await page
    .getByRole("region", { name: "What happened" })
    .getByRole("button", { name: "Excuse", exact: true })
    .first()
    .click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill("Storm");
  await dialog.getByRole("button", { name: "Excuse" }).click();
  await expect(dialog.getByRole("alert")).toContainText("Cannot reach the API");
  await page.setViewportSize(TELEPHONE);
  await expectAccessible(page);
});

test("matching: nobody chosen, nobody found, a dialog whose request fails", { tag: "@soak" }, async ({
  page,
}) => {
  const tutor = await anyTutor(page);
  const student = await anyStudent(page);
  await page.goto("/matching");
  await expect(page.getByRole("list", { name: "Students" })).toBeVisible();
  await expectAccessible(page);
  await page.goto("/matching?studentSearch=nobody-is-called-this");
  await expect(page.getByText("No name or id matches.")).toBeVisible();
  await expectAccessible(page);
  await page.goto("/matching?view=assignment");
  await expect(page.getByRole("button", { name: "Run the assignment" })).toBeVisible();
  await expectAccessible(page);
  await page.goto(`/matching?student=${student.student_id}&tutor=${tutor.tutor_id}`);
  await down(page, "**/api/matching/students/*");
  await page.getByRole("button", { name: "Edit student" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: /Save/ }).click();
  await expect(dialog.getByRole("alert")).toContainText("Cannot reach the API");
  await expectAccessible(page);
});

test("messages: no such mail", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/messages?state=failed&kind=alert");
  await expect(page.getByText("No messages match these filters")).toBeVisible();
  await expectAccessible(page);
});

test("audit log: an open list, no entries, not for this reader", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/audit?action=export&from=2020-01-01&to=2020-01-02");
  await expect(page.getByText("No entries match these filters")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("combobox", { name: "Action" }).click();
  await expect(page.getByRole("option").first()).toBeVisible();
  await expectAccessible(page);
  await logIn(page, READ_KEY);
  await page.goto("/audit");
  await expect(page.getByText("Needs the admin role")).toBeVisible();
  await expectAccessible(page);
});

test("fairness: not for this reader, and who can help", { tag: "@soak" }, async ({ page }) => {
  await logIn(page, READ_KEY);
  await page.goto("/fairness");
  await expect(page.getByText("Ask an admin for access.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Try again" })).toHaveCount(0);
  await expectAccessible(page);
});

test("a case: nothing goes to the tutor from who may only look", async ({ page }) => {
  const [{ case_id: id }] = (await ask(page, "/api/cases?queue=todo&limit=1")).data;
  await logIn(page, READ_KEY);
  await page.goto(`/cases/${id}`);
  const prepare = page.getByRole("region", { name: "Prepare" });
  await expect(prepare.getByRole("button", { name: "Copy text" })).toBeVisible();
  await expect(prepare.getByRole("link", { name: "Mail to tutor" })).toHaveCount(0);
  await expect(prepare.getByRole("button", { name: "Calendar invitation" })).toHaveCount(0);
});

test("log-ins: everybody's, and one that cannot be ended", { tag: "@soak" }, async ({ page, browser }) => {
  const other = await browser.newContext();
  await logIn(await other.newPage());
  await other.close();
  await page.goto("/log-ins?of=everybody");
  await down(page, "**/api/auth/sessions/*");
  await page
    .getByRole("button", { name: /^End: / })
    .first()
    .click();
  await expect(page.getByRole("alert")).toContainText("Cannot reach the API");
  await expectAccessible(page);
});

test("a log-out that fails is announced", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/overview");
  await expect(page.getByRole("region", { name: "Platform" })).toBeVisible();
  await down(page, "**/api/auth/session");
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Log out", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("You are still logged in.");
  await expectAccessible(page);
});

test("what is shown is old", { tag: "@soak" }, async ({ page }) => {
  await page.clock.install();
  await page.goto("/tutors");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await page.route("**/api/**", (route) => route.abort("connectionrefused"));
  await page.clock.fastForward(31_000);
  await page.clock.runFor(5_000);
  const alert = page.getByRole("alert");
  await expect(alert).toHaveCount(1);
  await expect(alert).toContainText("These figures are from");
  await page.clock.resume();
  await expectAccessible(page);
});

anonymous("a page that breaks", { tag: "@soak" }, async ({ page }) => {
  await page.route("**/api/overview", (route) =>
    route.fulfill({ json: { data: { risk_status: 7 }, meta: {} } }),
  );
  await logIn(page);
  await page.goto("/overview");
  await expect(page.getByRole("alert")).toContainText("The page hit an error");
  await expectAccessible(page);
});

anonymous(
  "the log-in: a key that is refused, a link that cannot be mailed",
  { tag: "@soak" },
  async ({ page }) => {
    await page.route("**/api/auth/methods", (route) => route.fulfill({ json: { mail: true, oidc: true } }));
    await page.route("**/api/auth/link", (route) => route.abort("connectionrefused"));
    await page.goto("/");
    await page.getByLabel("Your e-mail address").fill("ann@example.org");
    await page.getByRole("button", { name: "Email me a log-in link" }).click();
    await expect(page.getByRole("alert")).toContainText("Cannot reach the API");
    await expect(page.getByLabel("Your e-mail address")).toHaveAccessibleDescription(/Cannot reach the API/);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Use an API key" }).click();
    await page.getByLabel("API key").fill("tq_wrong_key");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await expect(page.getByRole("alert").filter({ hasText: /key|attempts/i })).toHaveCount(1);
    await expectAccessible(page);
  },
);
