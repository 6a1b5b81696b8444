import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, it } from "vitest";
import type { CaseEffect, EffectArm } from "../../lib/api-types";
import { at, server, serving } from "../../testing/server";
import { EffectPanel } from "./components/effect-panel";

serving();

const NOBODY: EffectArm = {
  cases: 0,
  running: 0,
  talked_to: 0,
  sessions: 0,
  let_downs: 0,
  let_down_rate: null,
};
const NOTHING: CaseEffect = {
  is_drawn: false,
  cases_needed: 10,
  drawn: {
    now: NOBODY,
    later: NOBODY,
    rate_ratio: null,
    low: null,
    high: null,
    words: "Too few cases to tell yet: 0 of 10 per arm.",
  },
  expected: {
    cases: 0,
    sessions: 0,
    let_downs: 0,
    expected: 0,
    low: null,
    high: null,
    words: "Too few cases to tell yet: 0 of 10 with a talk.",
  },
};
const ARM: EffectArm = {
  cases: 12,
  running: 3,
  talked_to: 11,
  sessions: 1200,
  let_downs: 96,
  let_down_rate: 0.08,
};

function show(answer: () => Response, role = "admin"): void {
  server.use(
    http.get(at("/api/cases/effect"), answer),
    http.get(at("/api/auth/session"), () => HttpResponse.json({ role })),
  );
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <EffectPanel />
      </QueryClientProvider>
    </MantineProvider>,
  );
}
const showEffect = (effect: Partial<CaseEffect>, role?: string) =>
  show(() => HttpResponse.json({ data: { ...NOTHING, ...effect } }), role);

it("waits, and then says that there is nothing to tell", async () => {
  showEffect({});
  expect(screen.getByRole("region", { name: "Did it help?" })).toBeTruthy();
  expect(screen.getByTestId("loading")).toBeTruthy();
  expect(await screen.findByText("Too few cases to tell yet")).toBeTruthy();
  expect(screen.getByText("0 of 10 followed cases with a talk.")).toBeTruthy();
  expect(screen.queryByRole("table")).toBeNull();
});

it("says what is missing as soon as anything is drawn", async () => {
  const words = "Too few cases to tell yet: 7 of 10 per arm.";
  const later = { ...ARM, cases: 7, talked_to: 0 };
  showEffect({ is_drawn: true, drawn: { ...NOTHING.drawn, now: ARM, later, words } });
  const answer = within(await screen.findByRole("region", { name: "By random order" }));
  expect(answer.getByText(words)).toBeTruthy();
  const texts = (row: RegExp) =>
    within(answer.getByRole("row", { name: row }))
      .getAllByRole("cell")
      .map(({ textContent }) => textContent);
  expect(texts(/^Talk at once/)).toEqual(["12", "11", "8.0%96 of 1,200"]);
  expect(texts(/^Talk after 30 days/)).toEqual(["7", "0", "8.0%96 of 1,200"]);
  expect(screen.queryByText(/TUTORQ_RANDOMISE_FOLLOW_UP/)).toBeNull();
});

it("shows what was expected without arms, and how to learn the cause", async () => {
  const words = "In 12 cases with a talk, tutors let down 34 sessions; 41 were expected without any change.";
  showEffect({ expected: { ...NOTHING.expected, cases: 12, low: 30, high: 53, words } });
  const answer = within(await screen.findByRole("region", { name: "Compared with expected let-downs" }));
  expect(answer.getByText(words)).toBeTruthy();
  expect(await answer.findByText("TUTORQ_RANDOMISE_FOLLOW_UP=true")).toBeTruthy();
  expect(screen.queryByRole("region", { name: "By random order" })).toBeNull();
});

it("names no setting to a coach", async () => {
  showEffect({ expected: { ...NOTHING.expected, cases: 12, low: 30, high: 53 } }, "coach");
  expect(await screen.findByText(/an admin can have the order of talks drawn at random/)).toBeTruthy();
  expect(screen.queryByText(/TUTORQ_/)).toBeNull();
});

it("keeps showing arms when nothing is drawn any more", async () => {
  showEffect({ drawn: { ...NOTHING.drawn, now: ARM, later: ARM } });
  expect(await screen.findByRole("table", { name: "By random order" })).toBeTruthy();
});

it("tells a problem, with a way to try again", async () => {
  show(() =>
    HttpResponse.json(
      {
        type: "about:blank",
        title: "Trouble",
        status: 503,
        detail: "The server is busy.",
        request_id: "r-1",
      },
      { status: 503 },
    ),
  );
  expect((await screen.findByRole("alert")).textContent).toContain("The server is busy.");
  expect(screen.getByRole("button", { name: "Try again" })).toBeTruthy();
});
