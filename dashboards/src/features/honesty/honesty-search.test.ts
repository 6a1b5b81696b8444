import { expect, it } from "vitest";
import { honestySearch, volumeLabel } from "./honesty-search";

it("takes from the address only what makes sense", () => {
  expect(honestySearch({ month: "2026-07", subject: "Maths", volume: "60" })).toEqual({
    month: "2026-07",
    subject: "Maths",
    volume: 60,
  });
  expect(honestySearch({ month: "2026-13", subject: "", volume: "61" })).toEqual({
    month: undefined,
    subject: undefined,
    volume: undefined,
  });
});

it("names bands by their ends", () => {
  expect([0, 20, 60, 150].map(volumeLabel)).toEqual(["under 20", "20–59", "60–149", "150 or more"]);
});
