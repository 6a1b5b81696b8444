import type { ConcernName } from "../../lib/api-types";
import { CONCERN_NAMES } from "../../lib/concerns";
import { oneOf, someText, wholeNumber } from "../../lib/search-params";

type ConcernSort = `${ConcernName}_probability`;
export const concernSort = (name: ConcernName): ConcernSort => `${name}_probability`;

const SORTS = [
  "attention",
  "name",
  "harm_sessions",
  "let_down_rate_expected",
  "sessions_90d",
  "trend_30d",
  "quality_score",
  "stop_probability",
  ...CONCERN_NAMES.map(concernSort),
] as const;
export type Sort = (typeof SORTS)[number];
type Order = "asc" | "desc";

export const DEFAULT_SORT: Sort = "attention";

/** What one wants to see first: names from A, the worst quality, and the most of everything else. */
export const defaultOrder = (sort: Sort): Order =>
  sort === "name" || sort === "quality_score" ? "asc" : "desc";

/** Which tutors are shown, as in the address; what is not set is left out of it. */
export interface TutorSearch {
  search?: string;
  attention?: "yes" | "no";
  concern?: ConcernName[];
  subject?: string;
  active?: "yes" | "no";
  /** Whose tutors, by number. */
  team?: number;
  sort?: Sort;
  order?: Order;
  page?: number;
}

/** Reads an address that anybody may have typed: what makes no sense is as if it were not there. */
export function tutorSearch(raw: Record<string, unknown>): TutorSearch {
  const wanted = Array.isArray(raw.concern) ? raw.concern : String(raw.concern ?? "").split(",");
  const concern = CONCERN_NAMES.filter((name) => wanted.includes(name));
  const page = wholeNumber(raw.page, 1);
  return {
    search: someText(raw.search),
    attention: oneOf(raw.attention, ["yes", "no"]),
    concern: concern.length > 0 ? concern : undefined,
    subject: someText(raw.subject),
    active: oneOf(raw.active, ["yes", "no"]),
    team: wholeNumber(raw.team, 1),
    sort: oneOf(raw.sort, SORTS),
    order: oneOf(raw.order, ["asc", "desc"]),
    page: page === 1 ? undefined : page,
  };
}

export const isFiltered = ({ search, attention, concern, subject, active, team }: TutorSearch): boolean =>
  [search, attention, concern, subject, active, team].some((condition) => condition !== undefined);

/** The same order the other way round, or another order in the direction in which one wants to see it. */
export function sorted(by: Sort, order: Order = defaultOrder(by)): Pick<TutorSearch, "sort" | "order"> {
  return {
    sort: by === DEFAULT_SORT ? undefined : by,
    order: order === defaultOrder(by) ? undefined : order,
  };
}

/** The concern that is asked about, by which is sorted or else for which is filtered. */
export function concernInQuestion({ sort, concern }: TutorSearch): ConcernName | undefined {
  return CONCERN_NAMES.find((name) => sort === concernSort(name)) ?? concern?.[0];
}
