import { STATUSES } from "../../components/status-badge";
import type { RiskStatus } from "../../lib/api-types";
import { oneOf, someText, wholeNumber } from "../../lib/search";

export const SORTS = [
  "name",
  "risk_probability",
  "reschedule_rate_expected",
  "sessions_90d",
  "trend_30d",
  "quality_score",
] as const;
export type Sort = (typeof SORTS)[number];

/** Which tutors are shown, as in the address; what is not set is left out of it. */
export interface TutorSearch {
  search?: string;
  risk?: RiskStatus[];
  subject?: string;
  active?: "yes" | "no";
  sort?: Sort;
  order?: "asc" | "desc";
  page?: number;
}

/** Reads an address that anybody may have typed: what makes no sense is as if it were not there. */
export function tutorSearch(raw: Record<string, unknown>): TutorSearch {
  const wanted = Array.isArray(raw.risk) ? raw.risk : String(raw.risk ?? "").split(",");
  const risk = STATUSES.filter((status) => wanted.includes(status));
  const page = wholeNumber(raw.page, 1);
  return {
    search: someText(raw.search),
    risk: risk.length > 0 ? risk : undefined,
    subject: someText(raw.subject),
    active: oneOf(raw.active, ["yes", "no"]),
    sort: oneOf(raw.sort, SORTS),
    order: oneOf(raw.order, ["asc", "desc"]),
    page: page === 1 ? undefined : page,
  };
}
