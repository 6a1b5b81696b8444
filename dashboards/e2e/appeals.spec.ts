import type { APIRequestContext, Browser, Page } from "@playwright/test";
import { ADMIN_KEY, ask, atBrowser, expect, expectAccessible, expectFitsTelephone, test } from "./support";

const TUTOR = "tutor-who-appeals";
const OTHER = "tutor-who-does-not";
const LINKED = "tutor-with-a-link";
const KEY = { "X-API-Key": ADMIN_KEY };
const MOST_BYTES = 50_000;
const EVIL = "My train was cancelled <script>alert(1)</script> & I called.";

const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();

/** Sessions of the last days: ten that took place, and three that the tutor missed. */
async function post(request: APIRequestContext, tutor: string): Promise<void> {
  const sessions = Array.from({ length: 13 }, (_, index) => ({
    session_id: `${tutor}-${index}`,
    tutor_id: tutor,
    student_id: `student-of-${tutor}-${index}`,
    scheduled_time: hoursAgo(5 + 24 * index),
    ...(index < 3 ? { status: "no_show", initiator: "tutor" } : { status: "completed" }),
  }));
  expect((await request.post("/api/sessions/batch", { data: sessions, headers: KEY })).status()).toBe(200);
  const person = { tutor_id: tutor, name: `Appealing ${tutor}`, email: `${tutor}@example.org` };
  const answer = await request.post("/api/tutors", { data: person, headers: KEY });
  expect([201, 409]).toContain(answer.status());
}

const noShows = async (page: Page, tutor: string): Promise<number> =>
  (await ask(page, `/api/tutors/${tutor}`)).data.tutor_no_shows_90d;

/** A telephone on which the tutor's own page is opened by a link. */
async function onTelephone(browser: Browser, request: APIRequestContext, tutor: string): Promise<Page> {
  const answer = await request.post(`/api/tutors/${tutor}/page-link`, { headers: KEY });
  expect(answer.status()).toBe(201);
  const { url } = (await answer.json()).data;
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true });
  const page = await context.newPage();
  const addresses: string[] = [];
  page.on("request", (sent) => addresses.push(sent.url(), sent.headers().referer ?? ""));
  await page.goto(url);
  await expect(page.getByRole("heading", { level: 1, name: "Your teaching" })).toBeVisible();
  await expect(page).toHaveURL(/\/my$/);
  const token = url.split("#token=")[1];
  expect(addresses.filter((address) => address.includes(token) && !address.includes("#"))).toEqual([]);
  return page;
}

