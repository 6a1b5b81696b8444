import { readFile } from "node:fs/promises";
import { ask, expect, expectAccessible, expectFitsTelephone, test } from "./support";

const rowNames = "tbody [data-row-link]";

test("lists the riskiest first, with interval, counts and trend", async ({ page }) => {
  const { data } = await ask(page, "/api/tutors?limit=50");
  await page.goto("/tutors");
  await expect(page.locator(rowNames).first()).toHaveText(data[0].name);
  const first = page.locator("tbody tr").first();
  await expect(first).toContainText(`${data[0].let_downs_90d} of ${data[0].sessions_90d}`);
  await expect(first.getByRole("img", { name: /in nine of ten cases between/ })).toBeVisible();
  await expect(first.getByRole("img", { name: /in the last 12 weeks/ })).toBeVisible();
});

test("shows tutors without sessions as such, and never as 0%", async ({ page }) => {
  const { data } = await ask(page, "/api/tutors?limit=500&sort_by=sessions_90d&sort_order=asc");
  const idle = data.find((tutor: { sessions_90d: number }) => tutor.sessions_90d === 0);
  expect(idle).toBeDefined();
  await page.goto(`/tutors?search=${idle.external_id}`);
  const row = page.getByRole("row", { name: new RegExp(idle.name) });
  await expect(row).toContainText("no sessions");
  await expect(row).not.toContainText("0.0%");
});

test("keeps filters, order and page in the address, also over a reload and back", async ({ page }) => {
  await page.goto("/tutors");
  await page.getByText("Watch", { exact: true }).first().click();
  await expect(page).toHaveURL("/tutors?risk=watch");
  await page.getByRole("columnheader", { name: "Sessions" }).getByRole("button").click();
  await expect(page).toHaveURL("/tutors?risk=watch&sort=sessions_90d");
  const expected = await ask(page, "/api/tutors?risk_status=watch&sort_by=sessions_90d&sort_order=desc");
  const names = expected.data.map((tutor: { name: string }) => tutor.name);
  await expect(page.locator(rowNames)).toHaveText(names);
  await page.reload();
  await expect(page.locator(rowNames)).toHaveText(names);
  await page.goBack();
  await expect(page).toHaveURL("/tutors?risk=watch");
  await page.goto("/tutors?page=2");
  const second = await ask(page, "/api/tutors?limit=50&offset=50");
  await expect(page.locator(rowNames).first()).toHaveText(second.data[0].name);
});

test("an address that makes no sense shows all tutors", async ({ page }) => {
  await page.goto("/tutors?risk=nonsense&page=-3&sort=drop%20table");
  const { meta } = await ask(page, "/api/tutors?limit=1");
  await expect(page.getByText(`${meta.total} tutors`, { exact: true })).toBeVisible();
});

test("is searched and walked through with the keyboard alone", async ({ page }) => {
  const { data } = await ask(page, "/api/tutors?limit=3");
  await page.goto("/tutors");
  await expect(page.locator(rowNames).first()).toBeVisible();
  await page.keyboard.press("/");
  await page.keyboard.type(data[0].external_id);
  await expect(page.locator(rowNames)).toHaveText([data[0].name]);
  await page.locator(rowNames).first().focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: data[0].name })).toBeVisible();
  await page.goto("/tutors");
  await page.locator(rowNames).first().focus();
  await page.keyboard.press("ArrowDown");
  await expect(page.locator(rowNames).nth(1)).toBeFocused();
});

test("says so when nobody fits, and offers the way back", async ({ page }) => {
  await page.goto("/tutors?search=nobody-is-called-this");
  await expect(page.getByText("No tutor fits these filters")).toBeVisible();
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await expect(page).toHaveURL("/tutors");
  await expect(page.locator(rowNames).first()).toBeVisible();
});

test("a click on a point of the funnel opens the tutor", async ({ page }) => {
  await page.goto("/tutors?risk=high_risk");
  const plot = page.getByRole("img", { name: /tutors by sessions and rate of let-downs/ });
  await expect(plot).toBeVisible();
  const ends = await plot.locator("path[data-tone=high]").evaluate((path) => {
    const start = (path as SVGPathElement).getPointAtLength(0);
    const { x, y } = start.matrixTransform((path as SVGPathElement).getScreenCTM() ?? undefined);
    return { x, y: y + 4 };
  });
  await page.mouse.move(ends.x, ends.y);
  const name = await page.locator("strong").filter({ visible: true }).last().textContent();
  await page.mouse.click(ends.x, ends.y);
  await expect(page.getByRole("heading", { level: 1, name: name ?? "" })).toBeVisible();
});

test("exports every tutor that fits, not only the page", async ({ page }) => {
  const { meta } = await ask(page, "/api/tutors?limit=1&is_active=true");
  await page.goto("/tutors?active=yes");
  const started = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export CSV" }).click();
  const download = await started;
  expect(download.suggestedFilename()).toMatch(/^tutors-\d{4}-\d\d-\d\d\.csv$/);
  const lines = (await readFile(await download.path(), "utf8")).trimEnd().split("\r\n");
  expect(lines[0]).toMatch(/^\uFEFFtutor_id,external_id,name,/);
  expect(lines.length - 1).toBe(meta.total);
});

test("can be used by everybody, and on a telephone", async ({ page }) => {
  await page.goto("/tutors");
  await expect(page.locator(rowNames).first()).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});
