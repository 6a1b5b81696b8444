import { expect, it } from "vitest";
import { hourOfDay } from "../../lib/format";
import { dayInWords, everyHour, hourInWords, sessionsIn } from "./hours";

const none = { let_down: 0, other: 0, held: 0, high: 0, medium: 0, low: 0, unknown: 0 };

it("shows every hour from the first to the last", () => {
  const hours = everyHour([
    { ...none, hour: 9, held: 2 },
    { ...none, hour: 12, low: 1 },
  ]);
  expect(hours.map(({ hour }) => hour)).toEqual([9, 10, 11, 12]);
  expect(hours.map(sessionsIn)).toEqual([2, 0, 0, 1]);
  expect(everyHour([])).toEqual([]);
});

it("says of an hour what is in it", () => {
  expect(hourInWords({ ...none, hour: 9, high: 2, held: 1 })).toBe(
    `${hourOfDay(9)}: 3 sessions; 1 held; 2 planned, high risk`,
  );
  expect(hourInWords({ ...none, hour: 23 })).toBe(`${hourOfDay(23)}: 0 sessions`);
});

it("says of the day what is at risk, and when", () => {
  const hours = [
    { ...none, hour: 9, high: 2, low: 10 },
    { ...none, hour: 10, high: 5, let_down: 3, other: 1, held: 1_000 },
  ];
  const totals = { ...none, high: 7, low: 10, let_down: 3, other: 1, held: 1_000 };
  expect(dayInWords(totals, hours)).toBe(
    `7 of 17 planned sessions with a high let-down risk, most at ${hourOfDay(10)} (5). 1,000 held; 4 called off or missed, 3 by tutors.`,
  );
  expect(dayInWords({ ...none, low: 3 }, [])).toBe("0 of 3 planned sessions with a high let-down risk.");
  expect(dayInWords({ ...none, held: 3 }, [])).toBe("No more sessions are planned for this day. 3 held.");
});
