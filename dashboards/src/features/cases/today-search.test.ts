import { expect, it } from "vitest";
import { firstOf, parseQuery, writeQuery } from "../../lib/search-params";
import { isFiltered, todaySearch, WITHOUT_FILTERS } from "./today-search";

it("an address survives being written and read, and nonsense in it is left out", () => {
  const search = {
    queue: "closed",
    whose: "3",
    concern: "no_shows",
    search: "Ada",
    reason: "improved",
    action: "no_contact",
    from: "2025-12",
    to: "2026-01",
    page: 2,
  };
  expect(todaySearch(parseQuery(writeQuery(search)))).toEqual(search);
  const typed = parseQuery(
    "?queue=todo&whose=0&reason=bored&action=nothing_at_all&from=2026-13&to=2026&page=1",
  );
  expect(Object.values(todaySearch(typed)).every((value) => value === undefined)).toBe(true);
});

it("whose cases and which queue are shown is no filter; what Outcomes asks for is, until it is cleared", () => {
  expect(isFiltered({ queue: "closed", whose: "3", page: 2 })).toBe(false);
  for (const search of [
    { reason: "improved" },
    { action: "pause" },
    { from: "2026-01" },
    { to: "2026-01" },
  ]) {
    expect(isFiltered(todaySearch(search))).toBe(true);
    expect(isFiltered({ ...todaySearch(search), ...WITHOUT_FILTERS })).toBe(false);
  }
});

it("a month ends where the next one begins", () => {
  expect(firstOf("2025-12")).toBe("2025-12-01");
  expect(firstOf("2025-12", 1)).toBe("2026-01-01");
});
