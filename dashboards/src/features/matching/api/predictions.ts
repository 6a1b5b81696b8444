import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import { SHOWN, type TutorConditions } from "./people";

interface MatchConditions extends TutorConditions {
  sharesSubject: boolean;
}

/** The prediction for a pair, ranked among tutors of the subject if one is chosen; its explanation may take seconds, and is asked for apart. */
const predictionQuery = (studentId: string, tutorId: string, subject: string | undefined, explain: boolean) =>
  queryOptions({
    queryKey: ["matching", "prediction", studentId, tutorId, subject, explain],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/matching/predict/{student_id}/{tutor_id}", {
          signal,
          params: { path: { student_id: studentId, tutor_id: tutorId }, query: { subject, explain } },
        }),
      ),
    refetchInterval: explain ? false : undefined,
    // Words cost a question to a language model.
    meta: explain ? { isLive: false } : undefined,
  });

const matchesQuery = (
  studentId: string | undefined,
  { subject, hasCapacity, sharesSubject }: MatchConditions,
) =>
  queryOptions({
    queryKey: ["matching", "matches", studentId, subject, hasCapacity, sharesSubject],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/matching/students/{student_id}/matches", {
          signal,
          params: {
            path: { student_id: studentId ?? "" },
            query: {
              subject,
              has_capacity: hasCapacity,
              shares_subject: sharesSubject,
              concerns_last: true,
              limit: SHOWN,
            },
          },
        }),
      ),
    enabled: studentId !== undefined,
    placeholderData: keepPreviousData,
  });

export const usePrediction = (studentId: string, tutorId: string, subject?: string) =>
  useQuery(predictionQuery(studentId, tutorId, subject, false));
export const useMatchExplanation = (studentId: string, tutorId: string, subject?: string) =>
  useQuery(predictionQuery(studentId, tutorId, subject, true));
/** Tutors for a student, the best first, and those with a raised concern last. */
export const useMatches = (studentId: string | undefined, conditions: MatchConditions) =>
  useQuery(matchesQuery(studentId, conditions));
