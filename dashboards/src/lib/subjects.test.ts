import { expect, it } from "vitest";
import { subjectOf } from "./subjects";

it.each([
  ["Maths", "Maths"],
  [["Maths", "Physics"], "Maths, Physics"],
  [null, "no subject"],
  ["", "no subject"],
  [[], "no subject"],
])("of %j says %s", (given, words) => {
  expect(subjectOf(given)).toBe(words);
});
