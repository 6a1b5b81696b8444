import type { TagProps } from "../../components/tag";
import type { Appeal, AppealReason, AppealSession, AppealState, Happened, Remedy } from "../../lib/api-types";
import { concernLabel } from "../../lib/concerns";
import { counted, notice, words } from "../../lib/format";

export const STATES: Record<AppealState, TagProps> = {
  open: { label: "Open", icon: "dots", tone: "watch" },
  granted: { label: "Granted", icon: "check", tone: "ok" },
  declined: { label: "Declined", icon: "cross", tone: "none" },
  withdrawn: { label: "Withdrawn", icon: "back", tone: "none" },
};
const OVERDUE: TagProps = { label: "Overdue", icon: "alert", tone: "high" };

/** What the tutor says is wrong. */
export const REASONS: Record<AppealReason, string> = {
  not_me: "Not caused by the tutor",
  illness: "Illness or emergency",
  technical: "Technical problem",
  wrong_record: "The record is wrong",
  agreed: "Agreed with the student",
  other: "Something else",
};

const HAPPENED: Record<Happened, string> = {
  missed: "Missed by the tutor",
  cancelled: "Cancelled by the tutor",
  moved: "Moved by the tutor",
  late: "Started late",
};

export const REMEDIES: Record<Remedy, string> = { excused: "Excused", corrected: "Corrected" };

export const standing = (appeal: Appeal): TagProps => (appeal.is_overdue ? OVERDUE : STATES[appeal.state]);

/** "2 sessions", or the concern. */
export const subjectOf = (appeal: Pick<Appeal, "concern" | "sessions">): string =>
  appeal.concern ? `Concern: ${concernLabel(appeal.concern)}` : counted(appeal.sessions, "session");

/** "Moved by the tutor, 3 h before, illness". */
export function happenedTo(session: AppealSession): string {
  const parts = [HAPPENED[session.happened]];
  if (session.notice_hours !== null && session.happened !== "missed" && session.happened !== "late")
    parts.push(`${notice(session.notice_hours)}${session.notice_hours < 0 ? "" : " before"}`);
  if (session.reason_code) parts.push(words(session.reason_code).toLowerCase());
  return parts.join(", ");
}
