import { ask, expect, expectAccessible, expectFitsTelephone, LABELS, test } from "./support";

test("shows of how many tutors there is which concern, and leads to them", async ({ page }) => {
  const { data } = await ask(page, "/api/overview");
  await page.goto("/overview");
  const tiles = page.getByRole("region", { name: "Active tutors by concern" });
  for (const { concern, tutors, raised_today, cleared_today } of data.concerns) {
    await expect(tiles.getByRole("link", { name: LABELS[concern] })).toContainText(
      `${LABELS[concern]}${tutors}${raised_today} in, ${cleared_today} out today`,
    );
  }
  await expect(tiles.getByRole("link", { name: "Needs attention" })).toContainText(
    `${data.attention}of ${data.active_tutors} active tutors · ${data.attention_began_today} in, ${data.attention_ended_today} out today`,
  );
  await tiles.getByRole("link", { name: LABELS.unreliable }).click();
  await expect(page).toHaveURL(/\/tutors\?concern=unreliable&active=yes$/);
  const shown = data.concerns.find(({ concern }: { concern: string }) => concern === "unreliable").tutors;
  await expect(page.getByText(`${shown} tutors matching the filters`)).toBeVisible();
});

test("lists the concerns that were raised last, and leads to the tutor", { tag: "@soak" }, async ({
  page,
}) => {
  const { data } = await ask(page, "/api/overview");
  const [newest] = data.newest_concerns;
  await page.goto("/overview");
  const first = page.getByRole("region", { name: "Newest concerns" }).getByRole("link").first();
  await expect(first).toContainText(newest.name);
  await expect(first).toContainText(LABELS[newest.concern] ?? "");
  await first.click();
  await expect(page.getByRole("heading", { level: 1, name: newest.name })).toBeVisible();
  await expect(page.getByRole("article", { name: LABELS[newest.concern] })).toContainText("Raised since");
});

test("shows the rates of the platform as the API has them", { tag: "@soak" }, async ({ page }) => {
  const { data } = await ask(page, "/api/overview");
  await page.goto("/overview");
  const platform = page.getByRole("region", { name: "Platform" });
  await expect(platform).toContainText(`${(data.platform.let_down_rate_90d * 100).toFixed(1)}%`);
  await expect(platform.getByRole("img", { name: /Let-downs by week/ })).toBeVisible();
  await platform.getByText("Rating", { exact: true }).click();
  await expect(platform.getByRole("img", { name: /Rating by week/ })).toBeVisible();
});

test("says of the newest week that it is not over, and nothing of one that is", { tag: "@soak" }, async ({
  page,
}) => {
  const openOn = async (days: number) => {
    const { data, meta } = await ask(page, "/api/overview");
    const first = Date.parse(data.weeks.at(-1).week_start);
    meta.as_of = new Date(first + (days - 1) * 86_400_000).toISOString().slice(0, 10);
    await page.route("**/api/overview", (route) => route.fulfill({ json: { data, meta } }));
    await page.goto("/overview");
    await expect(page.getByRole("img", { name: /Let-downs by week/ })).toBeVisible();
    await page.getByText("Sessions", { exact: true }).first().click();
  };
  await openOn(3);
  await expect(page.getByText("Hatched: this week so far, 3 of 7 days")).toBeVisible();
  await expect(
    page.getByRole("img", { name: /Newest week \(this week so far, 3 of 7 days\)/ }),
  ).toBeVisible();
  await page.unroute("**/api/overview");
  await openOn(7);
  await expect(page.getByRole("img", { name: /Newest week: Sessions/ })).toBeVisible();
  await expect(page.getByText(/so far, \d of 7 days/)).toHaveCount(0);
});

test("says how fresh the scores are", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/overview");
  await expect(page.getByText(/Scores as of \d+ \w+ \d{4}, updated/)).toBeVisible();
});

test("can be used by everybody, and on a telephone", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/overview");
  await expect(page.getByRole("img", { name: /Let-downs by week/ })).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});
