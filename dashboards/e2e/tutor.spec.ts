import { ask, expect, expectAccessible, expectFitsTelephone, logIn, READ_KEY, test } from "./support";

/** A run takes seconds; a busy machine can make minutes of it. */
const SCORED_WITHIN_MS = 180_000;

test("says why in one sentence, what clears it, and what the score is made from", async ({ page }) => {
  const [tutor] = (await ask(page, "/api/tutors?limit=1&risk_status=high_risk&risk_status=watch")).data;
  const { data } = await ask(page, `/api/tutors/${tutor.tutor_id}/explanation`);
  await page.goto(`/tutors/${tutor.external_id}`);
  await expect(page.getByText(data.sentence)).toBeVisible();
  await expect(page.getByText(data.clearing.sentence)).toBeVisible();
  for (const { sentence } of data.components) await expect(page.getByText(sentence)).toBeVisible();
  const counted = page.getByRole("region", { name: "Counted" });
  await expect(counted.getByRole("row", { name: /^Moved, cancelled or missed \d/ })).toContainText(
    `${(tutor.let_down_rate_90d * 100).toFixed(1)}%`,
  );
  await expect(page.getByRole("img", { name: /Let-downs of .* by week/ })).toBeVisible();
});

test("an excuse is given, changes the scores, and is taken back", async ({ page }) => {
  test.setTimeout(4 * SCORED_WITHIN_MS + 60_000);
  const [tutor] = (await ask(page, "/api/tutors?limit=1&sort_by=let_downs_30d")).data;
  const path = `/api/tutors/${tutor.tutor_id}`;
  const counted = async () => (await ask(page, path)).data.let_downs_90d;
  await page.goto(`/tutors/${tutor.tutor_id}`);
  const happened = page.getByRole("region", { name: "What happened" });
  await happened.getByRole("button", { name: "Excuse", exact: true }).first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("button", { name: "Excuse" })).toBeDisabled();
  await dialog.getByLabel("Reason").fill("Storm: all schools were closed");
  await dialog.getByRole("button", { name: "Excuse" }).click();
  await expect(page.getByText("The scores follow by themselves")).toBeVisible();
  await expect(happened.getByText("Excused")).toBeVisible({ timeout: SCORED_WITHIN_MS });
  // A run that is under way builds the list of what happened first, and the scores after it.
  await expect.poll(counted, { timeout: SCORED_WITHIN_MS }).toBe(tutor.let_downs_90d - 1);
  await happened.getByRole("button", { name: "Undo excuse" }).click();
  await dialog.getByRole("button", { name: "Let it count" }).click();
  await expect(happened.getByText("Excused")).toBeHidden({ timeout: SCORED_WITHIN_MS });
  await expect.poll(counted, { timeout: SCORED_WITHIN_MS }).toBe(tutor.let_downs_90d);
});

test("who may only read is offered no excuses", async ({ page }) => {
  const [tutor] = (await ask(page, "/api/tutors?limit=1")).data;
  await logIn(page, READ_KEY);
  await page.goto(`/tutors/${tutor.tutor_id}`);
  await expect(page.getByRole("region", { name: "What happened" }).getByText("Counts").first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Excuse" })).toHaveCount(0);
});

test("says so when there is no such tutor", async ({ page }) => {
  await page.goto("/tutors/nobody");
  await expect(page.getByText("There is no tutor with this id.")).toBeVisible();
});

test("can be used by everybody, and on a telephone", async ({ page }) => {
  const [tutor] = (await ask(page, "/api/tutors?limit=1")).data;
  await page.goto(`/tutors/${tutor.tutor_id}`);
  await expect(page.getByRole("img", { name: /by week/ })).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});
