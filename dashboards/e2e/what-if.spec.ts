import { ask, atBrowser, expect, expectAccessible, expectFitsTelephone, LABELS, test } from "./support";

/** A what-if waits for the runs in progress, and so does what was applied. */
const ANSWERED = { timeout: 240_000 };

test.describe.configure({ timeout: 480_000 });

test("a lead looks, an admin applies, and the audit log says so", async ({ page, browser }) => {
  const lead = await atBrowser(browser, "Wanda Iff", "lead");
  await lead.goto("/");
  await lead.getByRole("button", { name: "More" }).click();
  await lead.getByRole("menuitem", { name: "What if" }).click();
  await expect(lead.getByRole("heading", { level: 1, name: "What if?" })).toBeVisible();
  await expect(lead.getByText("No replay yet")).toBeVisible();
  const show = lead.getByRole("button", { name: "Show what changes" });
  await expect(show).toBeDisabled();

  // Turned by hand and by key; turned back, it is no change.
  const limit = lead.getByRole("group", { name: "Let-down limit" });
  await limit.getByRole("textbox").fill("8");
  await expect(lead.getByText("1 setting changed")).toBeVisible();
  await expect(limit.getByText("now 15%")).toBeVisible();
  await limit.getByRole("slider").press("ArrowRight");
  await expect(limit.getByRole("textbox")).toHaveValue("9%");
  await lead.getByRole("button", { name: "Reset" }).click();
  await expect(show).toBeDisabled();
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
