import { readFile } from "node:fs/promises";
import { ask, expect, expectAccessible, expectFitsTelephone, LABELS, test } from "./support";

interface Row {
  name: string;
  loses_new_students_probability: number;
  let_down_rate_90d: number;
  sessions_90d: number;
  concerns: string[];
}

const labelled = ({ concerns }: Row) => concerns.map((concern) => LABELS[concern]).join(", ");

const rowNames = "tbody [data-row-link]";

test("lists the most urgent first, with interval, counts and trend", async ({ page }) => {
  const { data } = await ask(page, "/api/tutors?limit=50&sort_by=attention");
  await page.goto("/tutors");
  await expect(page.locator(rowNames).first()).toHaveText(data[0].name);
  const first = page.locator("tbody tr").first();
  await expect(first).toContainText(`${data[0].let_downs_90d} of ${data[0].sessions_90d}`);
  await expect(first.getByRole("img", { name: /90% likely between/ })).toBeVisible();
  await expect(first.getByRole("img", { name: /in the last 12 weeks/ })).toBeVisible();
});

test("shows tutors without sessions as such, and never as 0%", { tag: "@soak" }, async ({ page }) => {
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
  await page.getByRole("group", { name: "Concerns" }).getByText("Unreliable").click();
  await expect(page).toHaveURL("/tutors?concern=unreliable");
  await page.getByRole("columnheader", { name: "Let-downs, 90 days" }).getByRole("button").click();
  await expect(page).toHaveURL("/tutors?concern=unreliable&sort=let_down_rate_expected");
  const expected = await ask(page, "/api/tutors?concern=unreliable&sort_by=let_down_rate_expected");
  const names = expected.data.map((tutor: { name: string }) => tutor.name);
  await expect(page.locator(rowNames)).toHaveText(names);
  await page.reload();
  await expect(page.locator(rowNames)).toHaveText(names);
  await page.goBack();
  await expect(page).toHaveURL("/tutors?concern=unreliable");
  await page.goto("/tutors?page=2");
  const second = await ask(page, "/api/tutors?limit=50&offset=50&sort_by=attention");
  await expect(page.locator(rowNames).first()).toHaveText(second.data[0].name);
});

test("an address that makes no sense shows all tutors", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/tutors?concern=nonsense&page=-3&sort=drop%20table");
  const { meta } = await ask(page, "/api/tutors?limit=1");
  await expect(page.getByText(`${meta.total} tutors`, { exact: true })).toBeVisible();
});

test("filters by several concerns, and shows how likely the first of them is", { tag: "@soak" }, async ({
  page,
}) => {
  const query = "concern=loses_new_students&concern=low_ratings&sort_by=attention&limit=500";
  const { data, meta } = await ask(page, `/api/tutors?${query}`);
  await page.goto("/tutors");
  const chips = page.getByRole("group", { name: "Concerns" });
  await chips.getByText("Loses new students").click();
  await chips.getByText("Low ratings").click();
  await expect(page).toHaveURL("/tutors?concern=loses_new_students,low_ratings");
  await expect(page.getByText(`${meta.total} tutors matching the filters`)).toBeVisible();
  const first = page.locator("tbody tr").first();
  for (const concern of data[0].concerns) await expect(first).toContainText(LABELS[concern] ?? "");
  await page.getByRole("columnheader", { name: "Probability" }).getByRole("button").click();
  await expect(page).toHaveURL(/&sort=loses_new_students_probability$/);
  const likeliest = data.toSorted(
    (one: Row, other: Row) => other.loses_new_students_probability - one.loses_new_students_probability,
  );
  await expect(page.locator("tbody tr").first()).toContainText(
    likeliest[0].loses_new_students_probability > 0.99
      ? "> 99%"
      : `${Math.round(likeliest[0].loses_new_students_probability * 100)}%`,
  );
});

test("a tutor is fine only if no concern is raised", { tag: "@soak" }, async ({ page }) => {
  const { data } = await ask(page, "/api/tutors?risk_status=ok&attention=true&limit=1");
  expect(data).toHaveLength(1);
  await page.goto(`/tutors?search=${data[0].external_id}`);
  const row = page.getByRole("row", { name: new RegExp(data[0].name) });
  await expect(row).toContainText(LABELS[data[0].concerns[0]] ?? "");
  await expect(row).not.toContainText("Fine");
});

test("is sorted on a telephone", { tag: "@soak" }, async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto("/tutors");
  await page.getByRole("combobox", { name: "Sort by" }).click();
  await page.getByRole("option", { name: "Low ratings" }).click();
  const { data } = await ask(page, "/api/tutors?limit=1&sort_by=low_ratings_probability");
  await expect(page.locator(rowNames).first()).toHaveText(data[0].name);
  await page.getByRole("button", { name: "Sort ascending" }).click();
  await expect(page).toHaveURL("/tutors?sort=low_ratings_probability&order=asc");
});

test("a search needs no accents", { tag: "@soak" }, async ({ page }) => {
  const { data } = await ask(page, "/api/tutors?limit=500");
  const accented = data.find(({ name }: Row) => /[áéíóúñçöü]/.test(name));
  const plain = accented.name.normalize("NFD").replace(/[\u0300-\u036f]/g, "");
  await page.goto("/tutors");
  await page.getByRole("searchbox", { name: "Search by name or id" }).fill(plain.toLowerCase());
  await expect(page.locator(rowNames).first()).toHaveText(accented.name);
});

test("is searched and walked through with the keyboard alone", { tag: "@soak" }, async ({ page }) => {
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

test("says so when nobody fits, and offers the way back", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/tutors?search=nobody-is-called-this");
  await expect(page.getByText("No tutors match these filters")).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(page).toHaveURL("/tutors");
  await expect(page.locator(rowNames).first()).toBeVisible();
});

test("a click on a point of the funnel opens the tutor", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/tutors?attention=yes");
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

test("the funnel is gone through with the keyboard: each tutor with figures, and Enter opens", {
  tag: "@soak",
}, async ({ page }) => {
  const { data } = await ask(page, "/api/funnel?attention=true");
  const [first, second] = data.points.toSorted(
    (one: Row, other: Row) => other.let_down_rate_90d - one.let_down_rate_90d,
  );
  const named = ({ name, let_down_rate_90d, sessions_90d }: Row) =>
    `${name}: ${(let_down_rate_90d * 100).toFixed(1)}% of ${sessions_90d} sessions, `;
  await page.goto("/tutors?attention=yes");
  const plot = page.getByRole("region", { name: "Tutors on the plot" });
  await expect(plot.getByRole("link")).toHaveCount(1);
  await page.getByRole("table", { name: "Tutors" }).getByRole("link").last().focus();
  // The table has pages on days with many concerns.
  for (let stops = 0; stops < 8 && !(await plot.locator("a:focus").count()); stops++)
    await page.keyboard.press("Tab");
  const focused = plot.locator("a:focus");
  await expect(focused).toHaveAccessibleName(`${named(first)}${labelled(first)}. 1 of ${data.points.length}`);
  await page.keyboard.press("ArrowRight");
  await expect(focused).toHaveAccessibleName(
    `${named(second)}${labelled(second)}. 2 of ${data.points.length}`,
  );
  await expect(page.locator("strong").filter({ hasText: second.name }).last()).toBeVisible();
  await page.keyboard.press("End");
  await expect(focused).toHaveAccessibleName(new RegExp(`${data.points.length} of ${data.points.length}$`));
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: first.name })).toBeVisible();
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

test("can be used by everybody, and on a telephone", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/tutors");
  await expect(page.locator(rowNames).first()).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});
