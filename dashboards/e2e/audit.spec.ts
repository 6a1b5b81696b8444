import { ask, expect, expectAccessible, expectFitsTelephone, logIn, READ_KEY, test } from "./support";

test("lists who did what, the newest first", async ({ page }) => {
  const { data, meta } = await ask(page, "/api/audit?action=log_in&limit=1");
  expect(meta.total).toBeGreaterThan(0);
  await page.goto("/");
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Audit log" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Audit log");
  await page.goto(`/audit?action=log_in&actor=${encodeURIComponent(data[0].actor)}`);
  const row = page.locator("tbody tr");
  await expect(row).toHaveCount(1);
  await expect(row).toContainText("Logged in");
  await expect(row).toContainText(data[0].actor);
  await expect(row).toContainText("address: 127.0.0.1");
});

test("a refused log-in is told with its address", { tag: "@soak" }, async ({ page }) => {
  const refused = await page.request.post("/api/auth/session", { data: { token: "x".repeat(43) } });
  expect([401, 429]).toContain(refused.status());
  await expect
    .poll(async () => (await ask(page, "/api/audit?action=log_in.refused")).meta.total, { timeout: 60_000 })
    .toBeGreaterThan(0);
  await page.goto("/audit?action=log_in.refused");
  await expect(page.locator("tbody tr").first()).toContainText("unknown (127.0.0.1)");
});

test("filters stand in the address, and can be cleared", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/audit");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await page.getByLabel("Who").fill("nobody of this name");
  await expect(page.getByText("No entries match these filters")).toBeVisible();
  await expect(page).toHaveURL(/actor=nobody/);
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(page).toHaveURL("/audit");
  await page.getByRole("combobox", { name: "Action" }).click();
  await page.getByRole("option", { name: "Log-in link created" }).click();
  await expect(page).toHaveURL("/audit?action=login_link.create");
  await expect(page.locator("tbody tr").first()).toContainText("command line");
  await page.goto("/audit?to=2020-01-01");
  await expect(page.getByText("No entries match these filters")).toBeVisible();
});

test("an export is noted", { tag: "@soak" }, async ({ page }) => {
  const before = (await ask(page, "/api/audit?action=export")).meta.total;
  await page.goto("/tutors");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export CSV" }).click();
  await download;
  const { data, meta } = await ask(page, "/api/audit?action=export");
  expect(meta.total).toBeGreaterThan(before);
  expect(data[0].subject_id).toBe("tutors");
});

test("is for admins", { tag: "@soak" }, async ({ page }) => {
  await logIn(page, READ_KEY);
  await page.goto("/audit");
  await expect(page.getByText("Needs the admin role")).toBeVisible();
  await page.getByRole("button", { name: "More", exact: true }).click();
  await expect(page.getByRole("menuitem", { name: "Messages" })).toBeVisible();
  await expect(page.getByRole("menuitem", { name: "Audit log" })).toHaveCount(0);
  expect((await page.request.get("/api/audit")).status()).toBe(403);
});

test("can be used by everybody, and on a telephone", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/audit");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});
