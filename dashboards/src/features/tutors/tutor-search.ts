import { STATUSES } from "../../components/status-badge";
import type { RiskStatus } from "../../lib/api-types";
import { oneOf, someText, wholeNumber } from "../../lib/search-params";

export const SORTS = [
  "name",
  "risk_probability",
  "let_down_rate_expected",
  "sessions_90d",
  "trend_30d",
  "quality_score",
] as const;
export type Sort = (typeof SORTS)[number];
export type Order = "asc" | "desc";

export const DEFAULT_SORT: Sort = "risk_probability";

/** What one wants to see first: names from A, the worst quality, and the most of everything else. */
export const defaultOrder = (sort: Sort): Order =>
  sort === "name" || sort === "quality_score" ? "asc" : "desc";

/** Which tutors are shown, as in the address; what is not set is left out of it. */
export interface TutorSearch {
  search?: string;
  risk?: RiskStatus[];
  subject?: string;
  active?: "yes" | "no";
  sort?: Sort;
  order?: Order;
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

export const isFiltered = ({ search, risk, subject, active }: TutorSearch): boolean =>
  [search, risk, subject, active].some((condition) => condition !== undefined);
