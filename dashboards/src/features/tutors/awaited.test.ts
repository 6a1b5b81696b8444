import { expect, it } from "vitest";
import { type ExcuseChange, haveScoresFollowed } from "./awaited";

const BEFORE = "7 10:00";
const session: ExcuseChange = { sessionId: "s", isExcused: true };
const day: ExcuseChange = { day: "2026-01-27", isExcused: true };

/** What the page shows: three let-downs but for the excused one, and one before the 90 days. */
const shown = ({ refreshed_at = "10:01", is_excused = true, let_downs_90d = 2, left = 0 } = {}) => ({
  tutor: { let_downs_90d },
  history: {
    data: {
      events: [
        { session_id: "s", is_excused },
        { session_id: "other", is_excused: false },
      ],
      calendar: [
        { day: "2025-11-02", let_downs: 1, can_be_excused: 1 },
        { day: "2025-11-03", let_downs: 2, can_be_excused: 2 },
        { day: "2026-01-27", let_downs: is_excused ? 0 : 1, can_be_excused: left },
      ],
    },
    meta: { as_of: "2026-01-31", generation: 7, refreshed_at },
  },
});

it("is over when the scores are there", () => {
  expect(haveScoresFollowed(session, BEFORE, shown())).toBe(true);
  expect(haveScoresFollowed(day, BEFORE, shown())).toBe(true);
});

it("goes on while the version is the same", () => {
  expect(haveScoresFollowed(session, BEFORE, shown({ refreshed_at: "10:00" }))).toBe(false);
});

it("is not over because somebody else's session made a newer version", () => {
  expect(haveScoresFollowed(session, BEFORE, shown({ is_excused: false, let_downs_90d: 3 }))).toBe(false);
  expect(haveScoresFollowed(day, BEFORE, shown({ left: 1, is_excused: false, let_downs_90d: 3 }))).toBe(
    false,
  );
});

it("goes on while the header is older than the calendar", () => {
  expect(haveScoresFollowed(session, BEFORE, shown({ let_downs_90d: 3 }))).toBe(false);
});

it("an excuse that is taken back is awaited, too", () => {
  const undone = { ...session, isExcused: false };
  expect(haveScoresFollowed(undone, BEFORE, shown())).toBe(false);
  expect(haveScoresFollowed(undone, BEFORE, shown({ is_excused: false, let_downs_90d: 3 }))).toBe(true);
  expect(haveScoresFollowed({ ...day, isExcused: false }, BEFORE, shown())).toBe(false);
});

it("does not wait for what lies beyond the range", () => {
  expect(haveScoresFollowed({ sessionId: "unknown", isExcused: true }, BEFORE, shown())).toBe(true);
  expect(haveScoresFollowed({ day: "2025-01-01", isExcused: true }, BEFORE, shown())).toBe(true);
});
