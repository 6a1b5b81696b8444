import { ask, expect, expectAccessible, expectFitsTelephone, LABELS, logIn, READ_KEY, test } from "./support";

// Each test has students of its own, as some change what they prefer.
const studentAt = async (page: Parameters<typeof ask>[0], index: number) =>
  (await ask(page, "/api/matching/students?is_active=true&limit=20")).data[index];

test("choosing a student and a tutor shows what is predicted for them, in place", async ({ page }) => {
  const { name } = await studentAt(page, 0);
  const [student] = (
    await ask(page, `/api/matching/students?is_active=true&limit=1&search=${encodeURIComponent(name)}`)
  ).data;
  const [best] = (
    await ask(page, `/api/matching/students/${student.student_id}/matches?limit=1&concerns_last=true`)
  ).data;
  await page.goto("/matching");
  await expect(page.getByText("Choose a student and a tutor")).toBeVisible();
  await page.getByLabel("Search students").fill(student.name);
  await page
    .getByRole("list", { name: "Students" })
    .getByRole("button", { name: student.name })
    .first()
    .click();
  await expect(page.getByText(`Best for ${student.name} first`)).toBeVisible();
  await page.getByRole("list", { name: "Tutors" }).getByRole("button").first().click();
  await expect(page).toHaveURL(new RegExp(`student=${student.student_id}.*tutor=${best.tutor_id}`));
  await expect(
    page.getByText(new RegExp(`^${Math.round(best.churn_probability * 100)}% (chance|leaving risk)`)),
  ).toBeVisible();
  await expect(page.getByRole("progressbar", { name: "Compatibility" })).toHaveAttribute(
    "aria-valuenow",
    String(Math.round(best.compatibility_score * 100)),
  );
  const explained = await ask(
    page,
    `/api/matching/predict/${student.student_id}/${best.tutor_id}?explain=true`,
  );
  await expect(page.getByText(explained.data.explanation.for_student)).toBeVisible();
  await expect(page.getByText("Text from fixed rules")).toBeVisible();
  const differences = page.getByRole("region", { name: "Differences" });
  for (const { label } of explained.data.explanation.mismatches)
    await expect(differences).toContainText(label);
});

test("students who need a tutor are found, and each tutor has a leaving risk and concerns", {
  tag: "@soak",
}, async ({ page }) => {
  const { meta } = await ask(page, "/api/matching/students?is_active=true&needs_tutor=true&limit=1");
  const student = await studentAt(page, 5);
  const address = `/api/matching/students/${student.student_id}/matches?limit=50&concerns_last=true`;
  const { data: matches, meta: fitting } = await ask(page, address);
  const likely = (match: { churn_probability: number }) => `${Math.round(match.churn_probability * 100)}%`;
  await page.goto(`/matching?student=${student.student_id}`);
  const tutors = page.getByRole("list", { name: "Tutors" }).getByRole("button");
  await expect(tutors).toHaveCount(matches.length);
  for (const [at, match] of matches.entries()) {
    await expect(tutors.nth(at)).toContainText("leaving risk");
    await expect(tutors.nth(at)).toContainText(likely(match));
    for (const concern of match.concerns) await expect(tutors.nth(at)).toContainText(LABELS[concern] ?? "");
  }
  expect(fitting.total).toBeLessThan((await ask(page, "/api/matching/tutors?limit=1")).meta.total);
  await page.getByLabel("Needs a tutor").check();
  await expect(page).toHaveURL(/needs=yes/);
  await expect(
    page.getByText(`${meta.total} active without an active tutor, the most urgent first`),
  ).toBeVisible();
});

test("an alternative can be chosen", { tag: "@soak" }, async ({ page }) => {
  const student = await studentAt(page, 1);
  const { data } = await ask(page, `/api/matching/students/${student.student_id}/matches?limit=500`);
  const worst = data.at(-1);
  await page.goto(`/matching?student=${student.student_id}&tutor=${worst.tutor_id}`);
  const alternatives = page.getByRole("region", { name: "Alternatives" });
  const name = await alternatives.getByRole("listitem").first().locator("span").first().textContent();
  await alternatives.getByRole("button", { name: `Show the pair with ${name}` }).click();
  await expect(page.getByRole("heading", { level: 2 }).filter({ hasText: student.name })).toContainText(
    name ?? "",
  );
});

test("with a subject chosen, a pair is compared with tutors of that subject", {
  tag: "@soak",
}, async ({ page }) => {
  const { data: students } = await ask(page, "/api/matching/students?is_active=true&limit=50");
  const student = students.find(({ subjects }: { subjects: string[] }) => subjects.length > 1) ?? students[0];
  const subject: string = student.subjects[0];
  const { data, meta } = await ask(
    page,
    `/api/matching/students/${student.student_id}/matches?limit=500&subject=${encodeURIComponent(subject)}`,
  );
  const worst = data.at(-1);
  await page.goto(`/matching?student=${student.student_id}&tutor=${worst.tutor_id}`);
  await expect(page.getByText("Tutors of a shared subject with a free place")).toBeVisible();
  await page.getByRole("combobox", { name: "Subject" }).click();
  await page.getByRole("option", { name: subject, exact: true }).click();
  const alternatives = page.getByRole("region", { name: "Alternatives" });
  await expect(alternatives).toContainText(`Tutors of ${subject} with a free place`);
  const rows = alternatives.getByRole("listitem");
  await expect(rows.first()).toContainText(`of ${meta.total}`);
  const names: string[] = data.map(({ name }: { name: string }) => name);
  for (const text of await rows.allTextContents())
    expect(names.some((name) => text.startsWith(name))).toBe(true);
});

