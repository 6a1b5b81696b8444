import { expect, it } from "vitest";
import { neighbours, placeInWords, placeOf, type Worklist } from "./worklist";

const list = (current: number | null): Worklist => ({
  key: "k",
  search: {},
  queue: "todo",
  ids: [7, 5, 9, 2],
  current,
  scroll: 0,
});

it("knows what is before and after a case, and nothing of others", () => {
  expect(neighbours(list(7), 5)).toEqual({ place: 2, total: 4, previous: 7, next: 9 });
  expect(neighbours(list(7), 7)).toMatchObject({ previous: undefined, next: 5 });
  expect(neighbours(list(7), 2)).toMatchObject({ previous: 9, next: undefined });
  expect(neighbours(list(7), 4)).toBeNull();
  expect(neighbours(null, 7)).toBeNull();
});

it("says where a case is that has left the list", () => {
  const known = { place: 1, total: 7, previous: undefined, next: 5 };
  expect(placeInWords(known, "todo")).toBe("1 of 7 in To do");
  expect(placeInWords(known, "todo", "todo")).toBe("1 of 7 in To do");
  expect(placeInWords(known, "todo", "waiting")).toBe("Was 1 of 7 in To do, is in Waiting");
});

it("goes on with the case, or with what has taken its place", () => {
  expect(placeOf(list(9), [7, 5, 9, 2])).toBe(2);
  expect(placeOf(list(9), [7, 5, 2])).toBe(2);
  expect(placeOf(list(9), [2])).toBe(0);
  expect(placeOf(list(2), [7, 5])).toBe(1);
  expect(placeOf(list(9), [])).toBeNull();
  expect(placeOf(list(null), [7])).toBeNull();
});
