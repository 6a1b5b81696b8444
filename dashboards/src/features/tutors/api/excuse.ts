import { useMutation } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

/** One session, or all that a tutor moved, cancelled or missed and that counts on one day. */
type What = { sessionId: string } | { tutorId: string; day: string };

const SESSION = "/api/sessions/{session_id}/excuse";
const DAY = "/api/tutors/{tutor_id}/days/{day}/excuse";

/** Excuse it; scores follow with the next run. */
export const useExcuse = () =>
  useMutation({
    mutationFn: async ({ what, reason }: { what: What; reason: string }) => {
      if ("sessionId" in what) {
        const path = { session_id: what.sessionId };
        await body(api.POST(SESSION, { params: { path }, body: { reason } }));
      } else {
        const path = { tutor_id: what.tutorId, day: what.day };
        await body(api.POST(DAY, { params: { path }, body: { reason } }));
      }
    },
  });

/** Let it count again. */
export const useUndoExcuse = () =>
  useMutation({
    mutationFn: async (what: What) => {
      if ("sessionId" in what) {
        await body(api.DELETE(SESSION, { params: { path: { session_id: what.sessionId } } }));
      } else {
        await body(api.DELETE(DAY, { params: { path: { tutor_id: what.tutorId, day: what.day } } }));
      }
    },
  });