test("an edited preference changes the prediction at once", { tag: "@soak" }, async ({ page }) => {
  const student = await studentAt(page, 2);
  const { data } = await ask(page, `/api/matching/students/${student.student_id}/matches?limit=5`);
  const tutor = await ask(page, `/api/matching/tutors/${data[0].tutor_id}`);
  await page.goto(`/matching?student=${student.student_id}&tutor=${data[0].tutor_id}`);
  await page.getByRole("button", { name: "Edit student" }).click();
  const dialog = page.getByRole("dialog");
  const opposite = (tutor.data.preferred_pace ?? 1) > 3 ? "1" : "5";
  await dialog.getByRole("combobox", { name: "Pace" }).click();
  await page.getByRole("option", { name: opposite, exact: true }).click();
  await dialog.getByRole("button", { name: /Save/ }).click();
  await expect(dialog).toBeHidden();
  const { data: after } = await ask(page, `/api/matching/predict/${student.student_id}/${data[0].tutor_id}`);
  expect(after.pace_mismatch).toBe(Math.abs(Number(opposite) - tutor.data.preferred_pace));
  await expect(page.getByRole("progressbar", { name: "Compatibility" })).toHaveAttribute(
    "aria-valuenow",
    String(Math.round(after.compatibility_score * 100)),
  );
});

test("an assignment is run, and seen against simpler ways", async ({ page }) => {
  await page.goto("/matching");
  await page.getByText("Assignment", { exact: true }).click();
  await expect(page).toHaveURL("/matching?view=assignment");
  const answered = page.waitForResponse("**/api/matching/assignments");
  await page.getByRole("button", { name: "Run the assignment" }).click();
  const assignment = await (await answered).json();
  const expected = page.getByRole("region", { name: "Students expected to leave" });
  await expect(expected).toContainText(assignment.expected_churn.assigned.toFixed(1));
  await expect(expected).toContainText("best tutor left");
  await expect(page.getByRole("region", { name: "Without a tutor" })).toContainText(
    assignment.unassigned.length === 0 ? "Every student has a tutor." : String(assignment.unassigned.length),
  );
  const [left] = assignment.unassigned;
  if (left) {
    const row = page.getByRole("table", { name: "Students left over" }).locator("tbody tr").first();
    await expect(row).toContainText(left.student_name);
    await expect(row).toContainText(left.reason);
  }
  const pairs = page.getByRole("region", { name: "Pairs" }).locator("tbody tr");
  const [pair] = assignment.pairs;
  await expect(pairs.first()).toContainText(`of ${pair.rank_of}`);
  for (const [at, { tutor_concerns }] of assignment.pairs.slice(0, 25).entries())
    for (const concern of tutor_concerns) await expect(pairs.nth(at)).toContainText(LABELS[concern] ?? "");
  await expectAccessible(page);
});

test("an assignment is accepted, and says so when it is not", { tag: "@soak" }, async ({ page }) => {
  await page.goto("/matching?view=assignment");
  const answered = page.waitForResponse("**/api/matching/assignments");
  await page.getByRole("button", { name: "Run the assignment" }).click();
  const { plan_id, pairs } = await (await answered).json();
  await page.getByRole("button", { name: "Accept", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Accept this assignment?" });
  await expect(dialog).toContainText(`${pairs.length.toLocaleString("en")} pair`);
  const accept = dialog.getByRole("button", { name: /^Accept \d/ });
  await page.route("**/api/matching/assignments/accept", (route) => route.abort("connectionrefused"));
  await accept.click();
  await expect(dialog.getByRole("alert")).toContainText("Cannot reach the API");
  await expectAccessible(page);
  await page.unroute("**/api/matching/assignments/accept");
  await accept.click();
  await expect(dialog).toBeHidden();
  await expect(
    page.getByRole("status").filter({ hasText: `${pairs.length.toLocaleString("en")} pair` }),
  ).toContainText("accepted");
  await expectAccessible(page);
  const { data: entries } = await ask(page, "/api/audit?action=assignment.accept&limit=1");
  expect(entries[0]).toMatchObject({ subject_id: plan_id, details: { pairs: pairs.length } });
  await logIn(page, READ_KEY);
  await page.goto("/matching?view=assignment");
  await page.getByRole("button", { name: "Run the assignment" }).click();
  await expect(page.getByRole("region", { name: "Without a tutor" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Accept", exact: true })).toHaveCount(0);
});

test("who may only read is offered no changes", { tag: "@soak" }, async ({ page }) => {
  const student = await studentAt(page, 3);
  const { data } = await ask(page, `/api/matching/students/${student.student_id}/matches?limit=1`);
  await logIn(page, READ_KEY);
  await page.goto(`/matching?student=${student.student_id}&tutor=${data[0].tutor_id}`);
  await expect(page.getByRole("progressbar", { name: "Compatibility" })).toBeVisible();
  await expect(page.getByRole("button", { name: /Edit|Predict all/ })).toHaveCount(0);
});

test("can be used by everybody, and on a telephone", { tag: "@soak" }, async ({ page }) => {
  const student = await studentAt(page, 4);
  const { data } = await ask(page, `/api/matching/students/${student.student_id}/matches?limit=1`);
  await page.goto(`/matching?student=${student.student_id}&tutor=${data[0].tutor_id}`);
  await expect(page.getByRole("region", { name: "Alternatives" })).toBeVisible();
  await expectAccessible(page);
  await expectFitsTelephone(page);
  await page.getByText("Student", { exact: true }).click();
  await expectFitsTelephone(page);
});
