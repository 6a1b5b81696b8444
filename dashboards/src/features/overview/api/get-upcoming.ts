import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

/** Enough to find several tutors among them: one who moves much has many sessions at the top. */
const LOOKED_THROUGH = 500;

const upcomingQuery = queryOptions({
  queryKey: ["upcoming"],
  queryFn: ({ signal }) =>
    body(api.GET("/api/sessions/upcoming", { signal, params: { query: { limit: LOOKED_THROUGH } } })),
});

/** Sessions to come, those first that the tutor is likeliest to move or miss. */
export const useUpcoming = () => useQuery(upcomingQuery);
