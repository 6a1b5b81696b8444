import { MantineProvider } from "@mantine/core";
import { render, screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { CaseConcern, ConcernName, Fact } from "../../lib/api-types";
import { ThenAndNow } from "./components/then-and-now";

const known = (concern: ConcernName, events: number | null, raw_rate: number | null): CaseConcern => ({
  concern,
  probability: 0.9,
  threshold: 0.15,
  trials: 463,
  events,
  raw_rate,
  expected: 0.2,
  low: 0.14,
  high: 0.37,
  raised_on: "2026-11-24",
});

const fact = (concern: ConcernName, rest: Partial<Fact>): Fact => ({
  concern,
  is_raised: true,
  superseded: false,
  change: null,
  sentence: null,
  now: null,
  opening: null,
  ending: null,
  ...rest,
});

function cellsOf(label: string, ...facts: Fact[]): (string | null)[] {
  render(
    <MantineProvider>
      <ThenAndNow facts={facts} openedOn="2026-11-25" />
    </MantineProvider>,
  );
  const row = screen.getByRole("row", { name: new RegExp(`^${label}`) });
  return within(row)
    .getAllByRole("cell")
    .map(({ textContent }) => textContent);
}

it("counts both days alike, and says by how much they differ", () => {
  const cells = cellsOf(
    "Suddenly worse",
    fact("getting_worse", {
      change: "6.2% → 20% in the last 30 days",
      opening: known("getting_worse", 59, 59 / 463),
      now: known("getting_worse", 57, 57 / 463),
    }),
  );
  expect(cells[0]).toContain("59 of 463 sessions, 12.7%");
  expect(cells[1]).toContain("57 of 463 sessions, 12.3%");
  expect(cells[2]).toBe("−0.4 pts");
  expect(screen.getByRole("rowheader").textContent).toContain("6.2% → 20% in the last 30 days");
});

it("says that nothing has changed, and of ratings the difference in stars", () => {
  const same = known("unreliable", 57, 57 / 463);
  const facts = [
    fact("unreliable", { opening: same, now: same }),
    fact("low_ratings", {
      opening: known("low_ratings", null, 3.6),
      now: known("low_ratings", null, 3.85),
    }),
  ];
  expect(cellsOf("Unreliable", ...facts)[2]).toBe("Unchanged");
  const ratings = screen.getByRole("row", { name: /^Low ratings/ });
  expect(within(ratings).getAllByRole("cell")[2]?.textContent).toBe("+0.3");
});

it("names the concern that was raised in place of a superseded one", () => {
  const superseded = fact("getting_worse", { is_raised: false, superseded: true });
  const unreliable = fact("unreliable", { opening: known("unreliable", 57, 57 / 463) });
  const cells = cellsOf("Suddenly worse", unreliable, superseded);
  expect([cells[0], cells[3]]).toEqual(["Counted under Unreliable", "Counted under Unreliable"]);
});

it.each([
  ["2026-11-24", "Counted under Unreliable"],
  ["2026-11-26", "Not raised then"],
])("says of what counts by itself now, raised on %s: %s", (raised_on, then) => {
  const sudden = fact("getting_worse", { now: { ...known("getting_worse", 57, 57 / 463), raised_on } });
  const unreliable = fact("unreliable", { opening: known("unreliable", 57, 57 / 463), is_raised: false });
  expect(cellsOf("Suddenly worse", unreliable, sudden)[0]).toBe(then);
});

it("says that a concern was not raised then", () => {
  expect(cellsOf("No-shows", fact("no_shows", {}))[0]).toBe("Not raised then");
});
