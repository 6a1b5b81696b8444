import { ask, expect, expectAccessible, expectFitsTelephone, type Page, test } from "./support";

const region = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

/** The chart of a panel, its sentence and the rows of its unfolded table. */
async function chartOf(page: Page, title: string) {
  const panel = region(page, title);
  const figure = panel.locator("figure[role=img]");
  await expect(figure).toBeVisible();
  await panel.getByText("Show the figures").click();
  const rows = panel.getByRole("table").locator("tbody tr");
  await expect(rows.first()).toBeVisible();
  return { panel, rows, label: (await figure.getAttribute("aria-label")) ?? "" };
}

const percent = (share: number | null) => (share === null ? "–" : `${(share * 100).toFixed(0)}%`);
const number = (count: number) => count.toLocaleString("en-GB");

test("the overview says who came to need attention, and with how much notice sessions are called off", async ({
  page,
}) => {
  await page.goto("/overview");
  const { data } = await ask(page, "/api/platform");
  const flow = region(page, "Needs attention: in and out");
  const last = data.attention_weeks.findLast((week: { is_complete: boolean }) => week.is_complete);
  if (last) {
    const { rows, label } = await chartOf(page, "Needs attention: in and out");
    await expect(rows).toHaveCount(data.attention_weeks.length);
    expect(label).toContain(`${number(last.began)} tutor`);
    expect(label).toContain(`${number(data.attention_weeks.at(-1).tutors)} tutor`);
  } else {
    await expect(flow).toContainText("No full week yet");
  }
  const { rows, label } = await chartOf(page, "Notice of moves and cancellations");
  const { totals, bands } = data.notice;
  expect(label).toContain(
    `${number(totals.short)} of ${number(totals.called_off - totals.unknown)} sessions with less than 24 hours`,
  );
  await expect(rows).toHaveCount(bands.length);
  for (const [place, band] of bands.entries()) {
    await expect(rows.nth(place)).toContainText(number(band.moved));
    await expect(rows.nth(place)).toContainText(percent(band.share));
  }
});

test("a tutor is seen beside all others", { tag: "@soak" }, async ({ page }) => {
  const { data: all } = await ask(page, "/api/tutors?limit=500&sort_by=let_downs_90d");
  const tutor = all.find(
    ({ peer_percentile }: { peer_percentile: number | null }) => (peer_percentile ?? 0) > 0.01,
  );
  const { data } = await ask(page, `/api/tutors/${tutor.tutor_id}/comparison`);
  await page.goto(`/tutors/${tutor.tutor_id}`);
  const quality = await chartOf(page, "Quality beside all tutors");
  expect(quality.label).toContain(`higher than ${percent(data.quality.percentile)} of`);
  await expect(quality.rows).toHaveCount(20);
  const notice = await chartOf(page, "Notice of moves and cancellations");
  expect(notice.label).toContain(`${number(tutor.short_notice_90d)} of`);
  const retention = await chartOf(page, "New students who return");
  await expect(retention.rows).toHaveCount(8);
  await expect(retention.rows.nth(1)).toContainText(percent(data.retention.steps[1].platform_share));
});

test("few sessions and few new students are said to be few", { tag: "@soak" }, async ({ page }) => {
  const [tutor] = (await ask(page, "/api/tutors?limit=1&sort_by=let_downs_90d")).data;
  const path = `/api/tutors/${tutor.tutor_id}/comparison`;
  await page.route(`**${path}`, async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body.data.quality.percentile = null;
    body.data.notice.tutor = { called_off: 3, short: 1, unknown: 0, short_share: 1 / 3 };
    body.data.retention.students = 2;
    await route.fulfill({ response, json: body });
  });
  await page.goto(`/tutors/${tutor.tutor_id}`);
  await expect(region(page, "Quality beside all tutors")).toContainText("Not rated");
  await expect(region(page, "Notice of moves and cancellations")).toContainText("Only 3 sessions");
  await expect(region(page, "New students who return")).toContainText("Only 2 new students");
});

