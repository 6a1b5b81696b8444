import { expect, it } from "vitest";
import { reportSearch } from "./report-search";

it("keeps the filters of the address, and a preview of a known kind", () => {
  const known = { kind: "weekly_report", state: "sample", to: "ann", preview: "alert" };
  expect(reportSearch({ ...known, page: "2" })).toMatchObject({ ...known, page: 2 });
  const wrong = reportSearch({ kind: "newsletter", state: "lost", to: "", preview: "x", page: "-1" });
  expect(Object.values(wrong).every((value) => value === undefined)).toBe(true);
});
