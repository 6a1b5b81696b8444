import { expect, it } from "vitest";
import type { NoticeComparison, QualityComparison, Retention } from "../../lib/api-types";
import {
  noticeCaution,
  noticeInWords,
  qualityCaution,
  qualityInWords,
  retentionCaution,
  retentionInWords,
} from "./comparison";

const quality: QualityComparison = { score: 61.37, percentile: 0.412, rated_tutors: 279, bins: [] };
const notice: NoticeComparison = {
  days: 90,
  short_notice_hours: 24,
  tutor: { called_off: 40, short: 26, unknown: 0, short_share: 0.65 },
  platform: { called_off: 900, short: 450, unknown: 20, short_share: 0.511 },
  bands: [],
};
const retention: Retention = {
  days: 90,
  students: 40,
  platform_students: 1000,
  least_students: 5,
  steps: [
    { session_number: 1, tutor: 40, tutor_share: 1, platform: 1000, platform_share: 1 },
    { session_number: 2, tutor: 34, tutor_share: 0.85, platform: 750, platform_share: 0.75 },
    { session_number: 8, tutor: 20, tutor_share: 0.5, platform: 462, platform_share: 0.462 },
  ],
};

it("says where a score stands, or that there is none", () => {
  expect(qualityInWords(quality)).toBe("A score of 61.4 is higher than 41% of 279 rated tutors.");
  expect(qualityInWords({ ...quality, percentile: null })).toMatch(/^Not rated: too few sessions/);
  expect(qualityInWords({ ...quality, percentile: 0 })).toBe(
    "A score of 61.4 is the lowest of 279 rated tutors.",
  );
  expect(qualityInWords({ ...quality, percentile: 1 })).toMatch(/is the highest of/);
  expect(qualityCaution(quality)).toBeUndefined();
  expect(qualityCaution({ ...quality, rated_tutors: 1 })).toMatch(/^Only 1 tutor is rated/);
});

it("says what of the notice is short, beside all tutors", () => {
  expect(noticeInWords(notice)).toBe(
    "26 of 40 sessions with less than 24 hours of notice, 65%; all tutors 51%.",
  );
  expect(noticeCaution(notice)).toBeUndefined();
});

it("leaves sessions of unknown notice out of shares, and names them", () => {
  const few = { ...notice, tutor: { called_off: 7, short: 1, unknown: 5, short_share: 0.5 } };
  expect(noticeInWords(few)).toBe(
    "1 of 2 sessions with less than 24 hours of notice, 50%; all tutors 51%. The notice of 5 more is unknown.",
  );
  expect(noticeCaution(few)).toBe("Only 2 sessions: too few for meaningful shares.");
  const none = { ...notice, tutor: { called_off: 5, short: 0, unknown: 5, short_share: null } };
  expect(noticeInWords(none)).toBe("5 sessions moved or cancelled; the notice is unknown.");
  expect(noticeCaution(none)).toBeUndefined();
});

it("says how many new students came back, and how much one of them weighs", () => {
  expect(retentionInWords(retention)).toBe(
    "Within 90 days of the first session, 34 of 40 new students came a 2nd time and 20 an 8th time. Of all tutors' new students 75% and 46% did.",
  );
  expect(retentionCaution(retention)).toBeUndefined();
  expect(retentionCaution({ ...retention, students: 20 })).toBe("One student accounts for 5% here.");
  expect(retentionCaution({ ...retention, students: 4 })).toBe(
    "Only 4 new students: too few for a comparison.",
  );
});
