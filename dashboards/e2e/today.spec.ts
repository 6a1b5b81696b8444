import type { Browser, Page } from "@playwright/test";
import {
  ask,
  atBrowser,
  expect,
  expectAccessible,
  expectFitsTelephone,
  logIn,
  OURS,
  READ_KEY,
  test,
} from "./support";

// One after the other: all of them change what others list.
test.describe.configure({ mode: "default" });

interface Case {
  case_id: number;
  version: number;
  tutor: { tutor_id: string; external_id: string; name: string };
  raised: { words: string }[];
  owner: { name: string } | null;
  queue: string;
  snoozed_until: string | null;
}

const EVERY_QUEUE = "queue=todo&queue=due&queue=waiting&queue=closed";

/** Each test has cases of its own, as all of them change some. */
async function caseAt(page: Page, index: number): Promise<Case> {
  const { data } = await ask(page, `/api/cases?${EVERY_QUEUE}&sort_by=opened_at&sort_order=asc&limit=500`);
  const found = data.toSorted((one: Case, other: Case) => one.case_id - other.case_id)[index];
  expect(found, "too few cases").toBeDefined();
  return found;
}

const caseNow = async (page: Page, { case_id }: Case): Promise<Case> =>
  (await ask(page, `/api/cases/${case_id}`)).data;

/** Somebody at a browser of their own, with the tutors of these cases. */
const person = (browser: Browser, name: string, role: "coach" | "lead", ...cases: Case[]) =>
  atBrowser(browser, name, role, ...cases.map(({ tutor }) => tutor.external_id));

const rowOf = (page: Page, { tutor }: Case) =>
  page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: tutor.name }) });

async function search(page: Page, { tutor }: Case): Promise<void> {
  await page.getByRole("searchbox", { name: "Search by name or id" }).fill(tutor.external_id);
  await expect(page.locator("tbody tr")).toHaveCount(1);
}

test("is the first page, and says of whom what is raised and what is at risk", async ({ page }) => {
  const { data, meta } = await ask(page, "/api/cases?queue=todo&limit=200");
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1, name: "Today" })).toBeVisible();
  const queues = page.getByRole("navigation", { name: "Queues" });
  await expect(queues.getByRole("link", { name: "Waiting" })).toBeVisible();
  expect(meta.queues.todo).toBeGreaterThan(0);
  const [first] = data;
  const row = page.locator("tbody tr").first();
  const { words } = first.sudden_change ?? first.raised[0];
  await expect(row).toContainText(words.charAt(0).toUpperCase() + words.slice(1));
  await expect(row).toContainText(/\d of \d+ sessions? at risk in 7 days, \d+ students?/);
  await page
    .getByRole("link", { name: `Tutor page of ${first.tutor.name}`, exact: true })
    .first()
    .click();
  await expect(page.getByRole("heading", { level: 1, name: first.tutor.name })).toBeVisible();
  await expect(
    page.getByRole("region", { name: "Case" }).getByRole("link", { name: `Case ${first.case_id}` }),
  ).toBeVisible();
});

