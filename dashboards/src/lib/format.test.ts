import { describe, expect, it, vi } from "vitest";
import {
  ago,
  clock,
  compatible,
  counted,
  day,
  difference,
  moment,
  notice,
  ordinal,
  percent,
  points,
  probability,
  shortMoment,
  trimmed,
  UNREADABLE,
} from "./format";

it("how well two fit is a share, or said to be unknown", () => {
  expect(compatible(0.716)).toBe("72% compatible");
  expect(compatible(0)).toBe("0% compatible");
  expect(compatible(null)).toBe("compatibility unknown");
});

describe("a rate", () => {
  it("of nothing is no sessions, of zero is 0%, and of something else is unreadable", () => {
    expect(percent(null)).toBe("no sessions");
    expect(percent(0)).toBe("0.0%");
    expect(percent(Number.NaN)).toBe(UNREADABLE);
    expect(percent(0.1249)).toBe("12.5%");
  });
});

describe("a probability", () => {
  it.each([
    [1, "> 99%"],
    [0.991, "> 99%"],
    [0.99, "99%"],
    [0.784, "78%"],
    [0.004, "< 1%"],
    [null, "not rated"],
  ])("%s is %s: never certain", (value, text) => expect(probability(value)).toBe(text));
});

describe("a place in an order", () => {
  it.each([
    [1, "1st"],
    [2, "2nd"],
    [23, "23rd"],
    [11, "11th"],
    [112, "112th"],
    [1001, "1,001st"],
    [null, "–"],
  ])("%s is %s", (value, text) => expect(ordinal(value)).toBe(text));
});

describe("differences", () => {
  it("carry their sign, also when there is none", () => {
    expect(points(0.043)).toBe("+4.3 pts");
    expect(points(-0.043)).toBe("−4.3 pts");
    expect(points(0.0001)).toBe("±0.0 pts");
    expect(difference(-0.25, 2)).toBe("−0.25");
    expect(difference(0.04)).toBe("±0.0");
  });
});

describe("days and moments", () => {
  it("a day is the same everywhere, a moment is in the reader's zone, which the page names once", () => {
    expect(day("2026-01-31")).toContain("31");
    expect(moment("2026-01-31T12:00:00Z")).toMatch(/\d\d:\d\d( [ap]m)?$/i);
    expect(shortMoment("2026-01-31T12:00:00Z")).toMatch(/\d\d:\d\d( [ap]m)?$/i);
    expect(clock("2026-01-31T12:00:00Z")).toMatch(/^\d\d:\d\d( [ap]m)?$/i);
    expect(day("not a day")).toBe(UNREADABLE);
    expect(day(null, "never")).toBe("never");
  });

  it("the day of a moment is that of the reader's zone", async () => {
    vi.stubEnv("TZ", "America/Chicago");
    vi.resetModules();
    const { dayOf } = await import("./format");
    vi.unstubAllEnvs();
    expect(dayOf("2026-02-01T02:00:00Z")).toContain("31");
    expect(dayOf(null, "never")).toBe("never");
  });
});

describe("words", () => {
  it("fit their number", () => {
    expect(counted(1, "session")).toBe("1 session");
    expect(counted(0, "session")).toBe("0 sessions");
    expect(counted(null, "session")).toBe("no sessions");
    expect(ago(5)).toBe("just now");
    expect(ago(3600 * 3)).toBe("3 h ago");
    expect(trimmed(1)).toBe("1");
    expect(trimmed(0.12345)).toBe("0.12");
  });

  // The hours of test_numbers_in_words in tests/reports/test_render.py.
  it("never overstate notice", () => {
    expect([null, -0.5, 0.5, 1, 4.9, 23.9, 45.6, 47.9, 72, 119.9].map((hours) => notice(hours))).toEqual([
      "not known",
      "after the start",
      "less than 1 h",
      "1 h",
      "4 h",
      "23 h",
      "45 h",
      "47 h",
      "3 days",
      "4 days",
    ]);
  });
});
