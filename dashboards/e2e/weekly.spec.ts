import { ask, expect, expectAccessible, expectFitsTelephone, test } from "./support";

test("tells the last whole week, and leads to those beside it", async ({ page }) => {
  const { data } = await ask(page, "/api/weekly-report");
  await page.goto("/weekly");
  const title = page.getByRole("heading", { level: 1 });
  await expect(title).toHaveText(`Week ${data.week.number}`);
  const trend = page.getByRole("table", { name: "Let-downs by week" });
  await expect(trend.locator("tbody tr")).toHaveCount(12);
  const words = page.getByRole("region", { name: "Summary" });
  for (const paragraph of data.narrative.paragraphs) await expect(words).toContainText(paragraph);
  const calibration = page.getByRole("region", { name: "Were the flags right?" });
  const { raised, forecasts } = data.calibration.totals;
  await expect(calibration).toContainText(`Of ${raised.toLocaleString("en-GB")} check`);
  await expect(calibration).toContainText(`${forecasts.toLocaleString("en-GB")} forecast`);
  const { data: before } = await ask(page, `/api/weekly-report?week=${data.previous}`);
  await page.getByRole("link", { name: "Previous week" }).click();
  await expect(page).toHaveURL(`/weekly?week=${data.previous}`);
  await expect(title).toHaveText(`Week ${before.week.number}`);
  await page.getByRole("link", { name: "Next week" }).click();
  await expect(title).toHaveText(`Week ${data.week.number}`);
  await page.getByRole("link", { name: "Next week" }).click();
  await expect(page.getByText(/, so far: as of /)).toBeVisible();
  await expect(page.getByRole("button", { name: "Next week" })).toBeDisabled();
});

test("an address that names no week shows the last one", { tag: "@soak" }, async ({ page }) => {
  const { data } = await ask(page, "/api/weekly-report");
  await page.goto("/weekly?week=soon");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(`Week ${data.week.number}`);
});

test("can be used by everybody, and on a telephone", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/weekly");
  await expect(page.getByRole("table", { name: "Let-downs by week" })).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});

test("prints on white paper without menus and buttons, from the dark page, too", { tag: "@soak" }, async ({
  page,
}) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto("/weekly");
  await expect(page.getByRole("table", { name: "Let-downs by week" })).toBeVisible();
  await page.setViewportSize({ width: 794, height: 1123 });
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  await expect(page.getByRole("navigation")).toBeHidden();
  await expect(page.getByRole("button", { name: "Print" })).toBeHidden();
  const colours = await page.evaluate(() => ({
    paper: getComputedStyle(document.body).backgroundColor,
    text: getComputedStyle(document.querySelector("h1") as Element).color,
  }));
  expect(colours).toEqual({ paper: "rgb(255, 255, 255)", text: "rgb(26, 32, 48)" });
  const over = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(over).toBe(0);
});
