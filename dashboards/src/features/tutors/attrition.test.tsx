import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, it } from "vitest";
import { at, server, serving } from "../../testing/server";
import { Attrition } from "./components/attrition";

serving();

function show(isPredicted: boolean): void {
  server.use(
    http.get(at("/api/tutors/T-1/attrition"), () =>
      HttpResponse.json({ data: null, meta: { is_predicted: isPredicted } }),
    ),
  );
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <Attrition tutorId="T-1" />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

it("does not blame the tutor before the first predictions are made", async () => {
  show(false);
  expect(await screen.findByText("Predictions are not made yet")).toBeTruthy();
  expect(screen.queryByText(/needs an active tutor/)).toBeNull();
});

it("says what a prediction needs where others have one", async () => {
  show(true);
  expect(await screen.findByText(/needs an active tutor/)).toBeTruthy();
});
