import type { Locator, Page } from "@playwright/test";
import { ask, atBrowser, expect, expectAccessible, expectFitsTelephone, LABELS, test } from "./support";

/** A what-if waits for the runs in progress, and so does what was applied. */
const ANSWERED = { timeout: 240_000 };

test.describe.configure({ timeout: 480_000 });

async function open(page: Page): Promise<{ limit: Locator; show: Locator }> {
  await page.goto("/");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "What if" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "What if?" })).toBeVisible();
  await expect(page.getByText("No replay yet")).toBeVisible();
  return {
    limit: page.getByRole("group", { name: "Let-down limit" }),
    show: page.getByRole("button", { name: "Show what changes" }),
  };
}

test("settings are turned by hand and by key; turned back, they are no change", async ({ page }) => {
  const { limit, show } = await open(page);
  await expect(show).toBeDisabled();
  await limit.getByRole("textbox").fill("8");
  await expect(page.getByText("1 setting changed")).toBeVisible();
  await expect(limit.getByText("now 15%")).toBeVisible();
  await limit.getByRole("slider").press("ArrowRight");
  await expect(limit.getByRole("textbox")).toHaveValue("9%");
  await page.getByRole("button", { name: "Reset" }).click();
  await expect(show).toBeDisabled();
});

test("a lead looks, an admin applies, and the audit log says so", { tag: "@soak" }, async ({
  page,
  browser,
}) => {
  const lead = await atBrowser(browser, "Wanda Iff", "lead");
  const { limit, show } = await open(lead);
  await limit.getByRole("textbox").fill("8");
  await show.click();

  await expect(lead.getByText("Replaying")).toBeVisible();
  await expect(lead.getByRole("heading", { name: "With these settings" })).toBeVisible(ANSWERED);
  await expect(lead.getByRole("list", { name: "Changed settings" })).toContainText(
    "Let-down limit: 15% → 8%",
  );
  const answer = await ask(lead, `/api/what-if/${new URL(lead.url()).searchParams.get("answer")}`);
  const { today } = answer.data.result;
  expect(today.raised_then).toBeGreaterThan(today.raised_now);
  const [first] = today.changes;
  const changes = lead.getByRole("table", { name: "Raised or cleared today" });
  await expect(changes.getByRole("row").nth(1)).toContainText(first.name);
  await expect(changes.getByRole("row").nth(1)).toContainText(LABELS[first.concern] ?? "");
  // Leads look; admins apply.
  await expect(lead.getByText("Only admins can apply settings")).toBeVisible();
  await expect(lead.getByRole("button", { name: "Apply…" })).toHaveCount(0);
  await expectAccessible(lead);
  await expectFitsTelephone(lead);

  // One that changes little for the other tests of this installation.
  await page.goto("/what-if");
  await page.getByRole("button", { name: "Least data" }).click();
  await page.getByRole("group", { name: "Ratings in 180 days" }).getByRole("textbox").fill("6");
  await page.getByRole("button", { name: "Show what changes" }).click();
  await page.getByRole("button", { name: "Apply…" }).click(ANSWERED);
  const dialog = page.getByRole("dialog", { name: "Apply these settings?" });
  await dialog.getByLabel("Why").fill("Agreed on Monday");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Apply settings" }).click();
  const applied = page.getByRole("table", { name: "Applied settings" });
  await expect(applied.getByRole("row").nth(1)).toContainText("Ratings in 180 days 6 sessions");
  await expect(applied.getByRole("row").nth(1)).toContainText("Agreed on Monday");
  const waits = page.getByText("Applied settings take effect with the next run.");
  await expect(waits).toBeVisible();
  // The run that takes it over begins by itself.
  await expect(waits).toBeHidden(ANSWERED);
  const { data } = await ask(page, "/api/scoring-settings");
  const needed = data.settings.find((each: { name: string }) => each.name === "ratings_needed");
  expect([needed.configured, needed.value, needed.published]).toEqual([5, 6, 6]);

  await page.goto("/audit?action=scoring.apply");
  await expect(page.getByRole("table").getByRole("row").nth(1)).toContainText("Scoring settings applied");
  await page.goto("/what-if");
  await page.getByRole("button", { name: "Restore configured settings" }).click();
  await expect(applied.getByRole("row").nth(1)).toContainText("None: all as configured");
  await expect(page.getByRole("button", { name: "Restore configured settings" })).toHaveCount(0);
});
