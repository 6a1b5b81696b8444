// Makes the pictures of the README from a running demo: node scripts/pictures.mjs ADDRESS DAGSTER_ADDRESS KEY FOLDER.
// KEY is an admin's. The demo should have been trained, and opened today, so that no page says that it is old.
import { chromium } from "@playwright/test";
import packaged from "@sparticuz/chromium";

const [address, dagster, key, folder] = process.argv.slice(2);
const HEADERS = { "X-API-Key": key };
const DESK = { width: 1440, height: 900 };
const TELEPHONE = { width: 390, height: 844 };
const DRAWN_MS = 6_000;

const browser = await chromium.launch({
  executablePath: process.env.TUTORQ_CHROMIUM ?? (await packaged.executablePath()),
  args: ["--no-sandbox", "--headless=shell"],
});

const ask = async (context, path) => {
  const answer = await context.request.get(`${address}${path}`, { headers: HEADERS });
  if (!answer.ok()) throw new Error(`${path}: ${answer.status()}`);
  return (await answer.json()).data;
};

/** A browser in English; logged in where the page is the dashboard. */
async function opened(viewport, isLoggedIn = true) {
  const context = await browser.newContext({ viewport, locale: "en-GB", timezoneId: "Europe/Vienna" });
  if (isLoggedIn) {
    const answer = await context.request.post(`${address}/api/auth/session`, {
      data: { api_key: key },
      headers: { "X-Requested-With": "tutorq" },
    });
    if (!answer.ok()) throw new Error(`log-in: ${answer.status()}`);
  }
  return context;
}

async function picture(context, name, url, ready) {
  const page = await context.newPage();
  await page.goto(url);
  await page.getByText(ready).first().waitFor({ timeout: 60_000 });
  // Charts are drawn after their library has come, and Dagster colours assets one by one.
  await page.waitForTimeout(DRAWN_MS);
  await page.screenshot({ path: `${folder}/${name}.png` });
  await page.close();
}

const desk = await opened(DESK);
const [first] = await ask(desk, "/api/cases?queue=todo&limit=1");
const [tutor] = await ask(desk, "/api/tutors?limit=1&sort_by=let_downs_90d");
const [student] = await ask(desk, "/api/matching/students?limit=1&search=a");
const [match] = await ask(desk, `/api/matching/students/${student.student_id}/matches?limit=1`);

await picture(desk, "today", address, "Sessions of the day");
await picture(desk, "overview", `${address}/overview`, "Newest concerns");
await picture(desk, "tutors", `${address}/tutors`, "Funnel plot");
await picture(desk, "case", `${address}/cases/${first.case_id}`, "Prepare");
await picture(desk, "honesty", `${address}/honesty`, "Forecasts and outcomes");
const pair = `student=${student.student_id}&tutor=${match.tutor_id}`;
await picture(desk, "matching", `${address}/matching?${pair}`, "Alternatives");
await desk.close();

const telephone = await opened(TELEPHONE, false);
const link = await telephone.request.post(`${address}/api/tutors/${tutor.tutor_id}/page-link`, {
  headers: HEADERS,
});
await picture(telephone, "own-page", (await link.json()).data.url, "Your teaching");
await telephone.close();

const graph = await opened({ width: 1500, height: 960 }, false);
await picture(graph, "asset-graph", `${dagster}/assets/marts/tutor_scores?view=lineage`, "tutor_concerns");
await browser.close();
