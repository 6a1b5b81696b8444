import { type QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { CaseDetail } from "../../../lib/api-types";
import { CASES } from "../cached-cases";
import { caseKey } from "./change-cases";

const path = (case_id: number) => ({ path: { case_id } });

const caseQuery = (caseId: number) =>
  queryOptions({
    queryKey: caseKey(caseId),
    queryFn: async ({ signal }): Promise<CaseDetail> =>
      (await body(api.GET("/api/cases/{case_id}", { signal, params: path(caseId) }))).data,
  });

const eventsQuery = (caseId: number) =>
  queryOptions({
    queryKey: [...CASES, "events", caseId],
    queryFn: ({ signal }) => body(api.GET("/api/cases/{case_id}/events", { signal, params: path(caseId) })),
  });

const preparationQuery = (caseId: number) =>
  queryOptions({
    queryKey: [...CASES, "preparation", caseId],
    queryFn: ({ signal }) =>
      body(api.GET("/api/cases/{case_id}/preparation", { signal, params: path(caseId) })),
  });

export const useCase = (caseId: number) => useQuery(caseQuery(caseId));

/** So that going on to it takes no time. */
export function prefetchCase(client: QueryClient, caseId: number): void {
  client.prefetchQuery(caseQuery(caseId));
  client.prefetchQuery(eventsQuery(caseId));
  client.prefetchQuery(preparationQuery(caseId));
}

/** What happened to a case, the newest first. */
export const useCaseEvents = (caseId: number) => useQuery(eventsQuery(caseId));

/** What to know before a conversation. */
export const usePreparation = (caseId: number) => useQuery(preparationQuery(caseId));
