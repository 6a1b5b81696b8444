import { ask, expect, test } from "./support";

for (const { locale, first, rate, tag } of [
  { locale: "en-US", first: "Sun", rate: /\d\.\d%/, tag: "@soak" },
  { locale: "de-DE", first: "Mo", rate: /\d,\d\s%/, tag: [] },
]) {
  test.describe(locale, { tag }, () => {
    test.use({ locale });

    test("figures and weeks are those of the reader", async ({ page }) => {
      const [tutor] = (await ask(page, "/api/tutors?limit=1&sort_by=sessions_90d")).data;
      await page.goto(`/tutors/${tutor.external_id}`);
      for (const name of ["Sessions by day", "Let-downs by weekday and hour"]) {
        const table = page.getByRole("table", { name });
        await expect(table.getByText(/^(Mon?|Tue|Die?|Sun|So)$/).first()).toHaveText(first);
      }
      await expect(page.getByRole("table", { name: "Counts by window" })).toContainText(rate);
      await expect(page.getByText("Times are in Europe/Vienna unless another zone is named.")).toHaveCount(1);
      await expect(page.getByRole("region", { name: "What happened" })).not.toContainText(/GMT|CET|MEZ/);
    });
  });
}
