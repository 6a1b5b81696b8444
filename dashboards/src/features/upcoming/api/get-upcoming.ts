import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import { beginningOf } from "../../../lib/search-params";
import { LEAST_RISKS, type UpcomingSearch } from "../upcoming-search";

export const PAGE_SIZE = 50;
const HOUR_MS = 3_600_000;
/** Older than a night without a run. */
const HISTORIC_MS = 72 * HOUR_MS;

const SORTS = { day: "scheduled_time", student: "student_name", risk: "first_session_risk" } as const;

const atLeast = (risk: UpcomingSearch["risk"]) => risk && LEAST_RISKS.slice(LEAST_RISKS.indexOf(risk));

/** What has begun needs no stand-in. */
const now = () => new Date().toISOString();

async function ask(
  { search, risk, studentRisk, first, by, page = 1 }: UpcomingSearch,
  since: string | undefined,
  signal: AbortSignal,
) {
  return body(
    api.GET("/api/sessions/upcoming", {
      signal,
      params: {
        query: {
          search,
          since,
          risk_level: atLeast(risk),
          student_risk_level: atLeast(studentRisk),
          is_first_meeting: first && true,
          sort_by: SORTS[by ?? "day"],
          limit: PAGE_SIZE,
          offset: (page - 1) * PAGE_SIZE,
        },
      },
    }),
  );
}

const upcomingQuery = (wanted: UpcomingSearch) =>
  queryOptions({
    queryKey: [
      "upcoming",
      "list",
      wanted.search,
      wanted.from,
      wanted.risk,
      wanted.studentRisk,
      wanted.first,
      wanted.by,
      wanted.page,
    ],
    queryFn: async ({ signal }) => {
      if (wanted.from) return ask(wanted, beginningOf(wanted.from), signal);
      const list = await ask(wanted, now(), signal);
      // An installation on historic data plans for what is past by now.
      const isHistoric =
        list.meta.total === 0 && new Date(list.meta.as_of).getTime() < Date.now() - HISTORIC_MS;
      return isHistoric ? ask(wanted, undefined, signal) : list;
    },
    placeholderData: keepPreviousData,
  });

/** A page of planned sessions, in order of time, or by student; from now on where no day is given. */
export const useUpcoming = (search: UpcomingSearch) => useQuery(upcomingQuery(search));
