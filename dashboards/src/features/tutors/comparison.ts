/** What the pictures on a tutor's page say in words, and when there is too little to say it. */

import type { NoticeComparison, QualityComparison, Retention } from "../../lib/api-types";
import { count, counted, decimal, ordinal, percent } from "../../lib/format";

const whole = (share: number | null) => percent(share, { digits: 0, none: "none" });

/** Of fewer, a share says little. */
const FEW = 10;
const FEW_RATED = 20;
/** Of fewer students, the weight of one is said. */
const SOME_STUDENTS = 25;

export function qualityInWords({ score, percentile, rated_tutors }: QualityComparison): string {
  if (percentile === null) return "Not rated: too few sessions. The bars show the other tutors.";
  if (percentile === 0)
    return `A score of ${decimal(score)} is the lowest of ${counted(rated_tutors, "rated tutor")}.`;
  if (percentile === 1)
    return `A score of ${decimal(score)} is the highest of ${counted(rated_tutors, "rated tutor")}.`;
  return `A score of ${decimal(score)} is higher than ${whole(percentile)} of ${counted(rated_tutors, "rated tutor")}.`;
}

export const qualityCaution = ({ rated_tutors }: QualityComparison): string | undefined =>
  rated_tutors < FEW_RATED
    ? `Only ${counted(rated_tutors, "tutor is", "tutors are")} rated: too few for a fair comparison.`
    : undefined;

/** Only where the tutor has called something off. */
export function noticeInWords({ tutor, platform, short_notice_hours }: NoticeComparison): string {
  const known = tutor.called_off - tutor.unknown;
  if (known === 0)
    return `${counted(tutor.called_off, "session")} moved or cancelled; the notice is unknown.`;
  const others = platform.short_share === null ? "" : `; all tutors ${whole(platform.short_share)}`;
  const rest = tutor.unknown > 0 ? ` The notice of ${count(tutor.unknown)} more is unknown.` : "";
  return `${count(tutor.short)} of ${counted(known, "session")} with less than ${count(short_notice_hours)} hours of notice, ${whole(tutor.short_share)}${others}.${rest}`;
}

export function noticeCaution({ tutor }: NoticeComparison): string | undefined {
  const known = tutor.called_off - tutor.unknown;
  return known > 0 && known < FEW
    ? `Only ${counted(known, "session")}: too few for meaningful shares.`
    : undefined;
}

/** Whether a tutor has enough new students for a line of their own. */
export const isComparable = ({ students, least_students }: Retention): boolean => students >= least_students;

export function retentionInWords({ students, steps, days }: Retention): string {
  const second = steps.find(({ session_number }) => session_number === 2);
  const last = steps.at(-1);
  if (!second || !last) return "";
  const platform =
    second.platform_share === null
      ? ""
      : ` Of all tutors' new students ${whole(second.platform_share)} and ${whole(last.platform_share)} did.`;
  return `Within ${days} days of the first session, ${count(second.tutor)} of ${counted(students, "new student")} came a 2nd time and ${count(last.tutor)} ${an(last.session_number)} ${ordinal(last.session_number)} time.${platform}`;
}

const an = (number: number) => (number === 8 || number === 11 || number === 18 ? "an" : "a");

export function retentionCaution(retention: Retention): string | undefined {
  const { students } = retention;
  if (!isComparable(retention)) return `Only ${counted(students, "new student")}: too few for a comparison.`;
  if (students < SOME_STUDENTS) return `One student accounts for ${whole(1 / students)} here.`;
  return undefined;
}
