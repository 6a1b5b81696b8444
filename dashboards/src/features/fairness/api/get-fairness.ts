import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const fairnessQuery = queryOptions({
  queryKey: ["fairness"],
  queryFn: ({ signal }) => body(api.GET("/api/fairness", { signal })),
});

/** Groups of tutors beside all others, and who excuses. */
export const useFairness = () => useQuery(fairnessQuery);
