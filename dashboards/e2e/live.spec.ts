import { randomUUID } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import type { Browser, Page } from "@playwright/test";
import { ADMIN_KEY, ask, expect, expectAccessible, logIn, logInAs, test } from "./support";

test.use({ hasStream: true });
// One after the other: three alerts are shown at a time, and each test looks for its own.
test.describe.configure({ mode: "default" });

const HEADER = "[role=status][data-live]";

/** A session of a tutor whom no other test knows, as the marketplace posts it. */
async function post(page: Page, tutor: string, more: object = {}): Promise<void> {
  const answer = await page.request.post("/api/sessions", {
    headers: { "X-API-Key": ADMIN_KEY },
    data: {
      session_id: randomUUID(),
      tutor_id: tutor,
      student_id: "live-student",
      scheduled_time: new Date(Date.now() - 600_000).toISOString(),
      status: "completed",
      ...more,
    },
  });
  expect(answer.status()).toBe(202);
}

const missed = { status: "no_show", initiator: "tutor", subject: "Maths" };
const newTutor = (name: string) => `live-${name}-${randomUUID().slice(0, 8)}`;

async function expectLive(page: Page, isLive = true): Promise<void> {
  await expect(page.locator(HEADER)).toHaveAttribute("data-live", String(isLive), { timeout: 60_000 });
}

/** Another browser, at the list of this tutor alone. */
async function watching(browser: Browser, tutor: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await logIn(page);
  await page.goto(`/tutors?search=${tutor}`);
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await expectLive(page);
  return page;
}

test("what is posted is on everybody's screen, marked, and moves nothing", async ({ page, browser }) => {
  const tutor = newTutor("row");
  await post(page, tutor);
  const other = await watching(browser, tutor);
  const row = other.locator("tbody tr");
  const link = row.locator("[data-row-link]");
  await expect(row).toContainText("of 1");
  await link.focus();
  await row.evaluate((element) => element.setAttribute("data-kept", "yes"));
  // Polls are minutes apart: only the stream can tell.
  await post(page, tutor);
  await expect(row).toContainText("of 2");
  await expect(row).toHaveAttribute("data-changed", "true");
  await expect(row).toHaveAttribute("data-kept", "yes");
  await expect(link).toBeFocused();
  await expectAccessible(other);
  await expect(row).not.toHaveAttribute("data-changed");
  await other.context().close();
});

test("header, table and tutor's page say the same", { tag: "@soak" }, async ({ page }) => {
  const tutor = newTutor("same");
  await post(page, tutor);
  const { data } = await ask(page, `/api/tutors/${tutor}`);
  await page.goto(`/tutors/${data.tutor_id}`);
  await expectLive(page);
  const answers: string[] = [];
  page.on("response", (answer) => answers.push(new URL(answer.url()).pathname));
  await post(page, tutor, missed);
  await expect(page.getByRole("main")).toContainText("1 of 2");
  // All of it is asked for in the same moment.
  for (const path of ["/api/health", `/api/tutors/${data.tutor_id}`, `/api/tutors/${data.tutor_id}/history`])
    await expect.poll(() => answers.includes(path), path).toBe(true);
});

test("who did not come is told wherever one is, and counted until one looks", async ({ page, browser }) => {
  const tutor = newTutor("missed");
  await post(page, tutor);
  const other = await watching(browser, tutor);
  await other.goto("/overview");
  await expectLive(other);
  await other.evaluate(() => {
    document.hasFocus = () => false;
  });
  await post(page, tutor, missed);
  const alerts = other.getByRole("status", { name: "Alerts" });
  await expect(alerts).toContainText(`${tutor} missed a session`);
  await expect(other).toHaveTitle(/^\(\d+\) Overview · tutorq$/);
  await expectAccessible(other);
  await other.evaluate(() => {
    document.hasFocus = () => true;
    window.dispatchEvent(new Event("focus"));
  });
  await expect(other).toHaveTitle("Overview · tutorq");
  await alerts.getByRole("link", { name: `${tutor} missed a session` }).click();
  await expect(other.getByRole("heading", { level: 1, name: tutor })).toBeVisible();
  await other.context().close();
});

