import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const SHOWN = 5;

const bestStudentsQuery = (tutorId: string) =>
  queryOptions({
    queryKey: ["matching", "of tutor", tutorId],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/matching/tutors/{tutor_id}/matches", {
          signal,
          params: { path: { tutor_id: tutorId }, query: { limit: SHOWN } },
        }),
      ),
  });

/** The students whom a tutor would suit best. */
export const useBestStudents = (tutorId: string) => useQuery(bestStudentsQuery(tutorId));
