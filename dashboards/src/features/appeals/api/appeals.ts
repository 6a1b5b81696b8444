import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { AppealState, DecisionPost, operations } from "../../../lib/api-types";
import type { AppealSearch } from "../appeal-search";

export const PAGE_SIZE = 50;
const APPEALS = ["appeals"] as const;
const OF_ONE_TUTOR = 20;

type AppealQuery = NonNullable<operations["list_appeals"]["parameters"]["query"]>;

const listQuery = (query: AppealQuery) =>
  queryOptions({
    queryKey: [...APPEALS, "list", query],
    queryFn: ({ signal }) => body(api.GET("/api/appeals", { signal, params: { query } })),
  });

/** The filters, as the API names them: open ones by their last day, others the newest first. */
export const filtersOf = ({ state, search }: AppealSearch) => ({
  state: [state ?? ("open" as AppealState)],
  search,
  ...(state && ({ sort_by: "settled_at", sort_order: "desc" } as const)),
});

export const useAppeals = ({ page = 1, ...search }: AppealSearch) =>
  useQuery({
    ...listQuery({ ...filtersOf(search), limit: PAGE_SIZE, offset: (page - 1) * PAGE_SIZE }),
    placeholderData: keepPreviousData,
  });

/** How many wait for a decision, and how many of them for too long. */
export const useWaiting = () =>
  useQuery({ ...listQuery({ state: ["open"], limit: 1 }), select: ({ meta }) => meta });

export const useOpenAppealsOf = (tutorId: string) =>
  useQuery(listQuery({ state: ["open"], tutor_id: tutorId, limit: OF_ONE_TUTOR }));

export const useAppeal = (appealId: number) =>
  useQuery({
    queryKey: [...APPEALS, "one", appealId],
    queryFn: ({ signal }) =>
      body(api.GET("/api/appeals/{appeal_id}", { signal, params: { path: { appeal_id: appealId } } })).then(
        ({ data }) => data,
      ),
  });

interface Decision {
  appealId: number;
  decision: DecisionPost;
}

const sent = ({ appealId, decision }: Decision) => ({
  params: { path: { appeal_id: appealId } },
  body: decision,
});

/** Excuses, corrections and the tutor's mail follow; so do the scores. */
export function useDecide() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (wanted: Decision) => body(api.POST("/api/appeals/{appeal_id}/decision", sent(wanted))),
    onSuccess: ({ data }) => client.setQueryData([...APPEALS, "one", data.appeal_id], data),
    // Also what it changes elsewhere: cases, scores, the tutor's history.
    onSettled: () => client.invalidateQueries(),
  });
}

/** The mail that the decision would send. */
export const usePreview = () =>
  useMutation({
    mutationFn: (wanted: Decision) =>
      body(api.POST("/api/appeals/{appeal_id}/decision/preview", sent(wanted))).then(({ data }) => data),
  });

/** A link to the tutor's own page; it is shown once. */
export const useMakePageLink = (tutorId: string) =>
  useMutation({
    mutationFn: () =>
      body(api.POST("/api/tutors/{tutor_id}/page-link", { params: { path: { tutor_id: tutorId } } })).then(
        ({ data }) => data,
      ),
  });

/** End every link of the tutor. */
export const useRevokePageLinks = (tutorId: string) =>
  useMutation({
    mutationFn: () =>
      body(api.DELETE("/api/tutors/{tutor_id}/page-link", { params: { path: { tutor_id: tutorId } } })),
  });
