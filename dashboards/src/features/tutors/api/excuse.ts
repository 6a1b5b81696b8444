import { useMutation } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

/** Excuse the reschedule of a session; scores follow with the next run. */
export const useExcuse = () =>
  useMutation({
    mutationFn: ({ sessionId, reason }: { sessionId: string; reason: string }) =>
      body(
        api.POST("/api/reschedules/{session_id}/excuse", {
          params: { path: { session_id: sessionId } },
          body: { reason },
        }),
      ),
  });

/** Let it count again. */
export const useUndoExcuse = () =>
  useMutation({
    mutationFn: (sessionId: string) =>
      body(
        api.DELETE("/api/reschedules/{session_id}/excuse", { params: { path: { session_id: sessionId } } }),
      ),
  });
