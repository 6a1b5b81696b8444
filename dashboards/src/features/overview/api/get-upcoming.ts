import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const SHOWN = 8;

const upcomingQuery = queryOptions({
  queryKey: ["upcoming"],
  queryFn: ({ signal }) =>
    body(api.GET("/api/sessions/upcoming", { signal, params: { query: { limit: SHOWN } } })),
});

/** Sessions to come, those first that the tutor is likeliest to move or miss. */
export const useUpcoming = () => useQuery(upcomingQuery);
