import { ask, atBrowser, expect, expectAccessible, expectFitsTelephone, test } from "./support";

test("a person chooses what to be told, where and when", async ({ browser }) => {
  const page = await atBrowser(browser, "Nora Quiet", "coach");
  await page.getByRole("button", { name: "Account: Nora Quiet" }).click();
  await page.getByRole("menuitem", { name: "Notifications" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Notifications" })).toBeVisible();
  await expect(page.getByLabel("Nowhere")).toBeChecked();
  await page.getByLabel("By mail to nora.quiet@example.org").check();
  await page.getByLabel("A tutor missed a session").check();
  await page.getByLabel(/Quiet hours/).check();
  await page.getByRole("textbox", { name: "From" }).fill("21:30");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved.")).toBeVisible();
  expect((await ask(page, "/api/me/notifications")).data).toMatchObject({
    kinds: ["session.alert"],
    told_by: "mail",
    quiet_from: "21:30",
    quiet_to: "07:00",
    only_own_tutors: true,
  });
  await page.reload();
  await expect(page.getByRole("textbox", { name: "From" })).toHaveValue("21:30");

  // A chat needs its URL, which is never shown again.
  await page.getByLabel("In my own chat").check();
  await page.getByLabel("Apprise URL of the chat").fill("json://127.0.0.1/");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText(/chat_url/)).toBeVisible();
  await page.getByLabel("Apprise URL of the chat").fill("ntfys://ntfy.example.org/nora");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved.")).toBeVisible();
  await expect(page.getByLabel("In ntfy")).toBeChecked();
  await expect(page.getByLabel("Apprise URL of the chat")).toHaveValue("");
  await expectFitsTelephone(page);
  await page.context().close();
});

test("a test of an address that leads nowhere says so", { tag: "@soak" }, async ({ browser }) => {
  test.setTimeout(240_000);
  const page = await atBrowser(browser, "Nora Nowhere", "coach");
  await page.goto("/notifications");
  await page.getByLabel("In my own chat").check();
  await page.getByLabel("Apprise URL of the chat").fill("ntfys://ntfy.example.org/nora");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved.")).toBeVisible();
  // Nobody has this address: the test says so, instead of leaving it to the first alert.
  await page.getByRole("button", { name: "Send me a test" }).click();
  await expect(page.getByText("Test on its way.")).toBeVisible();
  await expect(page.getByText(/The test failed: cannot connect/)).toBeVisible({ timeout: 120_000 });
  await page.context().close();
});

test("a key is nobody who could be notified", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/notifications");
  await expect(page.getByText("API keys receive no notifications.")).toBeVisible();
});
