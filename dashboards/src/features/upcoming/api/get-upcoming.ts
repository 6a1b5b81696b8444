import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import { beginningOf } from "../../../lib/search-params";
import { LEAST_RISKS, type UpcomingSearch } from "../upcoming-search";

export const PAGE_SIZE = 50;
const HOUR_MS = 3_600_000;
/** Older than a night without a run. */
const HISTORIC_MS = 72 * HOUR_MS;

/** Days that are shown if the reader asks for no others. */
const DAYS = 7;

const SORTS = { day: "scheduled_time", student: "student_name" } as const;
/** The greatest risk first. */
const sortByRisk = (first: UpcomingSearch["first"]) =>
  first ? "first_session_risk" : "let_down_probability";

const atLeast = (risk: UpcomingSearch["risk"]) => risk && LEAST_RISKS.slice(LEAST_RISKS.indexOf(risk));

/** What has begun needs no stand-in. */
const now = () => new Date().toISOString();

/** The first moment after the days that are shown, the first of which is that of `first`. */
function endOf({ days }: UpcomingSearch, first: string | undefined): string | undefined {
  if (days === "all" || first === undefined) return undefined;
  const end = new Date(first);
  end.setHours(0, 0, 0, 0);
  end.setDate(end.getDate() + (days === "1" ? 1 : DAYS));
  return end.toISOString();
}

async function ask(
  { search, risk, studentRisk, first, by, page = 1 }: UpcomingSearch,
  since: string | undefined,
  until: string | undefined,
  signal: AbortSignal,
) {
  return body(
    api.GET("/api/sessions/upcoming", {
      signal,
      params: {
        query: {
          search,
          since,
          until,
          risk_level: atLeast(risk),
          student_risk_level: atLeast(studentRisk),
          is_first_meeting: first && true,
          sort_by: by ? SORTS[by] : sortByRisk(first),
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
      wanted.days,
      wanted.risk,
      wanted.studentRisk,
      wanted.first,
      wanted.by,
      wanted.page,
    ],
    queryFn: async ({ signal }) => {
      const first = beginningOf(wanted.from) ?? now();
      const list = await ask(wanted, first, endOf(wanted, first), signal);
      // An installation on historic data plans for what is past by now.
      const isHistoric =
        !wanted.from &&
        list.meta.total === 0 &&
        new Date(list.meta.as_of).getTime() < Date.now() - HISTORIC_MS;
      return isHistoric ? ask(wanted, undefined, endOf(wanted, beginningOf(list.meta.as_of)), signal) : list;
    },
    placeholderData: keepPreviousData,
  });

/** A page of planned sessions of some days; from now on where no day is given. */
export const useUpcoming = (search: UpcomingSearch) => useQuery(upcomingQuery(search));
