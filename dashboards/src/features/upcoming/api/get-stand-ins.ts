import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const standInsQuery = (sessionId: string, limit: number) =>
  queryOptions({
    queryKey: ["upcoming", "stand-ins", sessionId, limit],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/sessions/{session_id}/stand-ins", {
          signal,
          params: { path: { session_id: sessionId }, query: { limit } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

/** Tutors who could give a planned session, raised concerns last, otherwise who is likeliest to hold it first. */
export const useStandIns = (sessionId: string, limit: number) => useQuery(standInsQuery(sessionId, limit));
