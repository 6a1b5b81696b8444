import type { Action as ApiAction } from "../../lib/api-types";
import { oneOf, someDay, someText, wholeNumber } from "../../lib/search-params";

/** What the log tells of, as the filter of the API names it, and in words. */
export const ACTIONS = {
  log_in: "Logged in",
  log_out: "Logged out",
  "log_in.end": "Log-in ended",
  "log_in.refused": "Log-in refused",
  "key.refused": "Key refused",
  "key.create": "Key created",
  "key.rotate": "Key rotated",
  "key.revoke": "Key revoked",
  "analyst.add": "Analyst login created",
  "analyst.remove": "Analyst login removed",
  "login_link.create": "Log-in link created",
  "person.add": "Person added",
  "person.change": "Person changed",
  "person.remove": "Person removed",
  "person.team": "Team changed",
  "session.override": "Session overridden",
  "reschedule.override": "Reschedule overridden",
  "session.correct": "Session corrected",
  "session.delete": "Session deleted",
  "quarantine.dismiss": "Quarantine rows dismissed",
  "excuse.add": "Session excused",
  "excuse.remove": "Excuse removed",
  "case.open": "Case opened",
  "case.change": "Case changed",
  "case.note": "Note added to a case",
  "case.stand_in": "Stand-in noted",
  "appeal.open": "Appeal sent",
  "appeal.decide": "Appeal decided",
  "appeal.withdraw": "Appeal withdrawn",
  "page_link.create": "Page link created",
  "page_link.revoke": "Page links revoked",
  "page_link.refused": "Page link refused",
  "case.contact": "Contact logged",
  "student.add": "Student added",
  "student.change": "Student changed",
  "tutor.add": "Tutor added",
  "tutor.change": "Tutor changed",
  "assignment.compute": "Assignment computed",
  "assignment.accept": "Assignment accepted",
  "offer.accept": "Offer accepted",
  "predictions.start": "Predictions started",
  "model.train": "Model trained",
  export: "Data exported",
  "mail.opted_out": "Unsubscribed",
  "notifications.change": "Notifications changed",
  "webhook.add": "Webhook added",
  "webhook.change": "Webhook changed",
  "webhook.remove": "Webhook deleted",
  "webhook.secret": "Webhook secret renewed",
  "webhook.test": "Webhook tested",
  "webhook.replay": "Webhook resent",
  "mail.test": "Test mail sent",
  "data.export": "Data of a person exported",
  "data.erase": "Person erased",
  "data.allow": "Erased person allowed again",
  "setting.change": "Setting changed",
  "scoring.apply": "Scoring settings applied",
  "secrets.rotate": "Encryption key rotated",
  "audit.redact": "Audit entry redacted",
  "audit.forget": "Old audit entries deleted",
} as const satisfies Record<ApiAction, string>;

export type Action = keyof typeof ACTIONS;

/** Which entries are shown, as in the address. */
export interface AuditSearch {
  actor?: string;
  action?: Action;
  /** Days of the reader's zone, as 2026-01-31, both included. */
  from?: string;
  to?: string;
  page?: number;
}

export function auditSearch(raw: Record<string, unknown>): AuditSearch {
  const page = wholeNumber(raw.page, 1);
  return {
    actor: someText(raw.actor),
    action: oneOf(raw.action, Object.keys(ACTIONS) as Action[]),
    from: someDay(raw.from),
    to: someDay(raw.to),
    page: page === 1 ? undefined : page,
  };
}