test("a coach is told of their own tutors, or of all on demand", { tag: "@soak" }, async ({
  page,
  browser,
}) => {
  const [own, foreign, later] = [newTutor("own"), newTutor("foreign"), newTutor("later")];
  for (const tutor of [own, foreign, later]) await post(page, tutor);
  const coach = await (await browser.newContext()).newPage();
  await logInAs(coach, "Live Coach", "coach", own);
  await expectLive(coach);
  const alerts = coach.getByRole("status", { name: "Alerts" });
  await post(page, foreign, missed);
  await post(page, own, missed);
  await expect(alerts).toContainText(`${own} missed a session`);
  await expect(alerts).not.toContainText(foreign);
  await coach.getByRole("button", { name: /^Account: / }).click();
  await coach.getByRole("menuitem", { name: "Alerts for all tutors" }).click();
  await post(page, later, missed);
  await expect(alerts).toContainText(`${later} missed a session`);
  await coach.context().close();
});

/** The way to the API, which can be cut. */
async function cable(): Promise<{ port: number; cut: () => void; mend: () => void; close: () => void }> {
  const { port: behind } = new URL(process.env.TUTORQ_URL ?? "");
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(behind), "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => {});
    }
    client.pipe(upstream);
    upstream.pipe(client);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("no port");
  return {
    port: address.port,
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => {
      isCut = false;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("nothing is missed while the stream is cut", async ({ page, browser }) => {
  const tutor = newTutor("cut");
  await post(page, tutor);
  const way = await cable();
  const other = await (await browser.newContext({ baseURL: `http://localhost:${way.port}` })).newPage();
  await logIn(other);
  await other.goto(`/tutors?search=${tutor}`);
  const row = other.locator("tbody tr");
  await expect(row).toContainText("of 1");
  await expectLive(other);
  way.cut();
  await expectLive(other, false);
  await post(page, tutor, missed);
  await post(page, tutor);
  way.mend();
  await expectLive(other);
  await expect(row).toContainText("of 3");
  await expect(other.getByRole("status", { name: "Alerts" })).toContainText(`${tutor} missed a session`);
  await other.context().close();
  way.close();
});

test("one stream serves all tabs, and another tab takes it over", { tag: "@soak" }, async ({ page }) => {
  const tutor = newTutor("tabs");
  await post(page, tutor);
  const streams: string[] = [];
  page.context().on("request", (request) => {
    if (new URL(request.url()).pathname === "/api/events") streams.push(request.url());
  });
  const first = await page.context().newPage();
  await first.goto(`/tutors?search=${tutor}`);
  await expectLive(first);
  const second = await page.context().newPage();
  await second.goto(`/tutors?search=${tutor}`);
  await expectLive(second);
  expect(streams).toHaveLength(1);
  await post(page, tutor);
  for (const tab of [first, second]) await expect(tab.locator("tbody tr")).toContainText("of 2");
  await first.close();
  await expect.poll(() => streams.length).toBe(2);
  expect(streams[1]).toContain("last_event_id=");
  await post(page, tutor);
  await expect(second.locator("tbody tr")).toContainText("of 3");
});

test("pages ask by themselves where there is no stream", { tag: "@soak" }, async ({ page }) => {
  const tutor = newTutor("poll");
  await post(page, tutor);
  await page.route("**/api/events*", (route) => route.fulfill({ status: 503, body: "" }));
  await page.clock.install();
  await page.goto(`/tutors?search=${tutor}`);
  const row = page.locator("tbody tr");
  await expect(row).toContainText("of 1");
  await expectLive(page, false);
  await expect(page.locator(HEADER)).toHaveAttribute("title", /every 30 seconds/);
  await post(page, tutor);
  await page.clock.fastForward(31_000);
  await expect(row).toContainText("of 2");
});
