import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, it } from "vitest";
import type { BrowserSession, Health } from "../lib/api-types";
import { at, server, serving } from "../testing/server";
import { App } from "./app";

serving();

const session: BrowserSession = {
  person_id: null,
  name: "quality-team",
  role: "read",
  tutor_ids: null,
  expires_at: "2026-02-01T00:00:00Z",
};
const health: Health = {
  status: "starting",
  checks: {
    database: { status: "ok" },
    publication: { status: "starting" },
    dagster_daemon: { status: "ok" },
    unprocessed_changes: { status: "ok" },
  },
};
const problem = (status: number, detail: string) =>
  HttpResponse.json({ type: "about:blank", title: "Trouble", status, detail, request_id: "r-2" }, { status });

it("asks for a log-in, tells why a key is refused, and goes on with one that is not", async () => {
  const user = userEvent.setup();
  server.use(
    http.get(at("/api/auth/session"), () => problem(401, "Nobody is logged in at this browser.")),
    http.post(at("/api/auth/session"), async ({ request }) =>
      ((await request.json()) as { api_key: string }).api_key === "right"
        ? HttpResponse.json(session, { status: 201 })
        : problem(401, "The key is unknown or revoked."),
    ),
    http.get(at("/api/auth/methods"), () => HttpResponse.json({ mail: false, oidc: false })),
    http.get(at("/api/health"), () => HttpResponse.json(health, { status: 503 })),
    http.get(at("/api/cases"), () => problem(404, "Nothing is published yet.")),
    http.get(at("/api/appeals"), () => problem(404, "Nothing is published yet.")),
  );
  render(<App />);
  expect(await screen.findByText("Ask your admin for a log-in link and open it here.")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Use an API key" }));
  const key = await screen.findByLabelText("API key");
  await user.type(key, "wrong");
  await user.click(screen.getByRole("button", { name: "Log in" }));
  expect(await screen.findByText("The key is unknown or revoked.")).toBeTruthy();
  await user.clear(key);
  await user.type(key, "right");
  await user.click(screen.getByRole("button", { name: "Log in" }));
  expect(await screen.findByRole("heading", { name: "Today" })).toBeTruthy();
  expect((await screen.findAllByText("Nothing is published yet."))[0]).toBeTruthy();
  expect(await screen.findByText("No scores are published yet")).toBeTruthy();
});

it("uses a link up only when its reader says so", async () => {
  const user = userEvent.setup();
  const used: unknown[] = [];
  const statuses = [503, 401];
  server.use(
    http.get(at("/api/auth/session"), () => problem(401, "Nobody is logged in at this browser.")),
    http.get(at("/api/auth/methods"), () => HttpResponse.json({ mail: true, oidc: false })),
    http.post(at("/api/auth/session"), async ({ request }) => {
      used.push(await request.json());
      return problem(statuses.shift() ?? 500, "The link has been used, or is too old.");
    }),
  );
  window.history.replaceState(null, "", "/login#token=abc");
  render(<App />);
  const button = await screen.findByRole("button", { name: "Log in" });
  expect(screen.getAllByRole("button")).toEqual([button]);
  expect(document.activeElement).toBe(button);
  expect(used).toEqual([]);
  await user.keyboard("{Enter}");
  // The link has not been looked at, and can be tried again.
  await waitFor(() => expect(screen.getByText(/Trouble/)).toBeTruthy());
  expect(window.location.hash).toBe("#token=abc");
  await user.click(screen.getByRole("button", { name: "Log in" }));
  expect(await screen.findByText("The link has been used, or is too old.")).toBeTruthy();
  expect(used).toEqual([{ token: "abc" }, { token: "abc" }]);
  expect(await screen.findByRole("button", { name: "Email me a log-in link" })).toBeTruthy();
  expect(window.location.hash).toBe("");
});

it("mails a link to who asks for one, and says why the provider did not let somebody in", async () => {
  const user = userEvent.setup();
  const asked: unknown[] = [];
  server.use(
    http.get(at("/api/auth/session"), () => problem(401, "Nobody is logged in at this browser.")),
    http.get(at("/api/auth/methods"), () => HttpResponse.json({ mail: true, oidc: true })),
    http.post(at("/api/auth/link"), async ({ request }) => {
      asked.push(await request.json());
      return new HttpResponse(null, { status: 202 });
    }),
  );
  window.history.replaceState(null, "", "/login#refused=no-role");
  render(<App />);
  expect(await screen.findByText(/Your organisation assigned you no role here/)).toBeTruthy();
  const organisation = await screen.findByRole("link", { name: "Continue with your organisation" });
  expect(organisation.getAttribute("href")).toBe("/api/auth/oidc/log-in");
  await user.type(screen.getByLabelText("Your e-mail address"), "ann@example.org");
  await user.click(screen.getByRole("button", { name: "Email me a log-in link" }));
  expect(
    await screen.findByText(/If ann@example.org is registered here, we have mailed you a log-in link/),
  ).toBeTruthy();
  expect(asked).toEqual([{ email: "ann@example.org" }]);
});
