import type { AgreedAction, CloseReason, ConcernName, Queue } from "../../lib/api-types";
import { CONCERN_NAMES } from "../../lib/concerns";
import { oneOf, someMonth, someText, wholeNumber } from "../../lib/search-params";
import { ACTIONS, REASONS } from "./case-words";

const WHOSE = ["mine", "all", "nobody"] as const;
/** Also of one person, by number. */
export type Whose = (typeof WHOSE)[number] | `${number}`;

/** What was last agreed with the tutor, if anybody has spoken with them. */
export type Action = AgreedAction | "no_contact";

/** Which cases are shown, as in the address; what is not set is left out of it. */
export interface TodaySearch {
  /** To do unless it says otherwise. */
  queue?: Exclude<Queue, "todo">;
  /** Unless it says otherwise: their own for coaches, everybody's for others. */
  whose?: Whose;
  concern?: ConcernName;
  search?: string;
  /** Why they were closed. */
  reason?: CloseReason;
  action?: Action;
  /** First and last month in which they were opened, as 2026-01. */
  from?: string;
  to?: string;
  page?: number;
}

const CONDITIONS = ["concern", "search", "reason", "action", "from", "to"] as const;

/** Reads an address that anybody may have typed: what makes no sense is as if it were not there. */
export function todaySearch(raw: Record<string, unknown>): TodaySearch {
  const page = wholeNumber(raw.page, 1);
  const owner = wholeNumber(raw.whose, 1);
  return {
    queue: oneOf(raw.queue, ["due", "waiting", "closed"]),
    whose: owner ? `${owner}` : oneOf(raw.whose, WHOSE),
    concern: oneOf(raw.concern, CONCERN_NAMES),
    search: someText(raw.search),
    reason: oneOf(raw.reason, Object.keys(REASONS) as CloseReason[]),
    action: oneOf(raw.action, [...(Object.keys(ACTIONS) as AgreedAction[]), "no_contact"]),
    from: someMonth(raw.from),
    to: someMonth(raw.to),
    page: page === 1 ? undefined : page,
  };
}

/** Whether some cases are left out for what they are, not for whose. */
export const isFiltered = (search: TodaySearch): boolean =>
  CONDITIONS.some((condition) => search[condition] !== undefined);

/** As changes to a search. */
export const WITHOUT_FILTERS: Partial<TodaySearch> = Object.fromEntries(
  CONDITIONS.map((condition) => [condition, undefined]),
);