/** What a tutor, two leads and another tutor do; `look` at each page on the way. */
async function appeal(page: Page, browser: Browser, look: typeof expectAccessible): Promise<void> {
  for (const tutor of [TUTOR, OTHER]) {
    await post(page.request, tutor);
    await expect.poll(async () => (await page.request.get(`/api/tutors/${tutor}`)).status()).toBe(200);
  }
  await expect.poll(() => noShows(page, TUTOR)).toBe(3);

  // The page says what counts, and is light.
  const tutor = await onTelephone(browser, page.request, TUTOR);
  const own = await tutor.request.get("/my");
  expect((await own.body()).length).toBeLessThan(MOST_BYTES);
  const last = tutor.getByRole("columnheader", { name: "90 days" });
  const gap = await last.evaluate((cell) => Number.parseFloat(getComputedStyle(cell).paddingLeft));
  expect(gap).toBeGreaterThanOrEqual(12);
  await expect(tutor.getByRole("row", { name: /Missed by you/ })).toContainText("3");
  await expect(tutor.getByText(OTHER)).toHaveCount(0);
  await expect(tutor.getByText("student-of")).toHaveCount(0);
  await expectAccessible(tutor, { isDashboard: false });

  // The newest of the sessions is wrong.
  await tutor.getByRole("checkbox").first().check();
  await tutor.getByRole("button", { name: "This is wrong" }).click();
  await look(tutor, { isDashboard: false });
  await tutor.getByRole("radio", { name: "I was ill, or had an emergency" }).check();
  await tutor.getByRole("textbox", { name: "What happened?" }).fill(EVIL);
  await tutor.getByRole("button", { name: "Send appeal" }).click();
  await expect(tutor.getByRole("status")).toContainText("We have your appeal.");
  await expect(tutor.getByText(EVIL)).toBeVisible();
  await expect(tutor.getByText("Your appeal is open")).toBeVisible();
  await look(tutor, { isDashboard: false });
  await expectFitsTelephone(tutor);
  const [{ appeal_id }] = (await ask(page, `/api/appeals?tutor_id=${TUTOR}&state=open`)).data;

  // Who excused the session is told that somebody else decides.
  const involved = await atBrowser(browser, "Ines Appeals", "lead");
  const session = `/api/sessions/${TUTOR}-0/excuse`;
  const ours = { "X-Requested-With": "tutorq" };
  expect((await involved.request.post(session, { data: { reason: "Ill" }, headers: ours })).status()).toBe(
    201,
  );
  expect((await involved.request.delete(session, { headers: ours })).status()).toBe(204);
  await involved.goto(`/appeals/${appeal_id}`);
  await expect(involved.getByText("You excused or changed one of these sessions.")).toBeVisible();
  await expect(involved.getByRole("button", { name: "Grant" })).toHaveCount(0);

  // Another lead finds it in the navigation and on Today, and decides.
  const lead = await atBrowser(browser, "Lara Appeals", "lead");
  await expect(lead.getByRole("link", { name: "View appeals" })).toBeVisible();
  await lead
    .getByRole("navigation", { name: "Pages" })
    .getByRole("link", { name: /^Appeals/ })
    .click();
  await expect(lead.getByRole("heading", { level: 1, name: "Appeals" })).toBeVisible();
  await lead.getByRole("searchbox", { name: "Tutor" }).fill(TUTOR);
  await expect(lead.locator("tbody tr")).toHaveCount(1);
  await look(lead);
  await lead
    .getByRole("row", { name: /Appealing tutor-who-appeals/ })
    .getByRole("link")
    .first()
    .click();
  await expect(lead.getByText(EVIL)).toBeVisible();
  await look(lead);
  await lead.getByRole("button", { name: "Grant" }).click();
  const dialog = lead.getByRole("dialog");
  await dialog
    .getByRole("textbox", { name: "Answer to the tutor" })
    .fill("No train ran that day. All is well.");
  await dialog.getByRole("button", { name: "Preview mail" }).click();
  await expect(dialog.getByRole("region", { name: "Mail preview" })).toContainText("Your appeal was granted");
  await expect(dialog).toContainText(`${TUTOR}@example.org`);
  await look(lead);
  await dialog.getByRole("button", { name: "Grant", exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await expect(lead.getByText("Granted").first()).toBeVisible();
  await expectFitsTelephone(lead);
  await lead.goto("/appeals");
  await expectFitsTelephone(lead);

  // The score has changed with it, and the tutor reads why.
  await expect.poll(() => noShows(page, TUTOR)).toBe(2);
  await tutor.reload();
  await expect(tutor.getByText("No train ran that day. All is well.")).toBeVisible();
  await expect(tutor.getByText("Excused: does not count")).toBeVisible();
  await expect(tutor.getByRole("row", { name: /Missed by you/ })).toContainText("2");
  await expect(tutor.getByText("Lara")).toHaveCount(0);

  // A link that was revoked opens nothing, also where it was open.
  const other = await onTelephone(browser, page.request, OTHER);
  await expect(other.getByText("No train ran that day")).toHaveCount(0);
  expect((await page.request.delete(`/api/tutors/${OTHER}/page-link`, { headers: KEY })).status()).toBe(204);
  await other.reload();
  await expect(other.getByRole("alert")).toContainText("This link no longer works.");
  await look(other, { isDashboard: false });
  for (const each of [tutor, involved, lead, other]) await each.context().close();
}

test("a tutor appeals on a telephone, a lead decides, and the tutor sees the answer", async ({
  page,
  browser,
}) => {
  await appeal(page, browser, async () => {});
});

test("each page on the way of an appeal can be used by everybody", { tag: "@soak" }, async ({
  page,
  browser,
}) => {
  await appeal(page, browser, expectAccessible);
});

test("a coach makes a link to a tutor's own page, and revokes it", { tag: "@soak" }, async ({ page }) => {
  await post(page.request, LINKED);
  await expect.poll(async () => (await page.request.get(`/api/tutors/${LINKED}`)).status()).toBe(200);
  await page.goto(`/tutors/${LINKED}`);
  const strip = page.getByRole("region", { name: "The tutor’s own page" });
  await strip.getByRole("button", { name: "Create link" }).click();
  await expect(strip).toContainText("Valid until");
  await expect(strip.getByRole("button", { name: "Copy link" })).toBeVisible();
  await strip.getByRole("button", { name: "Revoke all links" }).click();
  await expect(strip).toContainText("All links revoked.");
  await expectAccessible(page);
});
