import { ask, expect, expectAccessible, expectFitsTelephone, test } from "./support";

test("compares groups as the API has them, in words and in tables", async ({ page }) => {
  const { data } = await ask(page, "/api/fairness");
  await page.goto("/fairness");
  await expect(page.getByRole("heading", { level: 1, name: "Are tutors treated alike?" })).toBeVisible();
  const words = page.getByRole("list", { name: "Summary" });
  for (const sentence of data.sentences) await expect(words).toContainText(sentence);
  const panel = page.getByRole("region", { name: "Tutors with a concern raised" });
  const shown = data.raised.filter(({ is_too_few }: { is_too_few: boolean }) => !is_too_few);
  await expect(panel.locator("tbody tr")).toHaveCount(shown.length);
  for (const { label, q_value, is_difference } of shown) {
    const row = panel.locator("tbody tr").filter({ has: page.getByRole("rowheader", { name: label }) });
    if (q_value !== null)
      await expect(row).toContainText(is_difference ? "More than chance" : "May be chance");
  }
  for (const { label, tutors, is_too_few } of data.raised)
    if (is_too_few) await expect(panel).toContainText(`${label} (${tutors})`);
});

test("is in the menu, and can be used by everybody who leads, and on a telephone", { tag: "@soak" }, async ({
  page,
}) => {
  await page.goto("/");
  await page.getByRole("navigation", { name: "Pages" }).getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Fairness" }).click();
  await expect(page).toHaveURL("/fairness");
  await expect(page.getByRole("region", { name: "Excuses by person" })).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});
