import { expect, it } from "vitest";
import { weeklySearch } from "./weekly-search";

it("only a name of a week is one", () => {
  expect(weeklySearch({ week: "2026-W47" })).toEqual({ week: "2026-W47" });
  for (const week of ["2026-47", "soon", 2026, undefined, "2026-W477"])
    expect(weeklySearch({ week })).toEqual({ week: undefined });
});
