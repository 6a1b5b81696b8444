import type { ConcernName, Queue } from "../../lib/api-types";
import { CONCERN_NAMES } from "../../lib/concerns";
import { oneOf, someText, wholeNumber } from "../../lib/search-params";

const WHOSE = ["mine", "all", "nobody"] as const;
export type Whose = (typeof WHOSE)[number];

/** Which cases are shown, as in the address; what is not set is left out of it. */
export interface TodaySearch {
  /** To do unless it says otherwise. */
  queue?: Exclude<Queue, "todo">;
  /** Unless it says otherwise: their own for coaches, everybody's for others. */
  whose?: Whose;
  concern?: ConcernName;
  search?: string;
  page?: number;
}

/** Reads an address that anybody may have typed: what makes no sense is as if it were not there. */
export function todaySearch(raw: Record<string, unknown>): TodaySearch {
  const page = wholeNumber(raw.page, 1);
  return {
    queue: oneOf(raw.queue, ["due", "waiting", "closed"]),
    whose: oneOf(raw.whose, WHOSE),
    concern: oneOf(raw.concern, CONCERN_NAMES),
    search: someText(raw.search),
    page: page === 1 ? undefined : page,
  };
}
