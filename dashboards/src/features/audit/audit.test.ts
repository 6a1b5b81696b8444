import { expect, it } from "vitest";
import { beginningOf, parseQuery, writeQuery } from "../../lib/search-params";
import { auditSearch } from "./audit-search";
import { detailsOf } from "./details";

it("an address of the audit log survives being written and read", () => {
  const search = {
    actor: "Ann (browser",
    action: "excuse.add",
    from: "2026-01-31",
    to: "2026-02-01",
    page: 2,
  };
  expect(auditSearch(parseQuery(writeQuery(search)))).toEqual(search);
});

it("what makes no sense is as if it were not there", () => {
  const typed = parseQuery("?action=fly&from=yesterday&to=2026-13-45&page=0&actor=");
  expect(Object.values(auditSearch(typed)).every((value) => value === undefined)).toBe(true);
});

it("a day ends where the next one begins, also where clocks change", () => {
  expect(beginningOf(undefined)).toBeUndefined();
  expect(new Date(beginningOf("2026-01-31", 1) ?? "")).toEqual(new Date("2026-02-01T00:00:00"));
  expect(new Date(beginningOf("2026-03-29", 1) ?? "")).toEqual(new Date("2026-03-30T00:00:00"));
});

it("details are a line, without what is not there", () => {
  expect(detailsOf({ why: "expired", key: null, count: 3 })).toBe("why: expired · count: 3");
  expect(detailsOf({ capacity: { from: null, to: 5 }, subjects: { from: ["Maths"], to: [] } })).toBe(
    "capacity: none → 5 · subjects: Maths → none",
  );
  expect(detailsOf({ from: "default", to: "hidden" })).toBe("default → hidden");
  expect(detailsOf({ expires_at: "2026-01-31T00:00:00+00:00", fields: ["age", "name"] })).toBe(
    "expires at: 2026-01-31T00:00:00+00:00 · fields: age, name",
  );
  expect(detailsOf({})).toBe("");
});

it("of a row that was overridden it shows what differs", () => {
  const before = { status: "completed", rating: 1, tutor_id: "t1" };
  const after = { status: "completed", rating: 4, topic: "Maths", tutor_id: "t1" };
  expect(detailsOf({ after, before, source: "sessions.csv" })).toBe(
    "rating: 1 → 4 · topic: none → Maths · source: sessions.csv",
  );
});
