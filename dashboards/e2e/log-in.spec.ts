import { execFileSync } from "node:child_process";
import { test as anonymous } from "@playwright/test";
import { ADMIN_KEY, expect, expectAccessible, test } from "./support";

anonymous("a pasted key logs in, and leads to the page that was asked for", async ({ page }) => {
  await page.goto("/tutors?risk=watch");
  await page.getByLabel("API key").fill("tq_wrong_key");
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByText("The key is unknown or revoked.")).toBeVisible();
  await page.getByLabel("API key").fill(ADMIN_KEY);
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByRole("heading", { name: "Tutors" })).toBeVisible();
  await expect(page).toHaveURL("/tutors?risk=watch");
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ name: "tutorq_session", httpOnly: true, sameSite: "Strict" });
  expect(
    await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie),
  ).not.toContain("tq_");
});

anonymous("a one-time link logs in once", async ({ page, browser }) => {
  const command = ["-m", "cli.app", "login-link"];
  const link = execFileSync("python", command, { encoding: "utf8" }).match(/http\S+/)?.[0] ?? "";
  await page.goto(link);
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  expect(page.url()).not.toContain("token");
  const other = await browser.newPage();
  await other.goto(link);
  await expect(other.getByText("The link has been used, or is too old.")).toBeVisible();
  await other.close();
});

test("log-out forgets what was seen", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Your log-in" }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await expect(page.getByRole("heading", { name: "Log in to tutorq" })).toBeVisible();
  expect((await page.request.get("/api/overview")).status()).toBe(401);
});

anonymous("can be used by everybody", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByLabel("API key")).toBeVisible();
  await expectAccessible(page);
});
