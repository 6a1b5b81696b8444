import { ask, expect, expectAccessible, expectFitsTelephone, test } from "./support";

test("shows how many tutors have which status, and leads to them", async ({ page }) => {
  const { data } = await ask(page, "/api/overview");
  await page.goto("/");
  const tiles = page.getByRole("region", { name: "Active tutors by status" });
  for (const { risk_status, tutors } of data.risk_status) {
    const label = {
      high_risk: "High risk",
      watch: "Watch",
      ok: "Fine",
      insufficient_data: "Too few sessions",
    }[risk_status as string];
    await expect(tiles.getByRole("link", { name: label })).toContainText(String(tutors));
  }
  await tiles.getByRole("link", { name: "High risk" }).click();
  await expect(page).toHaveURL(/\/tutors\?risk=high_risk&active=yes$/);
});

test("shows the rates of the platform as the API has them", async ({ page }) => {
  const { data } = await ask(page, "/api/overview");
  await page.goto("/");
  const platform = page.getByRole("region", { name: "Platform" });
  await expect(platform).toContainText(`${(data.platform.let_down_rate_90d * 100).toFixed(1)}%`);
  await expect(platform.getByRole("img", { name: /Let-downs by week/ })).toBeVisible();
  await platform.getByText("Rating", { exact: true }).click();
  await expect(platform.getByRole("img", { name: /Rating by week/ })).toBeVisible();
});

test("says how fresh the scores are", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByText(/Scores as of \d+ \w+ \d{4}, updated/)).toBeVisible();
});

test("can be used by everybody, and on a telephone", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("img", { name: /by week/ })).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});
