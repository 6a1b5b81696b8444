import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { StandInAnswer, StandInPost } from "../../../lib/api-types";

/** Below the key of all that is known of cases: whatever changes a case asks again. */
const CASES = ["cases"] as const;
/** Rows name who has agreed. */
const UPCOMING = ["upcoming"] as const;

/** The open case of a tutor, with what was noted of stand-ins; null without one. */
export interface Arranged {
  caseId: number;
  mayNote: boolean;
  /** The newest answer of each tutor who was asked to give this session, by the number of the tutor. */
  answers: ReadonlyMap<string, { answer: StandInAnswer; by: string; at: string }>;
}

const arrangedQuery = (tutorId: string, sessionId: string) =>
  queryOptions({
    queryKey: [...CASES, "stand-ins", tutorId, sessionId],
    queryFn: async ({ signal }): Promise<Arranged | null> => {
      const query = { tutor_id: tutorId, limit: 1 };
      const [known] = (await body(api.GET("/api/cases", { signal, params: { query } }))).data;
      if (!known) return null;
      const path = { case_id: known.case_id };
      const events = await body(api.GET("/api/cases/{case_id}/events", { signal, params: { path } }));
      const answers: [string, { answer: StandInAnswer; by: string; at: string }][] = events.data
        .filter(({ kind, details }) => kind === "stand_in" && details.session_id === sessionId)
        .toReversed()
        .map(({ details, actor, happened_at }) => [
          String(details.tutor_id),
          { answer: details.answer as StandInAnswer, by: actor, at: happened_at },
        ]);
      return { caseId: known.case_id, mayNote: known.may_change, answers: new Map(answers) };
    },
  });

export const useArranged = (tutorId: string, sessionId: string) =>
  useQuery(arrangedQuery(tutorId, sessionId));

/** Note in the case of a tutor that somebody was asked to stand in, or what they have said. */
export function useNoteStandIn(caseId: number) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: StandInPost) =>
      body(
        api.POST("/api/cases/{case_id}/stand-ins", { params: { path: { case_id: caseId } }, body: asked }),
      ),
    onSettled: () => Promise.all([CASES, UPCOMING].map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
}
