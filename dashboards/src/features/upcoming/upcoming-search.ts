import { oneOf, someDay, someText, wholeNumber } from "../../lib/search-params";

/** From which level on; `medium` is medium or high. */
export const LEAST_RISKS = ["medium", "high"] as const;
type LeastRisk = (typeof LEAST_RISKS)[number];

/** Which sessions are shown and how, as in the address. */
export interface UpcomingSearch {
  search?: string;
  /** First day, as 2026-01-31. */
  from?: string;
  risk?: LeastRisk;
  by?: "student";
  page?: number;
  /** For which a stand-in is wanted. */
  session?: string;
}

export function upcomingSearch(raw: Record<string, unknown>): UpcomingSearch {
  const page = wholeNumber(raw.page, 1);
  return {
    search: someText(raw.search),
    from: someDay(raw.from),
    risk: oneOf(raw.risk, LEAST_RISKS),
    by: oneOf(raw.by, ["student"]),
    page: page === 1 ? undefined : page,
    session: someText(raw.session),
  };
}

export const isFiltered = ({ search, from, risk }: UpcomingSearch): boolean =>
  [search, from, risk].some((condition) => condition !== undefined);
