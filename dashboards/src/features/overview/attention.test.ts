import { expect, it } from "vitest";
import { shortDay } from "../../lib/format";
import { attentionCaution, attentionInWords, weekLabel } from "./attention";

const week = (week_start: string, is_complete = true) => ({
  week_start,
  is_complete,
  began: 7,
  ended: 3,
  tutors: 57,
});
const running = { ...week("2026-11-30", false), began: 1, ended: 0, tutors: 58 };

it("speaks of the last full week, and of today", () => {
  const known = {
    attention_weeks: [week("2026-11-16"), week("2026-11-23"), running],
    inactive_with_attention: 0,
  };
  expect(attentionInWords(known)).toBe(
    `In the week of ${shortDay("2026-11-23")}, 7 tutors came to need attention and 3 no longer did. 58 tutors need attention now.`,
  );
  expect(attentionInWords({ ...known, inactive_with_attention: 2 })).toMatch(
    / 58 tutors need attention now, 2 of them inactive\.$/,
  );
  expect(attentionInWords({ ...known, attention_weeks: [running] })).toBeNull();
  expect(attentionInWords({ ...known, attention_weeks: [] })).toBeNull();
});

it("sees no trend in few weeks", () => {
  const weeks = Array.from({ length: 8 }, () => week("2026-11-16"));
  expect(attentionCaution({ attention_weeks: weeks, inactive_with_attention: 0 })).toBeUndefined();
  expect(
    attentionCaution({ attention_weeks: [week("2026-11-23"), running], inactive_with_attention: 0 }),
  ).toBe("Concerns are known for 1 full week: too short for a trend.");
});

it("says which week is not over", () => {
  expect(weekLabel(week("2026-11-23"))).toBe(shortDay("2026-11-23"));
  expect(weekLabel(running)).toBe(`${shortDay("2026-11-30")}, so far`);
});
