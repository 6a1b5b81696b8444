import { MantineProvider } from "@mantine/core";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { expect, it, vi } from "vitest";
import type { QueryState } from "./query-boundary";
import { type Column, QueryTable, ROW_LINK, Table } from "./table";

interface Person {
  id: string;
  sessions: number;
}
type Sort = "id" | "sessions";

const people: Person[] = [
  { id: "Ada", sessions: 3 },
  { id: "Bo", sessions: 0 },
];
const columns: Column<Person, Sort>[] = [
  {
    header: "Name",
    sort: "id",
    isRowHeader: true,
    cell: ({ id }) => (
      <a href={`#${id}`} {...ROW_LINK}>
        {id}
      </a>
    ),
  },
  { header: "Sessions", sort: "sessions", cell: ({ sessions }) => sessions },
  { header: "Remove", isHeaderHidden: true, cell: () => <button type="button">Remove</button> },
];
const table = { label: "People", columns, keyOf: ({ id }: Person) => id };

const show = (node: ReactNode) => render(<MantineProvider>{node}</MantineProvider>);
const query = (state: Partial<QueryState<Person[]>>) =>
  ({ isPlaceholderData: false, dataUpdatedAt: 0, error: null, ...state }) as QueryState<Person[]>;
const ofQuery = (state: Partial<QueryState<Person[]>>) => (
  <QueryTable
    {...table}
    query={query(state)}
    rowsOf={(rows) => rows}
    skeletonRows={2}
    empty={(rows) => rows.length === 0 && "Nobody"}
    footer={(rows) => `${rows.length} people`}
  />
);

it("names itself, its columns and its rows", () => {
  show(<Table {...table} rows={people} />);
  const named = within(screen.getByRole("table", { name: "People" }));
  expect(named.getAllByRole("columnheader").map((header) => header.textContent)).toEqual([
    "Name",
    "Sessions",
    "Remove",
  ]);
  expect(named.getAllByRole("rowheader").map((header) => header.textContent)).toEqual(["Ada", "Bo"]);
});

it("says by what it is sorted, and asks for another order", async () => {
  const onSort = vi.fn();
  show(<Table {...table} rows={people} sorting={{ by: "id", order: "desc", onSort }} />);
  expect(screen.getByRole("columnheader", { name: "Name" }).getAttribute("aria-sort")).toBe("descending");
  expect(screen.getByRole("columnheader", { name: "Sessions" }).getAttribute("aria-sort")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Sessions" }));
  expect(onSort).toHaveBeenCalledWith("sessions");
});

it("lets arrow keys go from row to row, and stop at the last", async () => {
  show(<Table {...table} rows={people} />);
  screen.getByRole("link", { name: "Ada" }).focus();
  await userEvent.keyboard("{ArrowDown}{ArrowDown}");
  expect(document.activeElement?.textContent).toBe("Bo");
  await userEvent.keyboard("{ArrowUp}");
  expect(document.activeElement?.textContent).toBe("Ada");
});

it("shows how its query stands", () => {
  const { rerender } = show(ofQuery({}));
  const next = (state: Partial<QueryState<Person[]>>) =>
    rerender(<MantineProvider>{ofQuery(state)}</MantineProvider>);
  expect(screen.getByTestId("loading")).toBeTruthy();
  next({ error: new Error("broken") });
  expect(screen.getByRole("alert")).toBeTruthy();
  next({ data: [] });
  expect(screen.getByText("Nobody")).toBeTruthy();
  expect(screen.queryByRole("table")).toBeNull();
  next({ data: people, isPlaceholderData: true });
  expect(screen.getByRole("table").getAttribute("aria-busy")).toBe("true");
  expect(screen.getByText("2 people")).toBeTruthy();
});

it("marks the rows that say something else than before, for a moment", () => {
  vi.useFakeTimers();
  const wrapped = (rows: Person[], isStale = false) => (
    <MantineProvider>
      <Table {...table} rows={rows} isStale={isStale} />
    </MantineProvider>
  );
  const marked = () =>
    screen
      .getAllByRole("row")
      .filter((row) => row.dataset.changed === "true")
      .map((row) => row.dataset.key);
  const { rerender } = render(wrapped(people));
  expect(marked()).toEqual([]);
  rerender(wrapped([people[1] as Person, { id: "Ada", sessions: 4 }, { id: "Cy", sessions: 1 }]));
  // Neither who has only moved, nor who is new.
  expect(marked()).toEqual(["Ada"]);
  vi.advanceTimersByTime(5_000);
  expect(marked()).toEqual([]);
  // The answer to another question.
  rerender(wrapped(people, true));
  rerender(wrapped([{ id: "Ada", sessions: 9 }]));
  expect(marked()).toEqual([]);
  vi.useRealTimers();
});
