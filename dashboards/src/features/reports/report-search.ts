import { MAIL_STATE } from "../../components/mail-state-badge";
import type { Report } from "../../lib/api-types";
import { oneOf, someText, wholeNumber } from "../../lib/search-params";

export type Kind = Report["kind"];
export type State = Report["state"];

export const KINDS: Record<Kind, string> = {
  session_report: "Session report",
  risk_alert: "Risk alert",
  daily_digest: "Daily digest",
  weekly_report: "Weekly report",
  tutor_snapshot: "Tutor snapshot",
  log_in_link: "Log-in link",
  appeal_received: "Appeal received",
  appeal_answer: "Answer to an appeal",
  appeal_reminder: "Appeal reminder",
  alert: "Alert",
  notification: "Notification",
};
export const STATES = Object.keys(MAIL_STATE) as State[];

/** Which mail is shown, as in the address. */
export interface ReportSearch {
  kind?: Kind;
  state?: State;
  /** Part of the receiver's address; for admins. */
  to?: string;
  page?: number;
  /** The mail that is looked at. */
  open?: string;
  /** The kind of mail that is previewed. */
  preview?: Kind;
}

export function reportSearch(raw: Record<string, unknown>): ReportSearch {
  const page = wholeNumber(raw.page, 1);
  const kinds = Object.keys(KINDS) as Kind[];
  return {
    kind: oneOf(raw.kind, kinds),
    state: oneOf(raw.state, STATES),
    to: someText(raw.to),
    page: page === 1 ? undefined : page,
    open: someText(raw.open),
    preview: oneOf(raw.preview, kinds),
  };
}
