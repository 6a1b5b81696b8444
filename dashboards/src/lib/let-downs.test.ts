import { expect, it } from "vitest";
import { weeklyRange } from "./let-downs";

it("says between which rates the weeks lie", () => {
  expect(weeklyRange([0.02, null, 0.46])).toBe("2% to 46%");
  expect(weeklyRange([0.1, 0.1])).toBe("10%");
  expect(weeklyRange([null, 0.1])).toBe("");
});

it("leaves out a week that is not over", () => {
  const [tuesday, sunday] = ["2026-12-01", "2026-12-06"];
  expect(weeklyRange([0.02, 0.1, 1], tuesday)).toBe("2% to 10%");
  expect(weeklyRange([0.02, 0.1, 1], sunday)).toBe("2% to 100%");
});
