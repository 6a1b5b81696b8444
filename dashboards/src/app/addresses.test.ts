import { expect, it } from "vitest";
import { matchingSearch } from "../features/matching/matching-search";
import { tutorSearch } from "../features/tutors/tutor-search";
import { parseQuery, writeQuery } from "../lib/search-params";

it("an address survives being written and read", () => {
  const search = { search: "Ö & 7", concern: ["no_shows", "unreliable"], sort: "name", page: 3 };
  const address = writeQuery(search);
  expect(address).toBe("?search=%C3%96+%26+7&concern=no_shows,unreliable&sort=name&page=3");
  expect(tutorSearch(parseQuery(address))).toMatchObject({
    search: "Ö & 7",
    concern: ["unreliable", "no_shows"],
    sort: "name",
    page: 3,
  });
});

it("what makes no sense is as if it were not there", () => {
  const typed = parseQuery(
    "?concern=worst&attention=perhaps&sort=drop+table&order=up&page=-1&active=maybe&search=",
  );
  expect(Object.values(tutorSearch(typed)).every((value) => value === undefined)).toBe(true);
  expect(writeQuery(tutorSearch(typed) as Record<string, unknown>)).toBe("");
  expect(matchingSearch({ view: "x", free: "no" })).toMatchObject({ view: undefined, free: undefined });
});
