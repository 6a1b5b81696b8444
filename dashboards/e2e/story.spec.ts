import type { APIRequestContext, Page } from "@playwright/test";
import { ADMIN_KEY, ask, atBrowser, expect, test } from "./support";

const TUTOR = "tutor-of-the-story";
const KEY = { "X-API-Key": ADMIN_KEY };
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

/** Sessions of the tutor as the marketplace posts them, `days` ago each. */
const posted = (name: string, days: number[], outcome: object) =>
  days.map((ago, index) => ({
    session_id: `${name}-${index}`,
    tutor_id: TUTOR,
    student_id: `student-of-the-story-${index % 5}`,
    scheduled_time: daysAgo(ago),
    ...outcome,
  }));

async function post(request: APIRequestContext, sessions: object[]): Promise<void> {
  const answer = await request.post("/api/sessions/batch", { data: sessions, headers: KEY });
  expect(answer.status()).toBe(200);
  expect(await answer.json()).toMatchObject({ queued: sessions.length });
}

const days = (count: number, between: number) =>
  Array.from({ length: count }, (_, index) => 0.5 + index * between);

async function find(page: Page): Promise<void> {
  await page.getByRole("searchbox", { name: "Search by name or id" }).fill(TUTOR);
  await expect(page.locator("tbody tr")).toHaveCount(1);
}

test("from a flag to an outcome: a tutor gets worse, is talked to, and improves", async ({
  page,
  browser,
}) => {
  const cases = async (queue: string) =>
    (await ask(page, `/api/cases?tutor_id=${TUTOR}&queue=${queue}`)).data;

  // All is well, and nobody has anything to do.
  await post(page.request, posted("held", days(15, 2), { status: "completed" }));
  await expect.poll(async () => (await page.request.get(`/api/tutors/${TUTOR}`)).status()).toBe(200);
  expect(await cases("todo")).toEqual([]);

  // Then the tutor cancels, and there is a case within the post's own transaction, or right after it.
  const cancelled = posted("cancelled", days(15, 1), { status: "cancelled", initiator: "tutor" });
  await post(page.request, cancelled);
  await expect.poll(async () => (await cases("todo")).length).toBe(1);
  const [{ case_id }] = await cases("todo");

  // A lead gives it to a coach, who is at another browser.
  const lead = await atBrowser(browser, "Lotte Story", "lead");
  const coach = await atBrowser(browser, "Carl Story", "coach");
  await expect(coach.locator("tbody tr")).toHaveCount(0);
  await find(lead);
  const row = lead.locator("tbody tr");
  await expect(row).toContainText("Unreliable: 15 of 30 sessions let down");
  await row.getByRole("checkbox").check();
  await lead.getByRole("button", { name: "Assign" }).click();
  await lead.getByRole("combobox", { name: "To" }).click();
  await lead.getByRole("option", { name: "Carl Story" }).click();
  await lead.getByRole("dialog").getByRole("button", { name: "Assign" }).click();
  await expect(row).toContainText("Carl Story");

  // The coach finds it among their own, prepares, and notes what was said.
  await coach.reload();
  await expect(coach.locator("tbody tr")).toHaveCount(1);
  await coach.goto(`/cases/${case_id}`);
  const prepare = coach.getByRole("region", { name: "Prepare" });
  await expect(prepare).toContainText("cancelled or missed 15 of 30 sessions");
  await expect(prepare).toContainText("What makes it hard to keep sessions as planned?");
  await coach.getByRole("button", { name: "Log contact" }).click();
  const contact = coach.getByRole("dialog");
  await contact.getByRole("combobox", { name: "Cause, according to the tutor" }).click();
  await coach.getByRole("option", { name: "Too many sessions" }).click();
  await contact.getByRole("combobox", { name: "Agreed" }).click();
  await coach.getByRole("option", { name: "Fewer sessions" }).click();
  await contact.getByLabel("Follow-up on").fill((await ask(page, "/api/cases?limit=1")).meta.today);
  await contact.getByRole("button", { name: "Log contact" }).click();
  await expect(contact).toHaveCount(0);
  await expect(coach.getByRole("region", { name: "What happened" })).toContainText(
    "Carl Story contacted the tutor",
  );

  // The follow-up is due.
  await coach.goto("/?queue=due");
  await expect(coach.locator("tbody tr")).toHaveCount(1);

  // The tutor has become reliable, nothing is raised any more, and closing is suggested.
  await post(page.request, posted("held-again", days(250, 0.01), { status: "completed" }));
  await expect.poll(async () => (await cases("due"))[0]?.suggested_at).toBeTruthy();
  await coach.reload();
  await expect(coach.locator("tbody tr")).toContainText("No concern is raised any more. Close the case?");
  await coach.goto(`/cases/${case_id}`);
  await coach.getByRole("button", { name: "Close", exact: true }).click();
  const closing = coach.getByRole("dialog");
  await closing.getByLabel("The tutor improved").check();
  await closing.getByRole("button", { name: "Close case" }).click();
  await expect(coach.getByRole("button", { name: "Reopen" })).toBeVisible();

  // The lead sees what came of it.
  await lead.goto("/outcomes");
  const reasons = lead.getByRole("table", { name: "Closed cases by reason" });
  await expect(reasons.getByRole("row", { name: "The tutor improved" })).toBeVisible();
  const owners = lead.getByRole("table", { name: "By owner" });
  await expect(owners.getByRole("row", { name: "Carl Story" })).toBeVisible();

  const { data: events } = await ask(page, `/api/cases/${case_id}/events`);
  expect(events.map(({ kind }: { kind: string }) => kind).toReversed()).toEqual(
    expect.arrayContaining(["opened", "changed", "contact", "suggested", "closed"]),
  );
  await lead.context().close();
  await coach.context().close();
});
