import { ask, expect, expectAccessible, expectFitsTelephone, test } from "./support";

test("says how honest flags are, as the API has it, and for one month", async ({ page }) => {
  const { data } = await ask(page, "/api/calibration");
  await page.goto("/honesty");
  await expect(page.getByRole("heading", { level: 1, name: "Flag accuracy" })).toBeVisible();
  const words = page.getByRole("list", { name: "Summary" });
  for (const sentence of data.sentences) await expect(words).toContainText(sentence);
  await expect(words).toContainText("Only let-downs are checked; other concerns are not yet measured.");
  await expect(words.getByRole("listitem").first()).toContainText(
    /You can trust chances of|No chance could be trusted/,
  );
  const bands = page.getByRole("table", { name: "By forecast chance" });
  await expect(bands.locator("tbody tr")).toHaveCount(data.reliability.length);
  const [month] = data.by_month;
  await page.goto(`/honesty?month=${month.month.slice(0, 7)}`);
  const months = page.getByRole("table", { name: "By month" });
  await expect(months.locator("tbody tr")).toHaveCount(1);
  await expect(months).toContainText(month.forecasts.toLocaleString("en-GB"));
});

test("honesty can be used by everybody, and on a telephone", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/honesty");
  await expect(page.getByRole("region", { name: "By volume" })).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});

test("a tutor's page has a map of slots, with every session in it", async ({ page }) => {
  const [{ tutor_id: id }] = (await ask(page, "/api/tutors?sort_by=sessions_90d&limit=1")).data;
  const { slots, patterns } = (await ask(page, `/api/tutors/${id}/explanation`)).data;
  await page.goto(`/tutors/${id}`);
  const map = page.getByRole("region", { name: "When sessions are let down" });
  const [slot] = slots;
  await expect(map).toContainText(
    `${slot.let_downs} of ${slot.sessions} session${slot.sessions === 1 ? "" : "s"} let down`,
  );
  await expect(map.getByRole("row")).toHaveCount(8);
  for (const { sentence } of patterns) await expect(map).toContainText(sentence);
  await expect(map.getByText("All differences here are within chance.")).toHaveCount(
    patterns.length === 0 ? 1 : 0,
  );
});
