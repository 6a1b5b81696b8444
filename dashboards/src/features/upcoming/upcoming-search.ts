import { oneOf, someDay, someText, someZone, wholeNumber } from "../../lib/search-params";

/** From which level on; `medium` is medium or high. */
export const LEAST_RISKS = ["medium", "high"] as const;
type LeastRisk = (typeof LEAST_RISKS)[number];

/** Of how many days, if not of a week; they begin with the first day. */
export const DAYS = ["1", "all"] as const;

/** Which sessions are shown and how, as in the address. */
export interface UpcomingSearch {
  search?: string;
  /** First day, as 2026-01-31. */
  from?: string;
  /** In which that day begins and ends, if not the reader's. */
  zone?: string;
  days?: (typeof DAYS)[number];
  risk?: LeastRisk;
  /** The same of the student's risk. */
  studentRisk?: LeastRisk;
  /** Whose tutors, by number. */
  team?: number;
  /** Only first sessions of a student with a tutor. */
  first?: "yes";
  /** If not those at the greatest risk first. */
  by?: "day" | "student";
  page?: number;
  /** For which a stand-in is wanted. */
  session?: string;
}

export function upcomingSearch(raw: Record<string, unknown>): UpcomingSearch {
  const page = wholeNumber(raw.page, 1);
  return {
    search: someText(raw.search),
    from: someDay(raw.from),
    zone: someZone(raw.zone),
    days: oneOf(raw.days, DAYS),
    risk: oneOf(raw.risk, LEAST_RISKS),
    studentRisk: oneOf(raw.studentRisk, LEAST_RISKS),
    team: wholeNumber(raw.team, 1),
    first: oneOf(raw.first, ["yes"]),
    by: oneOf(raw.by, ["day", "student"]),
    page: page === 1 ? undefined : page,
    session: someText(raw.session),
  };
}

/** Whether more is left out than what is too far away. */
export const isFiltered = ({ search, from, risk, studentRisk, team, first }: UpcomingSearch): boolean =>
  [search, from, risk, studentRisk, team, first].some((condition) => condition !== undefined);
