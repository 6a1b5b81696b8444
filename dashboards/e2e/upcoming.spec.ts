import { ask, atBrowser, expect, expectAccessible, expectFitsTelephone, LABELS, test } from "./support";

test("planned sessions of a week stand at the greatest risk first, all of them on request", async ({
  page,
}) => {
  const answered = page.waitForResponse("**/api/sessions/upcoming*sort_by=let_down_probability*");
  await page.goto("/upcoming");
  const { data, meta } = await (await answered).json();
  expect(data.length).toBeGreaterThan(1);
  const risks = data.map(
    ({ let_down_probability }: { let_down_probability: number | null }) => let_down_probability ?? -1,
  );
  expect(risks).toEqual([...risks].sort((a, b) => b - a));
  const latest = Math.max(
    ...data.map(({ scheduled_time }: { scheduled_time: string }) => Date.parse(scheduled_time)),
  );
  expect(latest).toBeLessThan(Date.now() + 7 * 86_400_000);
  const sum = page.getByText(/planned sessions? in the next 7 days\./);
  await expect(sum).toContainText(meta.total.toLocaleString("en-GB"));
  await page.getByRole("combobox", { name: "Days" }).click();
  await page.getByRole("option", { name: "All planned" }).click();
  await expect(page).toHaveURL("/upcoming?days=all");
  await expect(page.getByText(/planned sessions? from now on\./)).toBeVisible();
});

test("planned sessions stand by day in order of time, and by student, on request", async ({ page }) => {
  const answered = page.waitForResponse("**/api/sessions/upcoming*sort_by=scheduled_time*");
  await page.goto("/upcoming?by=day");
  const { data } = await (await answered).json();
  const times = data.map(({ scheduled_time }: { scheduled_time: string }) => Date.parse(scheduled_time));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const first = page.getByRole("table", { name: /^Sessions on / }).first();
  await expect(first.locator("tbody tr").first()).toContainText(data[0].tutor_name);
  await expect(first.locator("tbody tr").first()).toContainText(/let-down risk|No sessions yet/);
  await expect(first.locator("tbody tr").first()).toContainText(/no-show risk|Not predicted/);
  await page.getByText("Student", { exact: true }).first().click();
  await expect(page).toHaveURL("/upcoming?by=student");
  await page.goto("/upcoming?by=student&days=all");
  const { data: byStudent } = await ask(page, "/api/sessions/upcoming?sort_by=student_name&limit=1");
  await expect(
    page.getByRole("table", { name: `Sessions of ${byStudent[0].student_name}` }).first(),
  ).toBeVisible();
});

test("first sessions stand by their own risk, with what to prepare for", { tag: "@soak" }, async ({
  page,
}) => {
  const answered = page.waitForResponse("**/api/sessions/upcoming*sort_by=first_session_risk*");
  await page.goto("/upcoming");
  await page.getByText("First sessions", { exact: true }).click();
  await expect(page).toHaveURL("/upcoming?first=yes");
  const { data } = await (await answered).json();
  const risks = data.map(
    ({ first_session_risk }: { first_session_risk: number | null }) => first_session_risk ?? -1,
  );
  expect(risks).toEqual([...risks].sort((a, b) => b - a));
  const row = page
    .getByRole("table", { name: "First sessions, greatest risk first" })
    .locator("tbody tr")
    .first();
  await expect(row).toContainText("risk that this session fails or is the last");
  for (const fact of data[0].preparation) await expect(row).toContainText(fact);
});

test("filters narrow the list, and can be cleared", { tag: "@soak" }, async ({ page }) => {
  const { data } = await ask(page, "/api/sessions/upcoming?limit=1");
  await page.goto("/upcoming?days=all");
  await page.getByLabel("Tutor or student").fill(data[0].tutor_name);
  const rows = page.getByRole("table").locator("tbody tr");
  await expect(rows.first()).toContainText(data[0].tutor_name);
  await expect(page).toHaveURL(/search=/);
  await page.getByLabel("Tutor or student").fill("nobody of this name");
  await expect(page.getByText("No planned sessions match the filters")).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(rows.first()).toBeVisible();
  await page.getByLabel("First day").fill("2999-01-01");
  await expect(page.getByText("No planned sessions match the filters")).toBeVisible();
});

