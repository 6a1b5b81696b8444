import { expect, it } from "vitest";
import { limitOf, noticeLabel } from "./notice-bands";

const EDGES = [null, 0, 3, 12, 24, 48, 72, 168];
const bands = EDGES.map((from_hours, place) => ({
  from_hours,
  to_hours: EDGES[place + 1] ?? null,
  is_short: from_hours === null || from_hours < 24,
}));

it("names each range in as few characters as an axis has room for", () => {
  expect(bands.map(noticeLabel)).toEqual([
    "after",
    "0–3 h",
    "3–12 h",
    "12–24 h",
    "24–48 h",
    "2–3 d",
    "3–7 d",
    "7+ d",
  ]);
  expect(noticeLabel({ from_hours: 24, to_hours: 36.5 })).toBe("24–36.5 h");
});

it("finds where notice is no longer short", () => {
  expect(limitOf(bands)).toBe("24–48 h");
  expect(limitOf(bands.slice(0, 3))).toBeUndefined();
});
