import { keepPreviousData, queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, body } from "../../../lib/api";
import type { operations, Queue } from "../../../lib/api-types";
import { firstOf } from "../../../lib/search-params";
import { CASES } from "../cached-cases";
import type { TodaySearch, Whose } from "../today-search";

/** As many as can be assigned at once. */
export const PAGE_SIZE = 200;
const OF_ONE_TUTOR = 5;

type CaseQuery = NonNullable<operations["list_cases"]["parameters"]["query"]>;

const casesQuery = (query: CaseQuery) =>
  queryOptions({
    queryKey: [...CASES, "list", query],
    queryFn: ({ signal }) => body(api.GET("/api/cases", { signal, params: { query } })),
  });

const OWNERS = { mine: { mine: true }, all: {}, nobody: { owner: "nobody" } } as const;
const ownedBy = (whose: Whose): CaseQuery =>
  whose === "mine" || whose === "all" || whose === "nobody" ? OWNERS[whose] : { owner: whose };

const agreed = (action: NonNullable<TodaySearch["action"]>): CaseQuery =>
  action === "no_contact" ? { contacted: false } : { last_action: [action] };

function asked(search: TodaySearch, whose: Whose): CaseQuery {
  const queue: Queue = search.queue ?? "todo";
  const order = {
    todo: { sort_by: "urgency", sort_order: "desc" },
    due: { sort_by: "due_on", sort_order: "asc" },
    waiting: { sort_by: "due_on", sort_order: "asc" },
    closed: { sort_by: "changed_at", sort_order: "desc" },
  } as const;
  return {
    queue: [queue],
    ...ownedBy(whose),
    ...(search.concern && { concern: [search.concern] }),
    ...(search.search && { search: search.search }),
    ...(search.reason && { reason: [search.reason] }),
    ...(search.action && agreed(search.action)),
    ...(search.from && { opened_since: firstOf(search.from) }),
    ...(search.to && { opened_until: firstOf(search.to, 1) }),
    ...order[queue],
    limit: PAGE_SIZE,
    offset: ((search.page ?? 1) - 1) * PAGE_SIZE,
  };
}

/** The cases of Today. The other queues are asked for beforehand, so that going to them takes no time. */
export function useCases(search: TodaySearch, whose: Whose) {
  const client = useQueryClient();
  const cases = useQuery({ ...casesQuery(asked(search, whose)), placeholderData: keepPreviousData });
  const isThere = cases.isSuccess && !cases.isPlaceholderData;
  useEffect(() => {
    if (!isThere) return;
    for (const queue of [undefined, "due", "waiting"] as const)
      client.prefetchQuery(casesQuery(asked({ ...search, queue, page: undefined }, whose)));
  }, [client, isThere, search, whose]);
  return cases;
}

/** The newest cases of one tutor, closed ones too. */
export const useCasesOf = (tutorId: string) =>
  useQuery(
    casesQuery({
      tutor_id: tutorId,
      queue: ["todo", "due", "waiting", "closed"],
      sort_by: "opened_at",
      limit: OF_ONE_TUTOR,
    }),
  );
