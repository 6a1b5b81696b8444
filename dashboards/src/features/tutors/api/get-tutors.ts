import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { TutorRow } from "../../../lib/api-types";
import { ofOneVersion } from "../../../lib/versions";
import type { TutorSearch } from "../tutor-search";
import { DEFAULT_SORT, defaultOrder } from "../tutor-search";

export const PAGE_SIZE = 50;
const TREND_WEEKS = 12;
const LARGEST_PAGE = 500;

const flag = (value: "yes" | "no" | undefined) => (value === undefined ? undefined : value === "yes");

/** The part of the address that says which tutors, as parameters of the API. */
const conditions = ({ search, attention, concern, subject, active, team }: TutorSearch) => ({
  search,
  attention: flag(attention),
  concern,
  subject,
  is_active: flag(active),
  team_of: team,
});

function order({ sort = DEFAULT_SORT, order = defaultOrder(sort) }: TutorSearch) {
  return { sort_by: sort, sort_order: order };
}

/** The rows and the plot of the same tutors, read from one state of the scores. */
const tutorsQuery = (search: TutorSearch) =>
  queryOptions({
    queryKey: ["tutors", "list", search],
    queryFn: async ({ signal }) => {
      const page = {
        ...conditions(search),
        ...order(search),
        trend_weeks: TREND_WEEKS,
        limit: PAGE_SIZE,
        offset: ((search.page ?? 1) - 1) * PAGE_SIZE,
      };
      const [list, funnel] = await ofOneVersion(() =>
        Promise.all([
          body(api.GET("/api/tutors", { signal, params: { query: page } })),
          body(api.GET("/api/funnel", { signal, params: { query: conditions(search) } })),
        ]),
      );
      return { list, funnel };
    },
    // The rows stay until the new ones are there.
    placeholderData: (previous) => previous,
  });

export const useTutors = (search: TutorSearch) => useQuery(tutorsQuery(search));

/**
 * All tutors that fit, in their order, page after page.
 *
 * @throws Error if new scores were published meanwhile twice: pages of different runs do not fit together.
 */
export async function allTutors(search: TutorSearch, again = true): Promise<TutorRow[]> {
  const rows: TutorRow[] = [];
  let generation: number | undefined;
  for (;;) {
    const query = { ...conditions(search), ...order(search), limit: LARGEST_PAGE, offset: rows.length };
    const { data, meta } = await body(api.GET("/api/tutors", { params: { query } }));
    if (generation !== undefined && meta.generation !== generation) {
      if (again) return allTutors(search, false);
      throw new Error("Scores changed during the export. Try again in a minute.");
    }
    generation = meta.generation;
    rows.push(...data);
    if (rows.length >= meta.total || data.length === 0) return rows;
  }
}
