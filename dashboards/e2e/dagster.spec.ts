import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium, expect, type Page, test } from "@playwright/test";

/** Dagster's pages behind the guard: what pages of other origins try, and what a person does. */

const ADDRESS = process.env.DAGSTER_ADDRESS ?? "";
const PORT = new URL(ADDRESS).port;
const SHUT_DOWN = 'mutation { shutdownRepositoryLocation(repositoryLocationName: "tutorq") { __typename } }';
/** Starts a job; the tag tells its run from those that tutorq starts by itself meanwhile. */
const launch = (askedBy: string) => `mutation { launchRun(executionParams: { mode: "default", selector:
  { repositoryLocationName: "tutorq", repositoryName: "__repository__", jobName: "send_reports" },
  executionMetadata: { tags: [{ key: "asked-by", value: "${askedBy}" }] } }) { __typename } }`;
const askedBy = (whom: string) => `tags: [{ key: "asked-by", value: "${whom}" }]`;
const LAUNCH = launch("another-origin");
const IMAGE = `/graphql?query=${encodeURIComponent(SHUT_DOWN)}`;

let elsewhere: Server;

test.beforeAll(async () => {
  elsewhere = createServer((_, answer) =>
    answer.setHeader("Content-Type", "text/html").end("<p>Somebody's page</p>"),
  );
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
});

test.afterAll(() => elsewhere.close());

/** Status of each request of the page to Dagster. */
function answersOf(page: Page): [string, number][] {
  const answers: [string, number][] = [];
  page.on("response", (answer) => {
    const url = new URL(answer.url());
    if (url.port === PORT) answers.push([url.pathname, answer.status()]);
  });
  return answers;
}

async function runsOf(page: Page, filter: string): Promise<number> {
  const query = `{ runsOrError(filter: { ${filter} }) { ... on Runs { count } } }`;
  const answer = await page.request.post(`${ADDRESS}/graphql`, { data: { query } });
  return (await answer.json()).data.runsOrError.count;
}

async function isCodeLocationThere(page: Page): Promise<boolean> {
  const query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }";
  const answer = await page.request.post(`${ADDRESS}/graphql`, { data: { query } });
  return (await answer.json()).data.repositoriesOrError.nodes.length > 0;
}

for (const host of ["localhost", "127.0.0.1"]) {
  test(`a page on another port of ${host} changes nothing and reads nothing`, async ({ page }) => {
    const answers = answersOf(page);
    await page.goto(`http://${host}:${(elsewhere.address() as AddressInfo).port}/`);
    const told = await page.evaluate(
      async ([address, image, launch]) => {
        const loaded = await new Promise((resolve) => {
          const img = document.createElement("img");
          img.onload = () => resolve("loaded");
          img.onerror = () => resolve("refused");
          img.src = address + image;
        });
        const body = JSON.stringify({ query: launch });
        for (const type of ["text/plain", "text/plain; application/json"])
          await fetch(`${address}/graphql`, {
            method: "POST",
            mode: "no-cors",
            headers: { "Content-Type": type },
            body,
          }).catch(() => undefined);
        const asked = await fetch(`${address}/graphql`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body,
        }).then(
          () => "answered",
          () => "refused",
        );
        const framed = document.createElement("iframe");
        framed.src = address;
        document.body.append(framed);
        const socket = await new Promise((resolve) => {
          const opened = new WebSocket(`${address.replace("http", "ws")}/graphql`, "graphql-ws");
          opened.onopen = () => resolve("opened");
          opened.onerror = () => resolve("refused");
        });
        return { loaded, asked, socket };
      },
      [ADDRESS, IMAGE, LAUNCH] as const,
    );
    expect(told).toEqual({ loaded: "refused", asked: "refused", socket: "refused" });
    await expect.poll(() => answers.filter(([path]) => path === "/").length).toBeGreaterThan(0);
    expect(answers.filter(([, status]) => status < 400)).toEqual([]);
    expect(await runsOf(page, askedBy("another-origin"))).toBe(0);
    expect(await isCodeLocationThere(page)).toBe(true);
  });
}

test("a domain that is pointed here reads nothing", async ({ page }, { project }) => {
  const { launchOptions } = project.use;
  const browser = await chromium.launch({
    ...launchOptions,
    args: [...(launchOptions?.args ?? []), "--host-resolver-rules=MAP evil.example 127.0.0.1"],
  });
  const other = await browser.newPage();
  const shown = await other.goto(`http://evil.example:${PORT}/`);
  expect(shown?.status()).toBe(421);
  const status = await other.evaluate(async (query) => {
    const answer = await fetch("/graphql", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query }),
    });
    return answer.status;
  }, LAUNCH);
  expect(status).toBe(421);
  await browser.close();
  expect(await isCodeLocationThere(page)).toBe(true);
});

test("a person sees the assets live and starts a run", async ({ page }, { outputDir }) => {
  const sent = 'pipelineName: "send_reports"';
  const before = await runsOf(page, sent);
  const answers = answersOf(page);
  const frames: string[] = [];
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => frames.push(String(payload))));
  // As from a link in a mail.
  await page.setContent(`<a href="${ADDRESS}/assets">Assets</a>`);
  await page.getByRole("link").click();
  await expect(page.getByText("email_reports").first()).toBeVisible({ timeout: 30_000 });
  await page.screenshot({ path: `${outputDir}/dagster-assets.png` });
  await expect.poll(() => frames.join("")).toContain("connection_ack");

  await page.goto(`${ADDRESS}/locations/tutorq/jobs/send_reports/playground`);
  await page.getByRole("button", { name: "Launch Run" }).click();
  await expect.poll(() => runsOf(page, sent), { timeout: 30_000 }).toBeGreaterThan(before);
  await page.screenshot({ path: `${outputDir}/dagster-run.png` });
  expect(answers.filter(([, status]) => status >= 400)).toEqual([]);

  // What pages of other origins try does start a run where it is allowed.
  await page.request.post(`${ADDRESS}/graphql`, { data: { query: launch("program") } });
  expect(await runsOf(page, askedBy("program"))).toBe(1);
});