test("a coach sees the sessions of their own tutors alone", { tag: "@soak" }, async ({ page, browser }) => {
  const { data } = await ask(page, "/api/sessions/upcoming?one_per_tutor=true&limit=2");
  const coach = await atBrowser(browser, "Uma Coach", "coach", data[1].tutor_external_id);
  await coach.goto("/upcoming");
  await coach.getByText("My tutors", { exact: true }).click();
  await expect(coach).toHaveURL(/\/upcoming\?team=\d+$/);
  await expect(coach.getByRole("table")).toHaveCount(1);
  await expect(
    coach
      .getByRole("table", { name: `Sessions with ${data[1].tutor_name}` })
      .locator("tbody tr")
      .first(),
  ).toBeVisible();
  await expect(coach.getByText("matching the filters")).toBeVisible();
  await coach.close();
});

test("a stand-in is one click away: free, of the subject, the likeliest to hold it first", async ({
  page,
}) => {
  await page.goto("/upcoming");
  const answered = page.waitForResponse("**/stand-ins*");
  await page.getByRole("link", { name: "Find a stand-in" }).first().click();
  const { session, data } = await (await answered).json();
  await expect(page).toHaveURL(`/upcoming?session=${session.session_id}`);
  const dialog = page.getByRole("dialog", { name: "Find a stand-in" });
  await expect(dialog).toContainText(session.tutor_name);
  const rows = dialog.getByRole("list", { name: "Stand-ins" }).getByRole("listitem");
  await expect(rows).toHaveCount(data.length);
  for (const [at, tutor] of data.entries()) {
    expect(tutor.tutor_id).not.toBe(session.tutor_id);
    // Of tutors who are known by their sessions alone, nobody knows what they teach.
    if (tutor.subjects.length > 0) expect(tutor.subjects).toContain(session.subject);
    await expect(rows.nth(at)).toContainText(tutor.name);
    const risk = tutor.let_down_probability === null ? "No sessions yet" : "let-down risk";
    await expect(rows.nth(at)).toContainText(risk);
    for (const concern of tutor.concerns) await expect(rows.nth(at)).toContainText(LABELS[concern] ?? "");
  }
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(page).toHaveURL("/upcoming");
  await page.goBack();
  await expect(dialog).toBeVisible();
  await rows
    .first()
    .getByRole("link", { name: `See the match with ${data[0].name}` })
    .click();
  const { student_id: student, subject } = session;
  await expect(page).toHaveURL(({ pathname, searchParams }) => {
    const asked = { student, tutor: data[0].tutor_id, subject };
    return (
      pathname === "/matching" && Object.entries(asked).every(([name, is]) => searchParams.get(name) === is)
    );
  });
});

test("says so where there is no such session", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/upcoming?session=nothing");
  await expect(page.getByRole("dialog")).toContainText("There is no planned session with this id.");
});

test("leads here from the overview", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/overview");
  const risky = page.getByRole("region", { name: "Upcoming sessions at risk" });
  await risky.getByRole("link", { name: "Find a stand-in" }).first().click();
  await expect(page).toHaveURL(/\/upcoming\?session=/);
  await expect(page.getByRole("dialog", { name: "Find a stand-in" })).toBeVisible();
});

for (const address of ["/upcoming", "/upcoming?by=student"]) {
  test(`${address} can be used by everybody, and on a telephone`, { tag: "@soak" }, async ({ page }) => {
    await page.goto(address);
    await expect(page.getByRole("table").first()).toBeVisible();
    await expectAccessible(page);
    await expectFitsTelephone(page);
  });
}

test("stand-ins can be used by everybody, and on a telephone", { tag: "@soak" }, async ({ page }) => {
  const { data } = await ask(page, "/api/sessions/upcoming?limit=1");
  await page.goto(`/upcoming?session=${data[0].session_id}`);
  await expect(page.getByRole("list", { name: "Stand-ins" })).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
});
