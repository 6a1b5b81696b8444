import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, it } from "vitest";
import type { StandIn, StandInList } from "../../../lib/api-types";
import { at, server, serving } from "../../../testing/server";
import { StandInsDialog } from "./stand-ins-dialog";

serving();

const PATH = at("/api/sessions/S-1/stand-ins");

const tutor = (rank: number, more: Partial<StandIn> = {}): StandIn => ({
  tutor_id: `t-${rank}`,
  external_id: null,
  name: `Tutor ${rank}`,
  subjects: ["maths"],
  attention: false,
  concerns: [],
  churn_probability: rank / 100,
  risk_level: "low",
  rank,
  compatibility_score: 0.5,
  ...more,
});

const list = (data: StandIn[], total = data.length): StandInList => ({
  session: {
    session_id: "s-1",
    external_id: "S-1",
    scheduled_time: "2026-02-02T15:00:00Z",
    minutes: 45,
    subject: "maths",
    student_id: "p-1",
    student_name: "Lea Berg",
    tutor_id: "t-0",
    tutor_name: "Ada Novak",
  },
  data,
  meta: {
    total,
    limit: 10,
    offset: 0,
    next_cursor: null,
    as_of: "2026-01-31",
    generation: 1,
    published_at: "2026-01-31T12:00:00Z",
    refreshed_at: "2026-01-31T12:00:00Z",
    prediction_version: 1,
  },
});

function open(): void {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const routeTree = createRootRoute({
    component: () => <StandInsDialog sessionId="S-1" onClose={() => {}} />,
  });
  const router = createRouter({ routeTree, history: createMemoryHistory() });
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={client}>
        {/* biome-ignore lint/suspicious/noExplicitAny: this router has one page only */}
        <RouterProvider router={router as any} />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

it("lists who is free, with risk, rank and concerns, and more on request", async () => {
  const everybody = Array.from({ length: 12 }, (_, at) => tutor(at + 1));
  everybody[1] = tutor(2, { attention: true, concerns: ["no_shows", "low_ratings"], subjects: [] });
  everybody[2] = tutor(3, { churn_probability: null, risk_level: null, rank: null });
  server.use(
    http.get(PATH, ({ request }) => {
      const limit = Number(new URL(request.url).searchParams.get("limit"));
      return HttpResponse.json(list(everybody.slice(0, limit), everybody.length));
    }),
  );
  open();
  const stand = await screen.findByRole("list", { name: "Stand-ins" });
  const rows = within(stand).getAllByRole("listitem");
  expect(rows).toHaveLength(10);
  expect(rows[0]?.textContent).toContain("1% · 1st of 12");
  for (const text of ["No-shows", "Low ratings", "names no subject", "2nd of 12"])
    expect(rows[1]?.textContent).toContain(text);
  expect(rows[2]?.textContent).toContain("Not predicted");
  expect(screen.getByText(/45 minutes\. Planned with Ada Novak\./)).toBeTruthy();
  expect(screen.getByRole("link", { name: "See the match with Tutor 1" }).getAttribute("href")).toBe(
    "/matching?student=p-1&tutor=t-1",
  );
  await userEvent.click(screen.getByRole("button", { name: "Show more (10 of 12)" }));
  expect(await screen.findByText("Tutor 12")).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Show more/ })).toBeNull();
});

it("says that nobody is free", async () => {
  server.use(http.get(PATH, () => HttpResponse.json(list([]))));
  open();
  expect(await screen.findByText("No tutor is free")).toBeTruthy();
});

it("says that the session is not planned", async () => {
  const problem = { type: "about:blank", title: "Not found", status: 404, request_id: "r-1" };
  server.use(
    http.get(PATH, () =>
      HttpResponse.json({ ...problem, detail: "There is no planned session with this id." }, { status: 404 }),
    ),
  );
  open();
  expect(await screen.findByText("There is no planned session with this id.")).toBeTruthy();
});
