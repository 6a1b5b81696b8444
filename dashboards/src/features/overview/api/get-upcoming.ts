import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const SHOWN_TUTORS = 8;

const upcomingQuery = queryOptions({
  queryKey: ["upcoming"],
  queryFn: ({ signal }) =>
    body(
      api.GET("/api/sessions/upcoming", {
        signal,
        params: { query: { one_per_tutor: true, limit: SHOWN_TUTORS } },
      }),
    ),
});

/** Of each tutor the session that is likeliest to be moved or missed; the likeliest of all first. */
export const useUpcoming = () => useQuery(upcomingQuery);
