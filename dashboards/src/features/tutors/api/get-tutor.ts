import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import { ofOneVersion } from "../../../lib/versions";

const HISTORY_EVENTS = 200;

/** All that the page says of a tutor, read from one state of the scores. */
const tutorQuery = (tutorId: string, days: number) =>
  queryOptions({
    queryKey: ["tutors", "one", tutorId, days],
    queryFn: async ({ signal }) => {
      const path = { tutor_id: tutorId };
      const [tutor, explanation, history] = await ofOneVersion(() =>
        Promise.all([
          body(api.GET("/api/tutors/{tutor_id}", { signal, params: { path } })),
          body(api.GET("/api/tutors/{tutor_id}/explanation", { signal, params: { path } })),
          body(
            api.GET("/api/tutors/{tutor_id}/history", {
              signal,
              params: { path, query: { days, limit: HISTORY_EVENTS } },
            }),
          ),
        ]),
      );
      return { tutor: tutor.data, explanation: explanation.data, history };
    },
    // Another range of the same tutor's history; never another tutor.
    placeholderData: (previous, query) => (query?.queryKey[2] === tutorId ? previous : undefined),
  });

export const useTutor = (tutorId: string, days: number, pollMs: () => number) =>
  useQuery({ ...tutorQuery(tutorId, days), refetchInterval: pollMs });
