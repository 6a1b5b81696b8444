import { expect, test } from "vitest";
import { trustworthy, verdict } from "./verdict";

const band = (tenth: number, above_share_expected: number, low: number, high: number) => ({
  probability_from: tenth / 10,
  probability_to: (tenth + 1) / 10,
  above_share_expected,
  above_share_low: low,
  above_share_high: high,
});
const RIGHT = [0, 1, 2].map((tenth) => band(tenth, 0.1, 0.05, 0.15));

test("a forecast within the interval, as it is shown, is neither too high nor too low", () => {
  expect(verdict(band(8, 0.504, 0.3, 0.496))).toBeUndefined();
  expect(verdict(band(8, 0.51, 0.3, 0.5))).toBe("too high");
  expect(verdict(band(8, 0.29, 0.3, 0.5))).toBe("too low");
});

test("chances to trust are those of bands that held, neighbours together", () => {
  expect(trustworthy(RIGHT)).toBe("You can trust chances of 0%–30%.");
  expect(
    trustworthy([
      ...RIGHT,
      band(4, 0.4, 0.1, 0.9),
      band(5, 0.4, 0.35, 0.5),
      band(8, 0.7, 0.3, 0.5),
      band(9, 0.1, 0.3, 0.5),
    ]),
  ).toBe(
    "You can trust chances of 0%–30% and 50%–60%. Chances of 80%–90% were too high. Chances of 90%–100% were too low.",
  );
  expect(trustworthy([band(8, 0.7, 0.3, 0.5)])).toBe(
    "No chance is proven right yet. Chances of 80%–90% were too high.",
  );
});
