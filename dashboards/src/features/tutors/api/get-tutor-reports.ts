import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const SHOWN = 5;

const tutorReportsQuery = (tutorId: string) =>
  queryOptions({
    queryKey: ["reports", "of tutor", tutorId],
    queryFn: ({ signal }) =>
      body(api.GET("/api/reports", { signal, params: { query: { tutor_id: tutorId, limit: SHOWN } } })),
  });

/** The newest mail that speaks of a tutor. */
export const useTutorReports = (tutorId: string) => useQuery(tutorReportsQuery(tutorId));
