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
  email: `tutor-${rank}@example.org`,
  subjects: ["maths"],
  attention: false,
  concerns: [],
  let_down_probability: rank / 50,
  let_down_level: "low",
  churn_probability: rank / 100,
  risk_level: "low",
  rank,
  compatibility_score: 0.5,
  ...more,
});

const CASES = at("/api/cases");

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
    predicted_at: null,
  },
});

/** The open cases of the session's tutor. */
function open(cases: { case_id: number; may_change: boolean }[] = []): void {
  server.use(
    http.get(CASES, () => HttpResponse.json({ data: cases })),
    http.get(at("/api/auth/session"), () =>
      HttpResponse.json({ name: "Nora Quinn", role: "coach", person_id: 2, tutor_ids: [] }),
    ),
  );
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

it("lists who is free, with both risks and concerns, and more on request", async () => {
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
  for (const text of ["Low let-down risk2%", "Low leaving risk1%"])
    expect(rows[0]?.textContent).toContain(text);
  for (const text of ["No-shows", "Low ratings", "no subject"]) expect(rows[1]?.textContent).toContain(text);
  expect(rows[2]?.textContent).toContain("Not predicted");
  expect(screen.getByText(/45 minutes\. Planned with Ada Novak\./)).toBeTruthy();
  expect(screen.getByRole("link", { name: "See the match with Tutor 1" }).getAttribute("href")).toBe(
    "/matching?student=p-1&tutor=t-1&subject=maths",
  );
  await userEvent.click(screen.getByRole("button", { name: "Show more (10 of 12)" }));
  expect(await screen.findByText("Tutor 12")).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Show more/ })).toBeNull();
});

it("says who was asked, and notes it in the case of the session's tutor", async () => {
  const noted: unknown[] = [];
  const event = (tutor_id: string, answer: string, session_id = "s-1") => ({
    event_id: 1,
    kind: "stand_in",
    actor: "Ann Lee",
    happened_at: "2026-01-31T12:00:00Z",
    details: { session_id, tutor_id, answer },
  });
  const events = [event("t-2", "declined"), event("t-2", "asked"), event("t-3", "agreed", "s-9")];
  server.use(
    http.get(PATH, () => HttpResponse.json(list([tutor(1), tutor(2), tutor(3, { email: null })]))),
    http.get(at("/api/cases/17/events"), () => HttpResponse.json({ data: events })),
    http.post(at("/api/cases/17/stand-ins"), async ({ request }) => {
      noted.push(await request.json());
      events.unshift(event("t-1", "agreed"));
      return new HttpResponse(null, { status: 204 });
    }),
  );
  open([{ case_id: 17, may_change: true }]);
  expect(await screen.findByText(/to case 17 of Ada Novak/)).toBeTruthy();
  const row = (index: number) =>
    within(screen.getByRole("list", { name: "Stand-ins" })).getAllByRole("listitem")[index] as HTMLElement;
  expect(row(1).textContent).toContain("Declined, noted by Ann Lee");
  expect(row(2).textContent).not.toContain("noted by");
  expect(within(row(2)).queryByRole("link", { name: "Mail" })).toBeNull();
  const mail = new URL(within(row(0)).getByRole("link", { name: "Mail" }).getAttribute("href") ?? "");
  expect(mail.pathname).toBe("tutor-1%40example.org");
  expect(mail.searchParams.get("body")).toContain("a session of maths on");
  // The student is nobody's business until they stand in.
  expect(mail.searchParams.get("body")).not.toContain("Lea Berg");
  await userEvent.click(screen.getByRole("button", { name: "Note that Tutor 1 has agreed" }));
  expect(await within(row(0)).findByText(/Agreed, noted by Ann Lee/)).toBeTruthy();
  expect(noted).toEqual([{ session_id: "s-1", tutor_id: "t-1", answer: "agreed" }]);
});

it("says that nothing is noted where there is no case", async () => {
  server.use(http.get(PATH, () => HttpResponse.json(list([tutor(1)]))));
  open();
  expect(await screen.findByText(/Ada Novak has no open case, so tutorq records nothing here/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: /^Note that/ })).toBeNull();
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
