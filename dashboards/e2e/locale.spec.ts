import { ask, expect, test } from "./support";

for (const { locale, first, rate, day, tag } of [
  { locale: "en-US", first: "Sun", rate: /\d\.\d%/, day: /since \w+ \d+, 20\d\d/, tag: "@soak" },
  { locale: "de-DE", first: "Mo", rate: /\d,\d\s%/, day: /since \d+\. \p{L}+ 20\d\d/u, tag: [] },
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
      // The API's sentences, too.
      const [urgent] = (await ask(page, "/api/tutors?limit=1&sort_by=attention")).data;
      await page.goto(`/tutors/${urgent.external_id}`);
      const concerns = page.getByRole("region", { name: "Concerns", exact: true });
      await expect(concerns.getByText(/^Needs attention/)).toContainText(day);
      await expect(page.getByText("Times are in Europe/Vienna unless another zone is named.")).toHaveCount(1);
      await expect(page.getByRole("region", { name: "What happened" })).not.toContainText(/GMT|CET|MEZ/);
    });
  });
}
