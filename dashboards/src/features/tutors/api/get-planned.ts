import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const SHOWN = 6;
const DAY_MS = 86_400_000;
/** Scores older than a long weekend are those of historic data, whose plans are past by now. */
const HISTORIC_DAYS = 4;

const plannedQuery = (tutorId: string, isHistoric: boolean) =>
  queryOptions({
    queryKey: ["upcoming", "of tutor", tutorId, isHistoric],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/sessions/upcoming", {
          signal,
          params: {
            query: {
              tutor_id: tutorId,
              since: isHistoric ? undefined : new Date().toISOString(),
              sort_by: "scheduled_time",
              limit: SHOWN,
            },
          },
        }),
      ),
  });

/** The next planned sessions of a tutor, by time. */
export const usePlanned = (tutorId: string, asOf: string) =>
  useQuery(plannedQuery(tutorId, Date.now() - Date.parse(asOf) > HISTORIC_DAYS * DAY_MS));
