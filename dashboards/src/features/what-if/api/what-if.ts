import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { ScoringPatch, WhatIfPost } from "../../../lib/api-types";

const SCORING = ["scoring"];
const KEY = "what-if";
const WATCH_EVERY_MS = 1_000;
/** A run that takes applied settings over needs a while. */
const UNPUBLISHED_EVERY_MS = 5_000;

/** Settings of scoring: configured, in force, published, and who applied what. */
export const useScoring = () =>
  useQuery({
    queryKey: SCORING,
    queryFn: ({ signal }) => body(api.GET("/api/scoring-settings", { signal })),
    refetchInterval: ({ state }) => (state.data?.data.is_published === false ? UNPUBLISHED_EVERY_MS : 60_000),
  });

/** A question, asked again and again until it is answered. */
export const useWhatIf = (whatIfId: string | undefined) =>
  useQuery({
    queryKey: [KEY, whatIfId],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/what-if/{what_if_id}", { signal, params: { path: { what_if_id: whatIfId ?? "" } } }),
      ),
    enabled: whatIfId !== undefined,
    refetchInterval: ({ state }) =>
      ["queued", "running"].includes(state.data?.data.state ?? "") ? WATCH_EVERY_MS : false,
  });

export const useAsk = () =>
  useMutation({ mutationFn: (post: WhatIfPost) => body(api.POST("/api/what-if", { body: post })) });

export function useApply() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (patch: ScoringPatch) => body(api.PATCH("/api/scoring-settings", { body: patch })),
    onSuccess: (known) => client.setQueryData(SCORING, known),
  });
}

export function useRevert() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => body(api.DELETE("/api/scoring-settings")),
    onSuccess: (known) => client.setQueryData(SCORING, known),
  });
}
