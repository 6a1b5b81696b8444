import { expect, test } from "vitest";
import type { AppealSession, Happened } from "../../lib/api-types";
import { happenedTo } from "./appeal-words";
import { correctionsOf, decisionOf, firstChoices, isComplete } from "./choices";

const session = (session_id: string, happened: Happened): AppealSession => ({
  session_id,
  external_id: null,
  happened,
  remedy: null,
  scheduled_time: "2026-01-30T10:00:00Z",
  subject: null,
  notice_hours: null,
  reason_code: null,
  is_excused: false,
});
const SESSIONS = [session("a", "missed"), session("b", "late")];

test("an appeal's sessions are excused at first, and late starts corrected, which cannot be excused", () => {
  expect(decisionOf(firstChoices(SESSIONS, false))).toEqual([
    { session_id: "a", remedy: "excused" },
    { session_id: "b", remedy: "corrected", began_on_time: true },
  ]);
  expect(decisionOf(firstChoices(SESSIONS, true))).toEqual([]);
});

test("something has to change unless it is about a concern", () => {
  const none = { a: { remedy: "none" }, b: { remedy: "none" } } as const;
  expect(isComplete(none, SESSIONS, false)).toBe(false);
  expect(isComplete(none, SESSIONS, true)).toBe(true);
  expect(isComplete({ ...none, a: { remedy: "corrected" } }, SESSIONS, false)).toBe(false);
  expect(isComplete({ ...none, a: { remedy: "corrected", as: "held" } }, SESSIONS, false)).toBe(true);
});

test("corrections say what the API needs", () => {
  expect(
    decisionOf({
      a: { remedy: "corrected", as: "held" },
      b: { remedy: "corrected", as: "student" },
      c: { remedy: "none" },
    }),
  ).toEqual([
    { session_id: "a", remedy: "corrected", status: "completed" },
    { session_id: "b", remedy: "corrected", caused_by: "student" },
  ]);
  expect(correctionsOf("moved")).not.toContain("held");
});

test("notice is said in words that fit it", () => {
  const moved = session("a", "moved");
  expect(happenedTo({ ...moved, notice_hours: 23.6 })).toMatch(/, 23 h before$/);
  expect(happenedTo({ ...moved, notice_hours: -2 })).toMatch(/, after the start$/);
});
