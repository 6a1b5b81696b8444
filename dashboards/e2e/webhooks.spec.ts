import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { ask, expect, expectAccessible, expectFitsTelephone, logIn, OURS, READ_KEY, test } from "./support";

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A program of somebody else's that answers with these codes, one after the other, and then with the last. */
async function receiver(...codes: number[]): Promise<{ server: Server; url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, answer) => {
    let body = "";
    request.on("data", (part) => {
      body += part;
    });
    request.on("end", () => {
      received.push({ headers: request.headers, body });
      answer.writeHead((codes.length > 1 ? codes.shift() : codes[0]) ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received };
}

const signature = (secret: string, { headers, body }: Received): string =>
  createHmac("sha256", Buffer.from(secret.replace("whsec_", ""), "base64"))
    .update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`)
    .digest("base64");

async function add(page: Page, url: string, name: string): Promise<string> {
  await page.goto("/webhooks");
  await page.getByRole("button", { name: "Add webhook" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Add webhook" });
  await dialog.getByLabel("Address").fill(url);
  await dialog.getByLabel("Description").fill(name);
  await dialog.getByRole("button", { name: "Add webhook" }).click();
  const added = page.getByRole("dialog", { name: "Webhook added" });
  const secret = (await added.locator("code").textContent()) ?? "";
  expect(secret).toMatch(/^whsec_/);
  await added.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name }).click();
  return secret;
}

/** The job that sends starts within seconds, and a receiver that failed is tried again after five. */
const SENT_WITHIN = { timeout: 120_000 };

test.describe.configure({ timeout: 240_000 });

test("a webhook is added, tested with its secret, and a failed delivery sent again", {
  tag: "@soak",
}, async ({ page }) => {
  const { server, url, received } = await receiver(500, 200);
  const secret = await add(page, url, "Back office");
  const drawer = page.getByRole("dialog", { name: "Back office" });
  // Of the address, the host alone is shown again, for its path may hold a secret; an empty field leaves it as it is.
  await expect(drawer).not.toContainText("/hook");
  await drawer.getByRole("button", { name: "Edit" }).click();
  const edit = page.getByRole("dialog", { name: "Edit webhook" });
  await expect(edit.getByLabel("Address")).toHaveValue("");
  await expect(edit.getByText(/An address at 127\.0\.0\.1:\d+ is stored/)).toBeVisible();
  await edit.getByLabel("Concern cleared").click();
  await edit.getByRole("button", { name: "Save" }).click();
  await expect(edit).toBeHidden();
  await drawer.getByRole("button", { name: "Send a test" }).click();
  await expect(drawer.getByText("The test failed: HTTP 500")).toBeVisible(SENT_WITHIN);
  await expect(drawer.getByRole("row", { name: /Test/ })).toContainText("Failed", SENT_WITHIN);
  await expect(drawer.getByRole("row", { name: /Test/ })).toContainText("500");
  await drawer.getByRole("button", { name: "Test", exact: true }).click();
  const delivery = page.getByRole("dialog", { name: "Delivery" });
  await expect(delivery.getByRole("list", { name: "Attempts" })).toContainText("HTTP 500");
  await expect(delivery).toContainText('"type": "webhook.test"');
  await delivery.getByRole("button", { name: "Send again" }).click();
  await expect(delivery.getByText("Sent", { exact: true })).toBeVisible(SENT_WITHIN);
  expect(received).toHaveLength(2);
  expect(received[0]?.headers["webhook-id"]).toBe(received[1]?.headers["webhook-id"]);
  for (const each of received)
    expect(each.headers["webhook-signature"]).toBe(`v1,${signature(secret, each)}`);
  server.close();
});

test("a receiver that is gone is switched off, said in words, and switched on again", {
  tag: "@soak",
}, async ({ page }) => {
  const { server, url } = await receiver(410);
  await add(page, url, "Old office");
  const { data } = await ask(page, "/api/webhook-endpoints");
  const { endpoint_id } = data.find((each: { description: string }) => each.description === "Old office");
  await page.request.patch(`/api/webhook-endpoints/${endpoint_id}`, {
    headers: OURS,
    data: { kinds: ["case.changed"] },
  });
  const [{ case_id }] = (await ask(page, "/api/cases?limit=1")).data;
  // What waits behind a failure waits for minutes; what is new is tried at once.
  await expect
    .poll(
      async () => {
        await page.request.post(`/api/cases/${case_id}/notes`, { headers: OURS, data: { text: "Called." } });
        return (await ask(page, `/api/webhook-endpoints/${endpoint_id}`)).data.state;
      },
      { ...SENT_WITHIN, intervals: [10_000] },
    )
    .toBe("disabled");
  await page.goto("/webhooks");
  const row = page.getByRole("row", { name: /Old office/ });
  await expect(row).toContainText("Disabled");
  await expect(row).toContainText("answered 410 Gone 3 times in a row");
  await page.getByRole("button", { name: "Old office" }).click();
  await page.getByRole("button", { name: "Switch on" }).click();
  await expect(page.getByRole("dialog").getByText("On", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("button", { name: "Delete webhook" }).click();
  await expect(page.getByRole("row", { name: /Old office/ })).toHaveCount(0);
  server.close();
});

test("an address that leads nowhere good is refused at its field", async ({ page }) => {
  await page.goto("/webhooks");
  await page.getByRole("button", { name: "Add webhook" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Add webhook" });
  await dialog.getByLabel("Address").fill("http://169.254.169.254/latest/meta-data");
  await dialog.getByRole("button", { name: "Add webhook" }).click();
  await expect(dialog.getByText(/url/)).toBeVisible();
});

test("webhooks are for admins", { tag: "@soak" }, async ({ page }) => {
  await logIn(page, READ_KEY);
  await page.goto("/webhooks");
  await expect(page.getByText(/Needs the role admin/)).toBeVisible();
  await page.getByRole("button", { name: "More", exact: true }).click();
  await expect(page.getByRole("menuitem", { name: "Messages" })).toBeVisible();
  await expect(page.getByRole("menuitem", { name: "Webhooks" })).toHaveCount(0);
});

test("can be used by everybody, and on a telephone", { tag: "@soak" }, async ({ page }) => {
  const { server, url } = await receiver(200);
  await add(page, url, "Reachable");
  const drawer = page.getByRole("dialog", { name: "Reachable" });
  await expect(drawer.getByRole("heading", { name: "Deliveries" })).toBeVisible();
  await expectAccessible(page);
  await drawer.getByRole("button", { name: "Close" }).click();
  await expect(drawer).toBeHidden();
  await page.getByRole("button", { name: "Add webhook" }).first().click();
  await expect(page.getByLabel("Address")).toBeFocused();
  await expectAccessible(page);
  await page.goto("/webhooks");
  await expectFitsTelephone(page);
  server.close();
});