test("is worked through with the keyboard alone, and no key fires while one types", async ({
  page,
  browser,
}) => {
  const one = await caseAt(page, 0);
  const lead = await person(browser, "Kay Board", "lead");
  await search(lead, one);
  // In the field, keys are text.
  await lead.getByRole("searchbox").press("End");
  await lead.keyboard.type(" jxase?");
  await expect(lead.getByRole("searchbox")).toHaveValue(`${one.tutor.external_id} jxase?`);
  await expect(lead.getByRole("dialog")).toHaveCount(0);
  await search(lead, one);
  await lead.getByRole("searchbox").blur();

  await lead.keyboard.press("?");
  await expect(lead.getByRole("dialog", { name: "Keys" })).toBeVisible();
  await lead.keyboard.press("j");
  await lead.keyboard.press("Escape");
  await expect(lead.getByRole("dialog")).toHaveCount(0);
  await lead.keyboard.press("j");
  const link = lead.locator("[data-row-link]").first();
  await expect(link).toBeFocused();
  await lead.keyboard.press("x");
  await expect(lead.getByText("1 selected")).toBeVisible();
  await lead.keyboard.press("a");
  await expect(lead.getByRole("combobox", { name: "To" })).toBeFocused();
  await lead.keyboard.type("Kay");
  await lead.keyboard.press("ArrowDown");
  await lead.keyboard.press("Enter");
  await lead.keyboard.press("Enter");
  await expect(lead.getByText(`${one.tutor.name}: assigned to Kay Board.`)).toBeVisible();
  await expect(rowOf(lead, one)).toContainText("Kay Board");
  await expect(link).toBeFocused();
  await lead.keyboard.press("s");
  await expect(lead.getByRole("button", { name: "Tomorrow" })).toBeFocused();
  await lead.keyboard.press("Enter");
  await expect(lead.getByText(`${one.tutor.name}: snoozed until`)).toBeVisible();
  await expect(lead.locator("tbody tr")).toHaveCount(0);
  expect(await caseNow(page, one)).toMatchObject({ queue: "waiting", owner: { name: "Kay Board" } });

  await lead.getByRole("link", { name: "Waiting" }).click();
  await expect(rowOf(lead, one)).toContainText("Snoozed until");
  await lead.keyboard.press("j");
  await expect(link).toBeFocused();
  await lead.keyboard.press("e");
  await expect(lead.getByRole("dialog", { name: `Log contact: ${one.tutor.name}` })).toBeVisible();
  await lead.getByLabel("Note").fill("Reached at once");
  await lead.getByRole("button", { name: "Log contact" }).last().click();
  await expect(lead.getByText(`${one.tutor.name}: contact logged, follow-up on`)).toBeVisible();
  await expect(link).toBeFocused();
  await lead.keyboard.press("Enter");
  await expect(lead).toHaveURL(`/cases/${one.case_id}`);
  const happened = lead.getByRole("region", { name: "What happened" });
  await expect(happened).toContainText("Kay Board contacted the tutor");
  await expect(happened).toContainText("Reached at once");
  await expect(happened).toContainText("Kay Board took the case");
  await lead.context().close();
});

