import { expect, it } from "vitest";
import { hoursOf, inSlot, toneOf } from "./slot-map";

const slot = (weekday: number, hour: number, sessions = 10, let_downs = 0) => ({
  weekday,
  hour,
  sessions,
  let_downs,
});

it("has every hour between the first and the last one", () => {
  expect(hoursOf([slot(1, 17), slot(5, 14)])).toEqual([14, 15, 16, 17]);
  expect(hoursOf([])).toEqual([]);
});

it("finds a cell by weekday and hour", () => {
  const slots = [slot(1, 17), slot(5, 14)];
  expect(inSlot(slots, 5, 14)).toBe(slots[1]);
  expect(inSlot(slots, 5, 17)).toBeUndefined();
});

it("is darker with a higher rate, and not where there are few sessions", () => {
  expect([0, 1, 2, 3, 4].map((letDowns) => toneOf(slot(1, 9, 10, letDowns)))).toEqual([0, 1, 2, 2, 3]);
  expect(toneOf(slot(1, 9, 3, 3))).toBe(0);
});
