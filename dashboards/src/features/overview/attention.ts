/** Who came to need attention and who no longer did, in words. */

import type { AttentionWeek, Platform } from "../../lib/api-types";
import { count, counted, shortDay } from "../../lib/format";

type Known = Pick<Platform, "attention_weeks" | "inactive_with_attention">;

/** Null as long as no week is over. */
export function attentionInWords({ attention_weeks, inactive_with_attention }: Known): string | null {
  const last = attention_weeks.findLast(({ is_complete }) => is_complete);
  const newest = attention_weeks.at(-1);
  if (!last || !newest) return null;
  const inactive = inactive_with_attention > 0 ? `, ${count(inactive_with_attention)} of them inactive` : "";
  return `In the week of ${shortDay(last.week_start)}, ${counted(last.began, "tutor")} came to need attention and ${count(last.ended)} no longer did. ${counted(newest.tutors, "tutor needs", "tutors need")} attention now${inactive}.`;
}

/** Of few weeks there is no trend to be seen. */
export function attentionCaution({ attention_weeks }: Known): string | undefined {
  const complete = attention_weeks.filter(({ is_complete }) => is_complete).length;
  return complete < 8
    ? `Concerns are known for ${counted(complete, "full week")}: too short for a trend.`
    : undefined;
}

/** A week that is not over has fewer than it will have. */
export const weekLabel = ({ week_start, is_complete }: AttentionWeek): string =>
  is_complete ? shortDay(week_start) : `${shortDay(week_start)}, so far`;
