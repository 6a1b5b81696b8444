import { ask, expect, expectAccessible, expectFitsTelephone, logIn, READ_KEY, test } from "./support";

test("lists mail with its state, and shows each as it was sent", async ({ page }) => {
  const { data, meta } = await ask(page, "/api/reports");
  expect(meta.total).toBeGreaterThan(0);
  const sent = data.find((report: { has_body: boolean }) => report.has_body);
  await page.goto("/reports");
  await expect(page.locator("tbody tr")).toHaveCount(Math.min(50, meta.total));
  await page.getByRole("button", { name: sent.subject }).first().click();
  const mail = page.getByRole("dialog");
  await expect(mail.getByRole("heading", { name: sent.subject })).toBeVisible();
  await expect(mail).toContainText("@");
  await expect(mail.locator("iframe").contentFrame().locator("body")).not.toBeEmpty();
  await page.keyboard.press("Escape");
  await expect(mail).toBeHidden();
});

test("filters stand in the address", async ({ page }) => {
  await page.goto("/reports?state=failed&kind=alert");
  await expect(page.getByText("No such mail")).toBeVisible();
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await expect(page).toHaveURL("/reports");
});

test("addresses are for admins", async ({ page }) => {
  await logIn(page, READ_KEY);
  const { data } = await ask(page, "/api/reports");
  await page.goto("/reports");
  await expect(page.locator("tbody tr").first()).toContainText(data[0].recipient);
  expect(data[0].recipient).toMatch(/^.…@/);
});

test("can be used by everybody, and on a telephone", async ({ page }) => {
  await page.goto("/reports");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await expectAccessible(page);
  await page.locator("tbody button").first().click();
  await expect(page.getByRole("dialog").getByRole("heading", { level: 2 }).last()).toBeVisible();
  // The mail itself is not ours to judge, and its frame lets nothing in.
  await page.locator("iframe").evaluate((frame) => frame.remove());
  await expectAccessible(page);
  await page.goto("/reports");
  await expectFitsTelephone(page);
});
