import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const SHOWN = 5;

const mailQuery = (tutorId: string) =>
  queryOptions({
    queryKey: ["reports", "of tutor", tutorId],
    queryFn: ({ signal }) =>
      body(api.GET("/api/reports", { signal, params: { query: { tutor_id: tutorId, limit: SHOWN } } })),
  });

const matchesQuery = (tutorId: string) =>
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

/** The newest mail that speaks of a tutor. */
export const useMail = (tutorId: string) => useQuery(mailQuery(tutorId));
/** The students whom a tutor would suit best. */
export const useBestStudents = (tutorId: string) => useQuery(matchesQuery(tutorId));
