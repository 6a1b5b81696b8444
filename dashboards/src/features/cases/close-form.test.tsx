import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Case } from "../../lib/api-types";
import { CloseForm } from "./components/close-form";

const RAISED = [
  { concern: "unreliable", words: "unreliable, 27% of 45 sessions" },
  { concern: "no_shows", words: "no-shows, 4 of 45 sessions" },
];

function show(raised: typeof RAISED) {
  const subject = { case_id: 7, tutor: { tutor_id: "t-1", is_active: true }, raised } as unknown as Case;
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <CloseForm subject={subject} today="2026-12-01" onDone={() => {}} onCancel={() => {}} />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

it("says which concerns are still raised", () => {
  show(RAISED);
  expect(screen.getByText(/^Still raised: Unreliable, No-shows\./)).toBeTruthy();
});

it("says nothing of concerns where none is raised", () => {
  show([]);
  expect(screen.queryByText(/Still raised/)).toBeNull();
});
