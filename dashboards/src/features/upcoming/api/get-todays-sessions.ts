import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const todaysSessionsQuery = queryOptions({
  queryKey: ["upcoming", "today"],
  queryFn: ({ signal }) => body(api.GET("/api/sessions/today", { signal })),
});

/** The sessions of the as-of day, by hour. */
export const useTodaysSessions = () => useQuery(todaysSessionsQuery);
