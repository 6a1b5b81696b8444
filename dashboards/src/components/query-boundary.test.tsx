import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { ApiProblem } from "../lib/problem";
import { QueryBoundary, type QueryState } from "./query-boundary";
import { WayBack } from "./way-back";

const down = new ApiProblem(0, "Cannot reach the API", "The API may be restarting.");
const missing = new ApiProblem(404, "Not found", "There is no tutor with this id.");

const query = (state: Partial<QueryState<string>>) =>
  ({
    data: undefined,
    error: null,
    errorUpdateCount: 0,
    isFetching: false,
    dataUpdatedAt: 0,
    ...state,
  }) as QueryState<string>;

const parts = (...states: Partial<QueryState<string>>[]) => (
  <MantineProvider>
    <WayBack value={<a href="/tutors">Go to tutors</a>}>
      {states.map((state, part) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they keep their places
        <QueryBoundary key={part} query={query(state)} skeleton="waiting">
          {(data) => data}
        </QueryBoundary>
      ))}
    </WayBack>
  </MantineProvider>
);

it("announces once what several parts of the page have", () => {
  render(parts({ error: down }, { error: down }, { error: missing }));
  expect(screen.getAllByText("Cannot reach the API")).toHaveLength(2);
  expect(screen.getAllByRole("alert").map(({ textContent }) => textContent)).toEqual([
    "Cannot reach the APIThe API may be restarting.",
    "Not foundThere is no tutor with this id.",
  ]);
});

it("keeps the problem while it asks again by itself", () => {
  const { rerender } = render(parts({ error: down, errorUpdateCount: 1 }));
  const alert = screen.getByRole("alert");
  rerender(parts({ errorUpdateCount: 1, isFetching: true }));
  expect(screen.getByRole("alert")).toBe(alert);
  expect(screen.queryByText("waiting")).toBeNull();
  rerender(parts({ error: new ApiProblem(0, down.title, down.detail, "r-2"), errorUpdateCount: 2 }));
  expect(screen.getByRole("alert")).toBe(alert);
  expect(screen.getByText("request r-2").closest("[role=alert]")).toBeNull();
  rerender(parts({ data: "there" }));
  expect(screen.queryByRole("alert")).toBeNull();
});

it("announces again what comes of the reader's own try", async () => {
  const refetch = vi.fn(async () => ({}) as never);
  const state = { error: down, errorUpdateCount: 1, refetch };
  render(parts(state));
  const alert = screen.getByRole("alert");
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(refetch).toHaveBeenCalledOnce();
  expect(screen.getByRole("alert")).not.toBe(alert);
});

it("leads to the list if there is no such thing", () => {
  render(parts({ error: missing }));
  expect(screen.getByRole("link", { name: "Go to tutors" })).toBeTruthy();
  expect(screen.queryByRole("button")).toBeNull();
});

it("announces that what is shown is old", () => {
  render(parts({ data: "there", error: down }));
  expect(screen.getByText("there")).toBeTruthy();
  expect(screen.getByRole("alert").textContent).toMatch(/^Cannot reach the API.*These figures are from /);
});

it("says who can help where the reader's role is not enough, and offers no second try", () => {
  const detail = "Needs the role lead; yours is coach.";
  const members = { needs_role: ["lead", "admin"] };
  const view = render(
    parts({ error: new ApiProblem(403, "This is not allowed", detail, undefined, members) }),
  );
  expect(screen.getByRole("alert").textContent).toContain("Ask an admin for access.");
  expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
  expect(screen.getByRole("link", { name: "Go to tutors" })).toBeTruthy();
  view.unmount();
  render(parts({ error: new ApiProblem(403, "This is not allowed", "Notifications are for people.") }));
  expect(screen.getByRole("alert").textContent).not.toContain("Ask an admin");
});
