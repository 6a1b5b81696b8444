import { queryOptions, useMutation, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const LOOK_EVERY_MS = 2_000;

/** Start a run that predicts all pairs anew. */
export const useStartGeneration = () =>
  useMutation({ mutationFn: () => body(api.POST("/api/matching/generate-all")) });

const generationQuery = (runId: string | undefined) =>
  queryOptions({
    queryKey: ["matching", "generation", runId],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/matching/generate-all/{run_id}", { signal, params: { path: { run_id: runId ?? "" } } }),
      ),
    enabled: runId !== undefined,
    refetchInterval: ({ state }) =>
      state.data === undefined || state.data.status === "queued" || state.data.status === "running"
        ? LOOK_EVERY_MS
        : false,
  });

export const useGeneration = (runId?: string) => useQuery(generationQuery(runId));
