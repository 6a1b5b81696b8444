import type {
  AgreedAction,
  Case,
  CaseState,
  Cause,
  Channel,
  CloseReason,
  Priority,
  Queue,
} from "../../lib/api-types";
import { concernLabel } from "../../lib/concerns";
import { about, counted, shortDay } from "../../lib/format";

export const STATES: Record<CaseState, string> = {
  new: "New",
  assigned: "Assigned",
  contacted: "Contacted",
  plan_agreed: "Plan agreed",
  monitoring: "Monitoring",
  resolved: "Resolved",
  dismissed: "Dismissed",
};

export const REASONS: Record<CloseReason, string> = {
  improved: "The tutor improved",
  no_effect: "No improvement",
  excused: "There was an excuse",
  data_error: "The data was wrong",
  left: "The tutor left",
};

/** The state in words; without an improvement, nothing is resolved. */
export const stateOf = ({ state, reason }: Pick<Case, "state" | "reason">): string =>
  reason === "no_effect" ? "Closed" : (STATES[state] ?? state);

/** What a reason closes a case as. */
export const CLOSED_AS: Record<CloseReason, "resolved" | "dismissed"> = {
  improved: "resolved",
  no_effect: "resolved",
  excused: "dismissed",
  data_error: "dismissed",
  left: "dismissed",
};

export const PRIORITIES: Record<Priority, string> = { high: "High", normal: "Normal", low: "Low" };

export const CHANNELS: Record<Channel, string> = {
  call: "Phone call",
  video: "Video call",
  in_person: "In person",
  mail: "E-mail",
  chat: "Chat",
};

export const CAUSES: Record<Cause, string> = {
  health: "Health",
  family: "Family",
  other_work: "Other work",
  too_many_sessions: "Too many sessions",
  times_do_not_fit: "Times do not suit",
  technical: "Technical trouble",
  students: "Students",
  other: "Something else",
  unknown: "Not known",
};

export const ACTIONS: Record<AgreedAction, string> = {
  fewer_sessions: "Fewer sessions",
  other_times: "Other times",
  training: "Training",
  mentor: "A mentor",
  technical_help: "Technical help",
  pause: "A pause",
  warning: "A warning",
  nothing: "Nothing agreed",
};

/** In place of an agreement. */
export const NO_CONTACT = "No contact yet";

export const QUEUES: Record<Queue, string> = {
  todo: "To do",
  due: "Due",
  waiting: "Waiting",
  closed: "Closed",
};

/** For a list to choose from, in its own order. */
export const choices = <Code extends string>(labels: Record<Code, string>) =>
  (Object.keys(labels) as Code[]).map((value) => ({ value, label: labels[value] }));

/** "about 14 of 72 sessions at risk in 7 days, 39 students" */
export function harm({
  harm_sessions,
  harm_students,
  planned_sessions_7d,
}: Pick<Case, "harm_sessions" | "harm_students" | "planned_sessions_7d">): string {
  if (!planned_sessions_7d || harm_sessions === null) return "no sessions at risk in 7 days";
  return `${about(harm_sessions)} of ${counted(planned_sessions_7d, "session")} at risk in 7 days, ${counted(harm_students, "student")}`;
}

/** "today", "1 day", "12 days" */
export const age = (days: number): string => (days === 0 ? "today" : counted(days, "day"));

/** What is awaited, and until when; nothing if nothing is. */
export function awaited(
  { due_on, snoozed_until, suggested_at, closed_at }: Case,
  today: string,
): { words: string; isLate: boolean } | null {
  if (closed_at) return null;
  if (snoozed_until && snoozed_until > today)
    return { words: `snoozed until ${shortDay(snoozed_until)}`, isLate: false };
  if (due_on) {
    if (due_on === today) return { words: "follow-up today", isLate: false };
    return { words: `follow-up ${shortDay(due_on)}`, isLate: due_on < today };
  }
  return suggested_at ? { words: "close case?", isLate: false } : null;
}

/** A calendar day some days later. */
export function daysLater(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

/** Of a case without raised concerns. A closed one names those it was about: later ones are none of its business. */
export const nothingRaised = ({
  closed_at,
  suggested_at,
  concerns,
}: Pick<Case, "closed_at" | "suggested_at" | "concerns">): string => {
  if (closed_at && concerns.length > 0) return concerns.map(concernLabel).join(", ");
  return suggested_at ? "No concern is raised any more. Close the case?" : "Opened manually";
};
