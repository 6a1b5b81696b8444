import { expect, test } from "vitest";
import type { ScoringSetting } from "../../lib/api-types";
import { changesOf, inWords, problemOf } from "./values";

const setting = (name: string, value: ScoringSetting["value"], unit: ScoringSetting["unit"] = "share") =>
  ({ name, value, unit }) as ScoringSetting;
const SETTINGS = [
  setting("risk_threshold", 0.15),
  setting("high_risk_probability", 0.8),
  setting("watch_probability", 0.5),
  setting("reliability_counts", ["reschedules", "no_shows"], "causes"),
  setting("rating_weight", 0.15),
];

test("a setting turned back to what is in force is no change", () => {
  const draft = {
    risk_threshold: 0.2,
    high_risk_probability: 0.8,
    reliability_counts: ["reschedules", "no_shows"],
  };
  expect(changesOf(SETTINGS, draft as never)).toEqual({ risk_threshold: 0.2 });
});

test("the level that keeps a concern is not above the one that raises it", () => {
  expect(problemOf(SETTINGS, { watch_probability: 0.81 })).toContain("Keep down to");
  expect(problemOf(SETTINGS, { watch_probability: 0.8 })).toBeNull();
  expect(problemOf(SETTINGS, { rating_weight: 0 })).toContain("weight");
});

test("values are written with their units", () => {
  expect(inWords(0.15, "share")).toBe("15%");
  expect(inWords(0.035, "share")).toBe("3.5%");
  expect(inWords(30, "days")).toBe("30 days");
  expect(inWords(0.3, "rating")).toBe("0.3");
  expect(inWords(["reschedules", "no_shows"], "causes")).toBe("moved, missed");
});
