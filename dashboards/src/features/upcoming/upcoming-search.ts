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
  /** The same of the student's risk. */
  studentRisk?: LeastRisk;
  /** Only first sessions of a student with a tutor. */
  first?: "yes";
  /** By risk: first sessions only, those at the greatest risk first. */
  by?: "student" | "risk";
  page?: number;
  /** For which a stand-in is wanted. */
  session?: string;
}

export function upcomingSearch(raw: Record<string, unknown>): UpcomingSearch {
  const page = wholeNumber(raw.page, 1);
  const first = oneOf(raw.first, ["yes"]);
  const by = oneOf(raw.by, ["student", "risk"]);
  return {
    search: someText(raw.search),
    from: someDay(raw.from),
    risk: oneOf(raw.risk, LEAST_RISKS),
    studentRisk: oneOf(raw.studentRisk, LEAST_RISKS),
    first,
    by: by === "risk" && !first ? undefined : by,
    page: page === 1 ? undefined : page,
    session: someText(raw.session),
  };
}

export const isFiltered = ({ search, from, risk, studentRisk, first }: UpcomingSearch): boolean =>
  [search, from, risk, studentRisk, first].some((condition) => condition !== undefined);
