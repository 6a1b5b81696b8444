import {
  ask,
  atBrowser,
  expect,
  expectAccessible,
  expectFitsTelephone,
  expectMailAccessible,
  logIn,
  type Page,
  READ_KEY,
  test,
} from "./support";

const KINDS = [
  "Session report",
  "Risk alert",
  "Daily digest",
  "Weekly report",
  "Tutor snapshot",
  "Alert",
  "Log-in link",
  "Notification",
  "Appeal received",
  "Answer to an appeal",
  "Appeal reminder",
];
const card = (page: Page, title: string) => page.getByRole("region", { name: title, exact: true });

test("a card for each kind says to whom it goes, and when next", { tag: "@soak" }, async ({ page }) => {
  const { data } = await ask(page, "/api/reports/kinds");
  await page.goto("/messages");
  const cards = page.getByRole("list", { name: "Kinds of mail" }).getByRole("heading", { level: 2 });
  await expect(cards).toHaveText(KINDS);
  const weekly = data.find(({ kind }: { kind: string }) => kind === "weekly_report");
  await expect(card(page, "Weekly report")).toContainText(weekly.recipients[0]);
  await expect(card(page, "Weekly report")).toContainText(/Mon \d+|Mon, /);
  await expect(card(page, "Risk alert")).toContainText("when it happens");
  await expect(card(page, "Log-in link")).toContainText("TUTORQ_MAIL_PROVIDER is file");
  await expect(card(page, "Log-in link").getByRole("button")).toHaveCount(0);
  await expectAccessible(page);
  await expectFitsTelephone(page);
});

test("a preview is made of real figures, wide, narrow and as text", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/messages");
  await card(page, "Weekly report").getByRole("button", { name: "Preview: Weekly report" }).click();
  const dialog = page.getByRole("dialog");
  const frame = dialog.locator("iframe");
  await expect(frame.contentFrame().getByRole("heading", { level: 1 })).toHaveText(/^Week \d+: /);
  await expect(frame.contentFrame().getByRole("heading", { name: "Let-downs by week" })).toBeVisible();
  expect((await frame.boundingBox())?.width).toBe(600);
  await dialog.getByText("Phone", { exact: true }).click();
  await expect.poll(async () => (await frame.boundingBox())?.width).toBe(360);
  await expect(frame.contentFrame().getByRole("heading", { level: 1 })).toBeVisible();
  await expect
    .poll(() =>
      frame
        .contentFrame()
        .locator("html")
        .evaluate((html) => html.scrollWidth - html.clientWidth),
    )
    .toBe(0);
  await dialog.getByText("Text", { exact: true }).click();
  await expect(dialog.locator("pre")).toContainText("Let-downs by week");
  await expect(page).toHaveURL("/messages?preview=weekly_report");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(page).toHaveURL("/messages");
});

test("mails can be read by everybody, light and dark, and on a phone", { tag: "@soak" }, async ({ page }) => {
  const { data } = await ask(page, "/api/reports/kinds");
  for (const { kind, has_preview } of data) {
    if (!has_preview) continue;
    const { data: preview } = await ask(page, `/api/reports/kinds/${kind}/preview`);
    if (!preview.mail) continue;
    // Without its policy, which keeps the tester's scripts out, too.
    await page.setContent(preview.mail.html);
    for (const width of [600, 360]) {
      await page.setViewportSize({ width, height: 800 });
      const over = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(over, `${kind} at ${width}`).toBe(0);
    }
    await expectMailAccessible(page, kind);
  }
});

test("a person mails themselves a test, and finds it in the log", { tag: "@soak" }, async ({ browser }) => {
  const page = await atBrowser(browser, "Tessa Test", "lead");
  await page.goto("/messages");
  await card(page, "Alert").getByRole("button", { name: "Send me a test: Alert" }).click();
  await expect(page.getByText("Test queued for tessa.test@example.org: Alert")).toBeVisible();
  const mine = page.getByRole("row", { name: /^Test: tutorq: / }).first();
  await expect(mine).toBeVisible();
  // The job that sends mail takes it, and puts it into a file.
  await expect(mine.getByText("Written to file", { exact: true })).toBeVisible({ timeout: 60_000 });
  await mine.getByRole("button").click();
  const frame = page.getByRole("dialog").locator("iframe").contentFrame();
  await expect(frame.getByText(/^This is a test with/)).toBeVisible();
  await page.context().close();
});

test("a key cannot mail itself", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/messages");
  await expect(card(page, "Alert").getByRole("button", { name: "Preview: Alert" })).toBeVisible();
  await expect(page.getByRole("button", { name: /^Send me a test/ })).toHaveCount(0);
});

test("the old address leads here, with its filters", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/reports?state=failed&kind=alert");
  await expect(page).toHaveURL("/messages?state=failed&kind=alert");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Messages");
});

test("lists mail with its state, and shows each as it was sent", async ({ page }) => {
  await page.goto("/messages?state=sent");
  const { data } = await ask(page, "/api/reports?state=sent");
  const sent = data.find((report: { has_body: boolean }) => report.has_body);
  await page.getByRole("button", { name: sent.subject }).first().click();
  const mail = page.getByRole("dialog");
  await expect(mail.getByRole("heading", { name: sent.subject })).toBeVisible();
  await expect(mail).toContainText("@");
  await expect(mail.locator("iframe").contentFrame().locator("body")).not.toBeEmpty();
  await page.keyboard.press("Escape");
  await expect(mail).toBeHidden();
});

test("filters stand in the address", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/messages?state=failed&kind=alert");
  await expect(page.getByText("No messages match these filters")).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(page).toHaveURL("/messages");
  await page.getByRole("searchbox", { name: "Recipient" }).fill("nobody.at.all");
  await expect(page).toHaveURL("/messages?to=nobody.at.all");
  await expect(page.getByText("No messages match these filters")).toBeVisible();
});

test("addresses are for admins", { tag: "@soak" }, async ({ page }) => {
  await logIn(page, READ_KEY);
  const { data } = await ask(page, "/api/reports");
  await page.goto("/messages?to=example");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await expect(page.getByRole("searchbox", { name: "Recipient" })).toHaveCount(0);
  expect(data[0].recipient).toMatch(/^.…@/);
  // Neither are settings, nor addresses that mail cannot reach.
  const cards = page.getByRole("list", { name: "Kinds of mail" });
  await expect(card(page, "Log-in link")).toContainText("Mail is not set up yet");
  await expect(cards).not.toContainText("TUTORQ_");
  await expect(cards).not.toContainText("@localhost");
});

test("the log can be used by everybody, and on a telephone", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/messages?state=sent");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await expectAccessible(page);
  await page.locator("tbody button").first().click();
  await expect(page.getByRole("dialog").getByRole("heading", { level: 2 }).last()).toBeVisible();
  // Mails have a test of their own, and the frame lets nothing in.
  await page.locator("iframe").evaluate((frame) => frame.remove());
  await expectAccessible(page);
  await page.goto("/messages");
  await expectFitsTelephone(page);
});
