import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const comparisonQuery = (tutorId: string) =>
  queryOptions({
    // Asked for anew when the tutor's own scores are (live-queries.ts).
    queryKey: ["tutors", "one", tutorId, "comparison"],
    queryFn: ({ signal }) =>
      body(api.GET("/api/tutors/{tutor_id}/comparison", { signal, params: { path: { tutor_id: tutorId } } })),
  });

/** One tutor beside all others. */
export const useComparison = (tutorId: string) => useQuery(comparisonQuery(tutorId));
