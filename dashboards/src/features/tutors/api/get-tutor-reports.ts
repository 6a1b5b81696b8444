import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { Report } from "../../../lib/api-types";

const SHOWN = 5;
/** All but samples, which the demo made up: nobody got them. */
const STATES: Report["state"][] = ["queued", "sending", "sent", "failed", "unknown", "suppressed"];

const tutorReportsQuery = (tutorId: string) =>
  queryOptions({
    queryKey: ["reports", "of tutor", tutorId],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/reports", {
          signal,
          params: { query: { tutor_id: tutorId, state: STATES, limit: SHOWN } },
        }),
      ),
  });

/** The newest mail that speaks of a tutor. */
export const useTutorReports = (tutorId: string) => useQuery(tutorReportsQuery(tutorId));