test("two people change one case: the later one is told, and loses nothing", { tag: "@soak" }, async ({
  page,
  browser,
}) => {
  const one = await caseAt(page, 1);
  const lead = await person(browser, "Lea Adler", "lead");
  const coach = await person(browser, "Cora Beck", "coach", one);
  for (const each of [lead, coach]) {
    await each.goto(`/cases/${one.case_id}`);
    await expect(each.getByRole("region", { name: "What happened" })).toContainText("opened the case");
  }
  await coach.getByRole("button", { name: "Take" }).click();
  await expect(coach.getByText(`${one.tutor.name}: assigned to Cora Beck.`)).toBeVisible();

  await lead.getByRole("button", { name: "Take" }).click();
  await expect(
    lead.getByText("Someone else changed the case: Cora Beck took the case. Your change was not saved"),
  ).toBeVisible();
  // What is shown is how it is now.
  await expect(lead.getByRole("region", { name: "Case", exact: true })).toContainText("Cora Beck");
  expect((await caseNow(page, one)).owner?.name).toBe("Cora Beck");

  await lead.getByRole("button", { name: "Log contact" }).click();
  const dialog = lead.getByRole("dialog");
  await dialog.getByLabel("Note").fill("She called me back");
  await coach.getByRole("button", { name: "Snooze" }).click();
  await coach.getByRole("button", { name: "In 1 week" }).click();
  await expect(coach.getByText(`${one.tutor.name}: snoozed until`)).toBeVisible();
  await dialog.getByRole("button", { name: "Log contact" }).click();
  await expect(dialog.getByRole("alert")).toContainText(
    "Someone else changed the case: Cora Beck snoozed the case until",
  );
  await expect(dialog.getByLabel("Note")).toHaveValue("She called me back");
  await dialog.getByRole("button", { name: "Log contact" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(lead.getByRole("region", { name: "What happened" })).toContainText("She called me back");
  expect(await caseNow(page, one)).toMatchObject({ owner: { name: "Cora Beck" }, snoozed_until: null });
  await lead.context().close();
  await coach.context().close();
});

test("what fails is taken back, and said", { tag: "@soak" }, async ({ page }) => {
  const one = await caseAt(page, 2);
  await page.goto("/");
  await search(page, one);
  await page.route("**/api/cases/*", (route) =>
    route.request().method() === "PATCH" ? route.abort("connectionrefused") : route.continue(),
  );
  await rowOf(page, one).getByRole("checkbox").check();
  await page.getByRole("button", { name: "Snooze" }).click();
  await page.getByRole("button", { name: "In 3 days" }).click();
  await expect(page.getByText(`${one.tutor.name}: Cannot reach the API.`)).toBeVisible();
  await expect(rowOf(page, one)).toBeVisible();
});

test("a coach starts with their own cases, and is told what they cannot change", { tag: "@soak" }, async ({
  page,
  browser,
}) => {
  const [own, other] = [await caseAt(page, 3), await caseAt(page, 4)];
  const coach = await person(browser, "Nora Falk", "coach", own);
  await expect(coach.getByRole("radio", { name: "Mine" })).toBeChecked();
  await expect(coach.locator("tbody tr")).toHaveCount(1);
  await expect(rowOf(coach, own)).toBeVisible();
  await rowOf(coach, own).getByRole("checkbox").check();
  await coach.getByRole("button", { name: "Take" }).click();
  await expect(rowOf(coach, own)).toContainText("Nora Falk");
  await coach.goto("/?whose=all");
  await expect(
    coach.getByText(/^You can only view \d+ of these\. You can change your own tutors’ cases only\.$/),
  ).toBeVisible();
  await expect(rowOf(coach, other).getByRole("checkbox")).toHaveCount(0);
  await coach.goto(`/cases/${other.case_id}`);
  await expect(coach.getByText("You can change your own tutors’ cases only.")).toBeVisible();
  await expect(coach.getByRole("button", { name: "Log contact" })).toHaveCount(0);
  await coach.context().close();
  await logIn(page, READ_KEY);
  await page.goto(`/cases/${other.case_id}`);
  await expect(page.getByText("Your role can view cases only.")).toBeVisible();
});

test("a case is prepared, closed, counted, and opened anew from the tutor's page", async ({
  page,
  context,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const one = await caseAt(page, 5);
  const { data } = await ask(page, `/api/cases/${one.case_id}/preparation`);
  await page.goto(`/cases/${one.case_id}`);
  const prepare = page.getByRole("region", { name: "Prepare" });
  // A sudden change that `unreliable` counts is said with it, and not once more.
  const facts = data.facts.filter(({ superseded }: { superseded: boolean }) => !superseded);
  for (const { sentence } of facts) await expect(prepare).toContainText(sentence);
  for (const question of data.questions) await expect(prepare).toContainText(question);
  await prepare.getByRole("button", { name: "Copy text" }).click();
  await expect(prepare.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(data.text);
  const mail = await prepare.getByRole("link", { name: "Mail to tutor" }).getAttribute("href");
  expect(new URL(mail ?? "").searchParams.get("subject")).toBe(data.mail.subject);
  await prepare.getByRole("button", { name: "Calendar invitation" }).click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("dialog").getByRole("link", { name: "Download" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe(`conversation-${one.case_id}.ics`);

  const dialog = page.getByRole("dialog");
  await expect(dialog).toHaveCount(0);
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await expect(dialog.getByRole("button", { name: "Close case" })).toBeDisabled();
  await dialog.getByLabel("The data was wrong").check();
  await dialog.getByLabel("Details").fill("The calendar was imported twice");
  await dialog.getByRole("button", { name: "Close case" }).click();
  await expect(page.getByRole("button", { name: "Reopen" })).toBeVisible();
  await expect(page.getByRole("region", { name: "What happened" })).toContainText(
    "The calendar was imported twice",
  );
  await page.goto("/outcomes");
  await expect(page.getByText("These figures do not prove that conversations help.")).toBeVisible();
  const reasons = page.getByRole("table", { name: "Closed cases by reason" });
  await reasons.getByRole("link", { name: "The data was wrong" }).click();
  await expect(page).toHaveURL(/queue=closed.*reason=data_error/);
  await expect(page.locator(`[data-case="${one.case_id}"]`)).toBeVisible();
  await page.getByText("Closed: The data was wrong", { exact: true }).click();
  await expect(page).not.toHaveURL(/reason=/);

  await page.goto(`/tutors/${one.tutor.tutor_id}`);
  const strip = page.getByRole("region", { name: "Case", exact: true });
  await expect(strip).toContainText("No case is open.");
  await expect(strip.getByRole("link", { name: /^Closed on .*: The data was wrong$/ })).toBeVisible();
  await strip.getByRole("button", { name: "Open a case" }).click();
  await expect(strip.getByText("New", { exact: true })).toBeVisible();
});

test("from a case, the next one is a key away, and the way back leads to where one was", {
  tag: "@soak",
}, async ({ page, browser }) => {
  const lead = await person(browser, "Wera Back", "lead");
  await lead.getByText("Unassigned", { exact: true }).first().click();
  await expect(lead).toHaveURL("/?whose=nobody");
  const links = lead.locator("[data-case]");
  await expect(links.nth(3)).toBeVisible();
  await lead.setViewportSize({ width: 1280, height: 420 });
  await links.nth(2).focus();
  // Others open cases meanwhile: what counts is the list at the moment at which it is left.
  const { ids, at, scroll } = await links.evaluateAll((all) => ({
    ids: all.map((link) => Number(link.getAttribute("data-case"))),
    at: all.indexOf(document.activeElement as HTMLElement),
    scroll: window.scrollY,
  }));
  await lead.keyboard.press("Enter");
  const [id, following] = [ids[at], ids[at + 1]];
  await expect(lead).toHaveURL(`/cases/${id}`);
  await expect(lead.getByText(new RegExp(`^${at + 1} of \\d+ in To do$`))).toBeVisible();
  const { tutor } = (await ask(page, `/api/cases/${id}`)).data;

  // Over the tutor's page and back.
  await lead.getByRole("link", { name: "To the tutor’s page" }).click();
  await lead.getByRole("link", { name: `${tutor.name}: case ${id}` }).click();
  await expect(lead).toHaveURL(`/cases/${id}`);
  await lead.getByRole("link", { name: "Today" }).and(lead.locator("main a")).click();
  await expect(lead).toHaveURL("/?whose=nobody");
  await expect(lead.locator(`[data-case="${id}"]`)).toBeFocused();
  await expect.poll(() => lead.evaluate(() => window.scrollY)).toBe(scroll);

  // What was done is said at once, and the next case is a click or a key away.
  await lead.keyboard.press("Enter");
  await lead.keyboard.press("s");
  await lead.getByRole("button", { name: "Tomorrow" }).click();
  await expect(lead.getByRole("status").filter({ hasText: "snoozed until" })).toBeInViewport();
  await expect(lead.getByRole("link", { name: "Go to the next case" })).toBeVisible();
  await lead.keyboard.press("j");
  await expect(lead).toHaveURL(`/cases/${following}`);
  await expect(lead.getByRole("status").filter({ hasText: "snoozed until" })).toHaveCount(0);
  await lead.keyboard.press("u");
  await expect(lead).toHaveURL("/?whose=nobody");
  // The case that was snoozed is gone, so the next one has moved up.
  await expect(lead.locator(`[data-case="${following}"]`)).toBeFocused();
  await expect(lead.locator(`[data-case="${id}"]`)).toHaveCount(0);
  await lead.context().close();
});

test("a contact is noted for its day, corrected and withdrawn; the history keeps all of it", {
  tag: "@soak",
}, async ({ page, browser }) => {
  const one = await caseAt(page, 6);
  const lead = await person(browser, "Dana Day", "lead");
  const { today } = (await ask(page, "/api/cases?limit=1")).meta;
  const before = new Date(`${today}T00:00:00Z`);
  before.setUTCDate(before.getUTCDate() - 2);
  const day = before.toISOString().slice(0, 10);
  await lead.goto(`/cases/${one.case_id}`);
  await lead.getByRole("button", { name: "Log contact" }).click();
  const dialog = lead.getByRole("dialog");
  await expect(dialog.getByLabel("Date of contact")).toHaveValue(today);
  await dialog.getByLabel("Date of contact").fill(day);
  await dialog.getByLabel("Note").fill("Called on the way home");
  await dialog.getByRole("button", { name: "Log contact" }).click();
  const happened = lead.getByRole("region", { name: "What happened" });
  await expect(happened).toContainText("Phone call on ");

  await happened.getByRole("button", { name: /^Correct the contact of / }).click();
  await expect(dialog.getByLabel("Date of contact")).toHaveValue(day);
  await expect(dialog.getByLabel("Note")).toHaveValue("Called on the way home");
  await dialog.getByLabel("Note").fill("Called from the office");
  await dialog.getByRole("button", { name: "Save correction" }).click();
  await expect(happened).toContainText("Corrected by Dana Day");
  await expect(happened).toContainText("Called from the office");
  await happened.getByRole("button", { name: /^Correct the contact of / }).click();
  await dialog.getByRole("button", { name: "Withdraw this contact" }).click();
  await expect(happened).toContainText("Withdrawn by Dana Day");
  await expect(happened.getByRole("button", { name: /^Correct/ })).toHaveCount(0);
  const { data } = await ask(page, `/api/cases/${one.case_id}`);
  expect(data).toMatchObject({ contacted_at: null, state: "assigned" });
  await lead.context().close();
});

test("says what there is where nothing fits", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/?search=nobody-is-called-this");
  await expect(page.getByText("No cases match these filters")).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(page).toHaveURL("/");
  await expect(page.locator("tbody tr").first()).toBeVisible();
});

for (const [name, path, proof] of [
  ["Today", "/", "Select all"],
  ["a case", "/cases/1", "What clears it"],
  ["outcomes", "/outcomes", "By agreed action"],
] as const) {
  const tag = name === "Today" ? [] : "@soak";
  test(`${name} can be used by everybody, and on a telephone`, { tag }, async ({ page }) => {
    await page.goto(path);
    await expect(page.getByText(proof).first()).toBeVisible();
    await expectAccessible(page);
    await expectFitsTelephone(page);
  });
}

// Last, as it takes whichever cases stand last.
test("many are assigned at once, and each outcome is told", { tag: "@soak" }, async ({ page, browser }) => {
  const lead = await person(browser, "Mira Lund", "lead");
  const rows = lead.locator("tbody tr");
  const { meta } = await ask(page, "/api/cases?queue=todo&limit=1");
  await expect(rows).toHaveCount(Math.min(meta.queues.todo, 200));
  const ids = await lead
    .locator("[data-case]")
    .evaluateAll((links) => links.map((link) => Number(link.getAttribute("data-case"))));
  const boxes = lead.getByRole("checkbox", { name: /^Select (?!all)/ });
  await boxes.nth(ids.length - 3).check();
  await boxes.last().click({ modifiers: ["Shift"] });
  await expect(lead.getByText("3 selected")).toBeVisible();
  const other = (await ask(page, `/api/cases/${ids.at(-2)}`)).data;
  const changed = await page.request.patch(`/api/cases/${other.case_id}`, {
    data: { version: other.version, priority: other.priority === "low" ? "normal" : "low" },
    headers: OURS,
  });
  expect(changed.status()).toBe(200);
  await lead.getByRole("button", { name: "Assign" }).click();
  await lead.getByRole("combobox", { name: "To" }).click();
  await lead.getByRole("option", { name: "Mira Lund" }).click();
  await lead.getByRole("dialog").getByRole("button", { name: "Assign" }).click();
  await expect(
    lead.getByText(
      `2 assigned to Mira Lund. Not assigned because someone else changed them: ${other.tutor.name}.`,
    ),
  ).toBeInViewport();
  await expect(rows.filter({ hasText: "Mira Lund" })).toHaveCount(2);
  // What was left is still selected, to be looked at and assigned again.
  await expect(lead.getByText("1 selected")).toBeVisible();
  await expect(rowOf(lead, other).getByRole("checkbox")).toBeChecked();
  await lead.getByRole("button", { name: "Dismiss message" }).click();
  await expect(lead.getByText("2 assigned to Mira Lund")).toHaveCount(0);
  await lead.context().close();
});
