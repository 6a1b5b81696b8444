import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import { POLL_MS } from "../../../lib/query-client";

const HISTORY_EVENTS = 200;

const tutorQuery = (tutorId: string) =>
  queryOptions({
    queryKey: ["tutors", "one", tutorId],
    queryFn: ({ signal }) =>
      body(api.GET("/api/tutors/{tutor_id}", { signal, params: { path: { tutor_id: tutorId } } })),
  });

const explanationQuery = (tutorId: string) =>
  queryOptions({
    queryKey: ["tutors", "explanation", tutorId],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/tutors/{tutor_id}/explanation", { signal, params: { path: { tutor_id: tutorId } } }),
      ),
  });

const historyQuery = (tutorId: string, days: number) =>
  queryOptions({
    queryKey: ["tutors", "history", tutorId, days],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/tutors/{tutor_id}/history", {
          signal,
          params: { path: { tutor_id: tutorId }, query: { days, limit: HISTORY_EVENTS } },
        }),
      ),
  });

export const useTutor = (tutorId: string, pollMs = POLL_MS) =>
  useQuery({ ...tutorQuery(tutorId), refetchInterval: pollMs });
export const useExplanation = (tutorId: string, pollMs = POLL_MS) =>
  useQuery({ ...explanationQuery(tutorId), refetchInterval: pollMs });
export const useHistory = (tutorId: string, days: number, pollMs = POLL_MS) =>
  useQuery({ ...historyQuery(tutorId, days), refetchInterval: pollMs });
