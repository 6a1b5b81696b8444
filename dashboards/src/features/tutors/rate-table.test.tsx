import { MantineProvider } from "@mantine/core";
import { render, screen, within } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import type { TutorDetail } from "../../lib/api-types";
import { METRICS, WINDOWS } from "../../lib/metrics";
import { RateTable } from "./components/rate-table";

/** Every count is its place in the list and its window; every rate grows with its window, from none. */
const figures = METRICS.flatMap(({ name, rate }, place) =>
  WINDOWS.flatMap((days) => [
    [`${name}_${days}d`, 100 * place + days],
    ...(rate === null ? [] : [[`${rate}_${days}d`, days === 7 ? null : days / 100]]),
  ]),
);
const tutor = { trend_30d: null, episodes_90d: 2, ...Object.fromEntries(figures) } as TutorDetail;

beforeEach(() => {
  render(
    <MantineProvider>
      <RateTable tutor={tutor} threshold={0.5} counts={["reschedules", "no_shows"]} />
    </MantineProvider>,
  );
});

const cellsOf = (label: string) =>
  within(screen.getByRole("row", { name: new RegExp(`^${label} \\d`) })).getAllByRole("cell");

it("has a row of each metric and a column of each window", () => {
  const table = within(screen.getByRole("table", { name: "Counts by window" }));
  const texts = (role: string) => table.getAllByRole(role).map(({ textContent }) => textContent);
  expect(texts("columnheader")).toEqual(["Last", "7 days", "30 days", "90 days"]);
  expect(texts("rowheader")).toEqual(
    METRICS.map(({ name, label }) => (name === "let_downs" ? "Moved or missed" : label)),
  );
  expect(cellsOf("Sessions").map(({ textContent }) => textContent)).toEqual(["7", "30", "90"]);
});

it("shows a rate below its count, none without sessions, and only let-downs against the limit", () => {
  const place = METRICS.findIndex(({ name }) => name === "let_downs");
  const moved = cellsOf("Moved or missed");
  expect(moved.map(({ textContent }) => textContent)).toEqual([
    `${100 * place + 7}no sessions`,
    `${100 * place + 30}30.0%`,
    `${100 * place + 90}90.0%`,
  ]);
  expect(moved.map((cell) => cell.querySelector("strong")?.textContent)).toEqual([
    undefined,
    undefined,
    "90.0%",
  ]);
  expect(cellsOf("Missed by tutor").some((cell) => cell.querySelector("strong"))).toBe(false);
});
