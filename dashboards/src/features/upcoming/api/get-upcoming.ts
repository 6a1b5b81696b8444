import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import { beginningOf, dateIn } from "../../../lib/search-params";
import { LEAST_RISKS, type UpcomingSearch } from "../upcoming-search";

export const PAGE_SIZE = 50;
const HOUR_MS = 3_600_000;
/** Older than a night without a run. */
const HISTORIC_MS = 72 * HOUR_MS;

/** So many, if the reader asks for no others. */
export const DAYS_SHOWN = 7;

const SORTS = { day: "scheduled_time", student: "student_name" } as const;
/** The greatest risk first. */
const sortByRisk = (first: UpcomingSearch["first"]) =>
  first ? "first_session_risk" : "let_down_probability";

const atLeast = (risk: UpcomingSearch["risk"]) => risk && LEAST_RISKS.slice(LEAST_RISKS.indexOf(risk));

/** What has begun needs no stand-in. */
const now = () => new Date().toISOString();

/** The first moment after the days that are shown, the first of which is that of `first`. */
function endOf({ days, zone }: UpcomingSearch, first: string): string | undefined {
  if (days === "all") return undefined;
  return beginningOf(dateIn(first, zone), days === "1" ? 1 : DAYS_SHOWN, zone);
}

async function ask(
  { search, risk, studentRisk, team, first, by, page = 1 }: UpcomingSearch,
  since: string,
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
          team_of: team,
          is_first_meeting: first && true,
          sort_by: by ? SORTS[by] : sortByRisk(first),
          limit: PAGE_SIZE,
          offset: (page - 1) * PAGE_SIZE,
        },
      },
    }),
  );
}

async function isAnythingPlanned(signal: AbortSignal): Promise<boolean> {
  const query = { since: now(), limit: 1 };
  return (await body(api.GET("/api/sessions/upcoming", { signal, params: { query } }))).meta.total > 0;
}

const upcomingQuery = (wanted: UpcomingSearch) =>
  queryOptions({
    queryKey: [
      "upcoming",
      "list",
      wanted.search,
      wanted.from,
      wanted.zone,
      wanted.days,
      wanted.risk,
      wanted.studentRisk,
      wanted.team,
      wanted.first,
      wanted.by,
      wanted.page,
    ],
    queryFn: async ({ signal }) => {
      const listFrom = async (from: string | undefined) => {
        const first = beginningOf(from, 0, wanted.zone) ?? now();
        return { ...(await ask(wanted, first, endOf(wanted, first), signal)), from };
      };
      const list = await listFrom(wanted.from);
      const day = list.meta.as_of;
      // An installation on historic data plans for what is past by now.
      const isHistoric =
        !wanted.from &&
        list.meta.total === 0 &&
        new Date(day).getTime() < Date.now() - HISTORIC_MS &&
        !(await isAnythingPlanned(signal));
      return isHistoric ? listFrom(day) : list;
    },
    placeholderData: keepPreviousData,
  });

/** A page of planned sessions of some days, and from which day on, if not from now. */
export const useUpcoming = (search: UpcomingSearch) => useQuery(upcomingQuery(search));
