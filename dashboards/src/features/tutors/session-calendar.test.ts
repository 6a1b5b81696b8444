import { expect, it } from "vitest";
import type { SessionDay } from "../../lib/api-types";
import { dayInWords, dayWithReason, gravest, weeksOf } from "./session-calendar";

const day = (date: string): SessionDay => ({
  day: date,
  sessions: 6,
  let_downs: 5,
  can_be_excused: 5,
  outcomes: [
    { outcome: "cancelled", sessions: 5 },
    { outcome: "held", sessions: 1 },
  ],
  excuses: [],
});

it("has every day of the range once, in whole weeks", () => {
  // Saturday; 90 days before begin on Monday, 3 November 2025.
  const weeks = weeksOf([day("2026-01-27")], "2026-01-31", 90, 1);
  const cells = weeks.flatMap(({ cells }) => cells);
  expect(cells.filter((cell) => cell !== null)).toHaveLength(90);
  expect(weeks[0]?.cells[0]?.date).toBe("2025-11-03");
  expect(weeks.every(({ cells }) => cells.length === 7)).toBe(true);
  expect(weeks.at(-1)?.cells.map((cell) => cell?.date ?? null)).toEqual([
    "2026-01-26",
    "2026-01-27",
    "2026-01-28",
    "2026-01-29",
    "2026-01-30",
    "2026-01-31",
    null,
  ]);
  expect(weeks.at(-1)?.cells[1]?.day?.sessions).toBe(6);
  expect(cells.filter((cell) => cell?.day)).toHaveLength(1);
});

it("a range that begins in the middle of a week leaves the days before it out", () => {
  const [first] = weeksOf([], "2026-01-31", 4, 1);
  expect(first?.cells.map((cell) => cell !== null)).toEqual([false, false, true, true, true, true, false]);
});

it.each([
  [7, "2026-01-25"],
  [6, "2026-01-31"],
  [1, "2026-01-26"],
])("weeks begin with the reader's first weekday, %s", (weekday, start) => {
  const weeks = weeksOf([], "2026-01-31", 90, weekday);
  expect(weeks.at(-1)?.start).toBe(start);
  expect(weeks.flatMap(({ cells }) => cells).filter((cell) => cell !== null)).toHaveLength(90);
});

it("says what happened, the gravest first, and why", () => {
  expect(dayInWords(day("2026-01-27"))).toBe("6 sessions: 5 cancelled by the tutor, 1 held as planned");
  expect(dayWithReason("illness")).toBe("sick day");
  expect(dayWithReason("power_cut")).toBe("day (power cut)");
  expect(dayWithReason(null)).toBe("day");
});

it("counts all that the tutor did not hold, under its gravest kind", () => {
  const outcomes: SessionDay["outcomes"] = [
    { outcome: "cancelled", sessions: 2 },
    { outcome: "moved", sessions: 33 },
    { outcome: "late", sessions: 1 },
    { outcome: "held", sessions: 4 },
  ];
  expect(gravest({ ...day("2026-11-30"), outcomes })).toEqual({ outcome: "cancelled", sessions: 35 });
  expect(gravest({ ...day("2026-11-30"), outcomes: outcomes.slice(2) })).toEqual({
    outcome: "late",
    sessions: 1,
  });
  expect(gravest({ ...day("2026-11-30"), outcomes: [] })).toBeUndefined();
});
