// Makes the pictures of the README from a running demo: node scripts/pictures.mjs ADDRESS DAGSTER_ADDRESS KEY LINK FOLDER.
// KEY is an admin's, LINK logs a lead in. The demo should have been trained, and opened today, so that no page says that
// it is old.
import { chromium } from "@playwright/test";
import packaged from "@sparticuz/chromium";
import { tellStory } from "./story.mjs";

const [address, dagster, key, link, folder] = process.argv.slice(2);
const HEADERS = { "X-API-Key": key };
const DESK = { width: 1440, height: 900 };
const TELEPHONE = { width: 390, height: 844 };
const FRAME = { width: 1200, height: 750 };
const DRAWN_MS = 6_000;

const browser = await chromium.launch({
  executablePath: process.env.TUTORQ_CHROMIUM ?? (await packaged.executablePath()),
  args: ["--no-sandbox", "--headless=shell"],
  // Fields for a day are written as the browser's own language has it.
  env: { ...process.env, LC_ALL: "en_GB.UTF-8" },
});

const ask = async (path, method = "GET") => {
  const answer = await fetch(`${address}${path}`, { method, headers: HEADERS });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return (await answer.json()).data;
};

const { timezone } = await ask("/api/sessions/today");

/** A browser in English, at the place of the marketplace. */
const opened = (viewport, more = {}) =>
  browser.newContext({ viewport, locale: "en-GB", timezoneId: timezone, ...more });

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
const page = await desk.newPage();
await page.goto(link);
await page.getByRole("button", { name: "Log in", exact: true }).click();
await page.getByRole("heading", { level: 1, name: "Today" }).waitFor();
await page.close();
const [first] = await ask("/api/cases?queue=todo&limit=1");
const [tutor] = await ask("/api/tutors?limit=1&sort_by=let_downs_90d");
const [student] = await ask("/api/matching/students?limit=1&search=a");
const [match] = await ask(`/api/matching/students/${student.student_id}/matches?limit=1`);

await picture(desk, "today", address, "Sessions of the day");
await picture(desk, "overview", `${address}/overview`, "Newest concerns");
await picture(desk, "tutors", `${address}/tutors`, "Funnel plot");
await picture(desk, "case", `${address}/cases/${first.case_id}`, "Prepare");
await picture(desk, "honesty", `${address}/honesty`, "Forecasts and outcomes");
const pair = `student=${student.student_id}&tutor=${match.tutor_id}`;
await picture(desk, "matching", `${address}/matching?${pair}`, "Alternatives");

const story = await opened(FRAME, { storageState: await desk.storageState() });
await tellStory(story, address, first, folder);
await story.close();
await desk.close();

const telephone = await opened(TELEPHONE);
const ownPage = await ask(`/api/tutors/${tutor.tutor_id}/page-link`, "POST");
await picture(telephone, "own-page", ownPage.url, "Your teaching");
await telephone.close();

const graph = await opened({ width: 1500, height: 960 });
await picture(graph, "asset-graph", `${dagster}/assets/marts/tutor_scores?view=lineage`, "tutor_concerns");
await browser.close();
