// Measures a running dashboard in the browser: node scripts/measure.mjs ADDRESS KEY ROUNDS SLOWER. Prints JSON: for each
// figure its values, one per round, in milliseconds.
import { chromium } from "@playwright/test";
import packaged from "@sparticuz/chromium";

const [address, key, rounds, slower] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.TUTORQ_CHROMIUM ?? (await packaged.executablePath()),
  args: ["--no-sandbox", "--headless=shell"],
});
const figures = { today: [], overview: [], sort: [], filter: [], search: [] };

// In the page, before its own scripts: resolves to the moment after the frame in which `isReady` first holds.
const WATCH = `window.painted = (isReady) => new Promise((resolve, reject) => {
  const look = () => {
    if (performance.now() > 60_000) reject(new Error("never painted: " + isReady));
    else if (isReady()) requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    else requestAnimationFrame(look);
  };
  look();
});`;

/** A browser that has nothing in its caches, logged in. */
async function freshPage() {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const answer = await context.request.post(`${address}/api/auth/session`, {
    data: { api_key: key },
    headers: { "X-Requested-With": "tutorq" },
  });
  if (!answer.ok()) throw new Error(`log-in: ${answer.status()}`);
  const page = await context.newPage();
  await page.addInitScript(WATCH);
  return { context, page };
}

/** From nothing to the first of what `selector` names, drawn: all of the page's own work is in it. */
async function coldStart(path, selector) {
  const { context, page } = await freshPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: Number(slower) });
  await page.goto(`${address}${path}`, { waitUntil: "commit" });
  const usable = await page.evaluate(
    (selector) => window.painted(() => document.querySelector(selector) !== null),
    selector,
  );
  await context.close();
  return usable;
}

/** From the end of the API's answer to the frame with its rows: what the page itself takes. */
async function beyondTheAnswer(page, act, parameter) {
  await page.evaluate(() => performance.clearResourceTimings());
  await act(page);
  return page.evaluate(async (parameter) => {
    const answers = () =>
      performance.getEntriesByType("resource").filter(({ name, responseEnd }) => {
        const { pathname, searchParams } = new URL(name);
        return pathname === "/api/tutors" && responseEnd > 0 && searchParams.toString().includes(parameter);
      });
    const painted = await window.painted(
      () => answers().length > 0 && document.querySelector("table[aria-busy=false]") !== null,
    );
    return painted - answers().at(-1).responseEnd;
  }, parameter);
}

for (let round = 0; round < Number(rounds); round += 1) {
  figures.today.push(await coldStart("/", "[data-case]"));
  figures.overview.push(await coldStart("/overview", '[aria-label="Active tutors by concern"] a'));
  const { context, page } = await freshPage();
  await page.goto(`${address}/tutors`);
  await page.locator("tbody tr").first().waitFor();
  await page.locator("path[data-tone]").first().waitFor({ state: "attached" });
  const step = async (name, act, parameter) =>
    figures[name].push(await beyondTheAnswer(page, act, parameter));
  await step(
    "sort",
    () => page.getByRole("columnheader", { name: "Sessions" }).getByRole("button").click(),
    "sort_by=sessions_90d",
  );
  await step(
    "filter",
    () => page.getByRole("group", { name: "Concerns" }).getByText("Unreliable").click(),
    "concern=unreliable",
  );
  await step("search", () => page.getByRole("searchbox").first().fill("1"), "search=1");
  await context.close();
}
await browser.close();
console.log(JSON.stringify(figures));