test("where nothing was called off and nobody is new, that is said", { tag: "@soak" }, async ({ page }) => {
  const [tutor] = (await ask(page, "/api/tutors?limit=1")).data;
  await page.route(`**/api/tutors/${tutor.tutor_id}/comparison`, async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body.data.quality.rated_tutors = 0;
    body.data.notice.tutor.called_off = 0;
    body.data.retention.students = 0;
    await route.fulfill({ response, json: body });
  });
  await page.goto(`/tutors/${tutor.tutor_id}`);
  await expect(page.getByText("No tutor is rated yet")).toBeVisible();
  await expect(page.getByText("Nothing moved or cancelled")).toBeVisible();
  await expect(page.getByText("No new students to follow")).toBeVisible();
});

test("a comparison that cannot be had leaves the rest of the tutor's page, and can be tried again", {
  tag: "@soak",
}, async ({ page }) => {
  const [tutor] = (await ask(page, "/api/tutors?limit=1")).data;
  let isDown = true;
  await page.route(`**/api/tutors/${tutor.tutor_id}/comparison`, (route) =>
    isDown ? route.fulfill({ status: 503, json: {} }) : route.continue(),
  );
  await page.goto(`/tutors/${tutor.tutor_id}`);
  const panel = region(page, "New students who return");
  await expect(panel.getByRole("button", { name: "Try again" })).toBeVisible({ timeout: 30_000 });
  await expect(region(page, "Counted")).toBeVisible();
  isDown = false;
  await panel.getByRole("button", { name: "Try again" }).click();
  await expect(panel.getByRole("button", { name: "Try again" })).toBeHidden();
});

test("today says when its sessions are, and how many are at risk", async ({ page }) => {
  const { data, meta } = await ask(page, "/api/sessions/today");
  await page.goto("/");
  const panel = region(page, "Sessions of the day");
  if (data.sessions === 0) {
    await expect(panel).toContainText("No sessions on this day");
    return;
  }
  const columns = panel.getByRole("list", { name: "Sessions by hour" }).getByRole("listitem");
  await expect(columns).toHaveCount(data.hours.at(-1).hour - data.hours[0].hour + 1);
  const [first] = data.hours;
  await expect(columns.first()).toContainText(
    new RegExp(`^${String(first.hour).padStart(2, "0")}:00: \\d+ session`),
  );
  if (data.totals.high > 0) await expect(panel).toContainText(`${number(data.totals.high)} of`);
  await panel.getByRole("link", { name: "Sessions at high risk" }).click();
  await expect(page).toHaveURL(/\/upcoming\?/);
  const { searchParams } = new URL(page.url());
  const zone = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
  expect(Object.fromEntries(searchParams)).toEqual({
    from: meta.as_of,
    days: "1",
    risk: "high",
    ...(zone === data.timezone ? {} : { zone: data.timezone }),
  });
});

for (const path of ["/", "/overview"]) {
  test(`${path} with its charts can be used by everybody, and on a telephone`, { tag: "@soak" }, async ({
    page,
  }) => {
    await page.goto(path);
    if (path !== "/") {
      await chartOf(page, "Notice of moves and cancellations");
    } else {
      await expect(region(page, "Sessions of the day")).toBeVisible();
    }
    await expectAccessible(page);
    await expectFitsTelephone(page);
  });
}

test("the charts of a tutor can be used by everybody, and on a telephone", { tag: "@soak" }, async ({
  page,
}) => {
  const [tutor] = (await ask(page, "/api/tutors?limit=1&sort_by=let_downs_90d")).data;
  await page.goto(`/tutors/${tutor.tutor_id}`);
  for (const title of [
    "Quality beside all tutors",
    "Notice of moves and cancellations",
    "New students who return",
  ])
    await chartOf(page, title);
  await expectAccessible(page);
  await expectFitsTelephone(page);
});
