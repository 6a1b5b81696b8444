import { ask, expect, test } from "./support";

test("asks again every 30 seconds, is told 304, and moves nothing", async ({ page }) => {
  await page.clock.install();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.enable");
  // What is told of one request comes in any order, so its address is looked up at the end.
  const urls = new Map<string, string>();
  const asked: { id: string; tag: string | undefined }[] = [];
  const answered: { id: string; status: number }[] = [];
  cdp.on("Network.requestWillBeSent", ({ requestId, request }) => urls.set(requestId, request.url));
  cdp.on("Network.requestWillBeSentExtraInfo", ({ requestId, headers }) =>
    asked.push({ id: requestId, tag: headers["If-None-Match"] }),
  );
  cdp.on("Network.responseReceivedExtraInfo", ({ requestId, statusCode }) =>
    answered.push({ id: requestId, status: statusCode }),
  );
  const isList = (id: string) => urls.get(id)?.includes("/api/tutors?") ?? false;

  await page.goto("/tutors");
  const last = page.locator("tbody [data-row-link]").last();
  await last.scrollIntoViewIfNeeded();
  await last.focus();
  const before = {
    top: await page.evaluate(() => window.scrollY),
    text: await page.locator("tbody").innerText(),
  };
  expect(before.top).toBeGreaterThan(0);
  await page
    .locator("tbody tr")
    .first()
    .evaluate((row) => row.setAttribute("data-kept", "yes"));

  await page.clock.fastForward(31_000);
  await expect.poll(() => answered.some(({ id, status }) => isList(id) && status === 304)).toBe(true);
  expect(asked.some(({ id, tag }) => isList(id) && tag?.startsWith("W/"))).toBe(true);
  await expect(page.getByTestId("loading")).toHaveCount(0);
  expect(await page.evaluate(() => window.scrollY)).toBe(before.top);
  expect(await page.locator("tbody").innerText()).toBe(before.text);
  await expect(last).toBeFocused();
  await expect(page.locator("tbody tr[data-kept=yes]")).toHaveCount(1);
});

test("what cannot be asked anew stays, and is said to be old", { tag: "@soak" }, async ({ page }) => {
  await page.clock.install();
  const { data } = await ask(page, "/api/tutors?limit=1&sort_by=attention");
  await page.goto("/tutors");
  await expect(page.locator("tbody [data-row-link]").first()).toHaveText(data[0].name);
  await page.route("**/api/**", (route) => route.abort("connectionrefused"));
  await page.clock.fastForward(31_000);
  await page.clock.runFor(5_000);
  await expect(page.getByText(/Cannot reach the API.*These figures are from/).first()).toBeVisible();
  await expect(page.locator("tbody [data-row-link]").first()).toHaveText(data[0].name);
  await expect(page.getByText("figures may be old")).toBeVisible();
});
