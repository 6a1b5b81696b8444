import { MAIL_STATE } from "../../components/mail-state-badge";
import type { Report } from "../../lib/api-types";
import { oneOf, someText, wholeNumber } from "../../lib/search-params";

export type Kind = Report["kind"];
export type State = Report["state"];

export const KINDS: Record<Kind, string> = {
  session_report: "Session report",
  risk_alert: "Risk alert",
  daily_digest: "Daily digest",
  tutor_snapshot: "Tutor snapshot",
  log_in_link: "Log-in link",
  alert: "Alert",
};
export const STATES = Object.keys(MAIL_STATE) as State[];

/** Which mail is shown, as in the address. */
export interface ReportSearch {
  kind?: Kind;
  state?: State;
  page?: number;
  /** The mail that is looked at. */
  open?: string;
}

export function reportSearch(raw: Record<string, unknown>): ReportSearch {
  const page = wholeNumber(raw.page, 1);
  return {
    kind: oneOf(raw.kind, Object.keys(KINDS) as Kind[]),
    state: oneOf(raw.state, STATES),
    page: page === 1 ? undefined : page,
    open: someText(raw.open),
  };
}
