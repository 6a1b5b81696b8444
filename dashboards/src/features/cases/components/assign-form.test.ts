// @vitest-environment jsdom
import { expect, it } from "vitest";
import type { Case, LoadedOwner } from "../../../lib/api-types";
import { choicesOf } from "./assign-form";

const owner = (person_id: number, name: string, open_cases: number): LoadedOwner => ({
  person_id,
  name,
  role: "coach",
  is_active: true,
  open_cases,
});
const of = (...coaches: number[]) =>
  ({ coaches: coaches.map((person_id) => ({ person_id, name: "" })) }) as Case;

it("says what each has to do and whose tutor it is, the tutor's coaches first", () => {
  const owners = [owner(1, "Ann Lee", 12), owner(2, "Ben Ott", 1), owner(3, "Cora Beck", 0)];
  expect(choicesOf(owners, [of(2)]).map(({ label }) => label)).toEqual([
    "Ben Ott · 1 open case · coach of the tutor",
    "Ann Lee · 12 open cases",
    "Cora Beck · 0 open cases",
  ]);
  expect(choicesOf(owners, [of(1, 3), of(3), of()])).toEqual([
    { value: "3", label: "Cora Beck · 0 open cases · coach of 2 tutors" },
    { value: "1", label: "Ann Lee · 12 open cases · coach of 1 tutor" },
    { value: "2", label: "Ben Ott · 1 open case" },
  ]);
});
