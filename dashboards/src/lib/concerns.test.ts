import { expect, it } from "vitest";
import { chanceOf } from "./concerns";

it("a chance says of what: of a rate above its limit, or of a mean rating below it", () => {
  expect(chanceOf({ concern: "unreliable", probability: 0.813, threshold: 0.15 })).toBe(
    "81% chance above 15%",
  );
  expect(chanceOf({ concern: "low_ratings", probability: 0.9, threshold: 4 })).toBe("90% chance below 4.0");
});
