// Measures how long a posted session takes to be seen in somebody else's browser: node scripts/push.mjs ADDRESS READ_KEY
// INGEST_KEY TUTOR POSTS POLLED. Prints JSON: milliseconds from each post to the screen, by the stream and by polling.
import { randomUUID } from "node:crypto";
import { chromium } from "@playwright/test";
import packaged from "@sparticuz/chromium";

const [address, readKey, ingestKey, tutor, posts, polled] = process.argv.slice(2);
const GIVE_UP_MS = 90_000;
const browser = await chromium.launch({
  executablePath: process.env.TUTORQ_CHROMIUM ?? (await packaged.executablePath()),
  args: ["--no-sandbox", "--headless=shell"],
});

/** A browser that shows the list of tutors, told by the stream or not. */
async function shown(isTold) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.request.post(`${address}/api/auth/session`, {
    data: { api_key: readKey },
    headers: { "X-Requested-With": "tutorq" },
  });
  if (!isTold) await context.route("**/api/events*", (route) => route.abort("connectionrefused"));
  const page = await context.newPage();
  await page.goto(`${address}/tutors?search=${tutor}`);
  await page.locator("tbody tr").first().waitFor();
  if (isTold) await page.locator("[role=status][data-live=true]").waitFor({ timeout: 30_000 });
  return { context, page };
}

const sessionsOf = async () => {
  const answer = await fetch(`${address}/api/tutors/${tutor}`, { headers: { "X-API-Key": readKey } });
  return (await answer.json()).data.sessions_90d;
};

async function post(at) {
  const answer = await fetch(`${address}/api/sessions`, {
    method: "POST",
    headers: { "X-API-Key": ingestKey, "Content-Type": "application/json" },
    body: JSON.stringify({
      session_id: randomUUID(),
      tutor_id: tutor,
      student_id: "push-student",
      scheduled_time: at,
      status: "completed",
    }),
  });
  if (answer.status !== 202) throw new Error(`post: ${answer.status}`);
}

/** From before the post to the frame in which its number stands on the screen. */
async function measure(isTold, times) {
  const { context, page } = await shown(isTold);
  const figures = [];
  for (let turn = 0; turn < times; turn += 1) {
    const wanted = (await sessionsOf()) + 1;
    // At any moment between two polls.
    await new Promise((done) => setTimeout(done, Math.random() * (isTold ? 1_500 : 30_000)));
    const seen = page.waitForFunction(
      (text) => document.querySelector("tbody tr")?.textContent?.includes(text),
      `of ${wanted.toLocaleString("en-GB")}`,
      { polling: "raf", timeout: GIVE_UP_MS },
    );
    const begun = performance.now();
    await post(at);
    await seen;
    figures.push(performance.now() - begun);
  }
  await context.close();
  return figures;
}

const { meta } = await (
  await fetch(`${address}/api/tutors?limit=1`, { headers: { "X-API-Key": readKey } })
).json();
const at = `${meta.as_of}T20:00:00Z`;
// The first one makes the tutor known.
await post(at);
const figures = { told: await measure(true, Number(posts)), polled: await measure(false, Number(polled)) };
await browser.close();
console.log(JSON.stringify(figures));
