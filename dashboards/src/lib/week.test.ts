import { expect, it } from "vitest";
import { shortDay } from "./format";
import { daysAfter, daysOfWeek, daysSoFar, soFar } from "./week";

it("counts the days of the week of a day", () => {
  expect(daysOfWeek("2026-11-30")).toBe(1);
  expect(daysOfWeek("2026-12-03")).toBe(4);
  expect(daysOfWeek("2026-12-06")).toBe(7);
  expect(daysOfWeek(undefined)).toBe(7);
});

it("says how much of a week is over", () => {
  expect(daysSoFar("2026-11-30", "2026-11-30")).toBe(1);
  expect(daysSoFar("2026-11-30", "2026-12-06")).toBe(7);
  expect(daysSoFar("2026-11-16", "2026-12-06")).toBe(7);
  expect(daysSoFar("2026-10-19", "2026-10-26")).toBe(7);
});

it("says it in words, and nothing of a whole week", () => {
  expect(soFar(3)).toBe("this week so far, 3 of 7 days");
  expect(soFar(7)).toBeNull();
});

it("names the first and the last of the seven days after a day", () => {
  expect(daysAfter("2026-12-27")).toBe(`${shortDay("2026-12-28")} to ${shortDay("2027-01-03")}`);
});
