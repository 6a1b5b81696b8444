import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const SHOWN_TUTORS = 8;

const upcomingQuery = queryOptions({
  queryKey: ["upcoming"],
  queryFn: ({ signal }) =>
    body(
      api.GET("/api/sessions/upcoming", {
        signal,
        params: { query: { one_per_tutor: true, since: new Date().toISOString(), limit: SHOWN_TUTORS } },
      }),
    ),
});

/** Of each tutor the next session; the tutor who is likeliest to let one down first. */
export const useUpcoming = () => useQuery(upcomingQuery);
