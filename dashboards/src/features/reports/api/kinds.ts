import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { Kind } from "../report-search";
import { REPORTS } from "./get-reports";

const kindsQuery = queryOptions({
  queryKey: [...REPORTS, "kinds"],
  queryFn: ({ signal }) => body(api.GET("/api/reports/kinds", { signal })),
});

const previewQuery = (kind: Kind) =>
  queryOptions({
    queryKey: [...REPORTS, "preview", kind],
    queryFn: ({ signal }) =>
      body(api.GET("/api/reports/kinds/{kind}/preview", { signal, params: { path: { kind } } })),
    // It is looked at as it was made; the next look makes another one.
    refetchInterval: false,
  });

/** What is sent, to whom, and when next. */
export const useKinds = () => useQuery(kindsQuery);

/** A mail as it would look now. */
export const usePreview = (kind: Kind) => useQuery(previewQuery(kind));

/** Mail the reader a test of one kind. */
export function useSendTest() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (kind: Kind) =>
      body(api.POST("/api/reports/kinds/{kind}/test", { params: { path: { kind } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: REPORTS }),
  });
}
