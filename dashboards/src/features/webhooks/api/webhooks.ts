import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { WebhookEndpointPatch, WebhookEndpointPost } from "../../../lib/api-types";

const KEY = "webhooks";
export const PAGE_SIZE = 20;
// A test or a delivery that is sent again is on its way for seconds.
const WATCH_EVERY_MS = 2_000;
const isOnItsWay = (state: string) => state === "queued" || state === "sending";

const path = (endpoint_id: string) => ({ params: { path: { endpoint_id } } });

export const useWebhooks = () =>
  useQuery({
    queryKey: [KEY, "list"],
    queryFn: ({ signal }) => body(api.GET("/api/webhook-endpoints", { signal })),
  });

/** `watch`: look again every few seconds while something is about to be sent. */
const deliveriesQuery = (endpointId: string, page: number) =>
  queryOptions({
    queryKey: [KEY, "deliveries", endpointId, page],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/webhook-endpoints/{endpoint_id}/deliveries", {
          signal,
          params: {
            path: { endpoint_id: endpointId },
            query: { limit: PAGE_SIZE, offset: (page - 1) * PAGE_SIZE },
          },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.data.some((delivery) => isOnItsWay(delivery.state)) ? WATCH_EVERY_MS : 30_000,
  });

export const useDeliveries = (endpointId: string, page: number) =>
  useQuery(deliveriesQuery(endpointId, page));

export const useDelivery = (endpointId: string, deliveryId: string) =>
  useQuery({
    queryKey: [KEY, "delivery", endpointId, deliveryId],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}", {
          signal,
          params: { path: { endpoint_id: endpointId, delivery_id: deliveryId } },
        }),
      ),
    refetchInterval: ({ state }) =>
      state.data && isOnItsWay(state.data.data.state) ? WATCH_EVERY_MS : 30_000,
  });

/** A change of webhooks, after which all that is known of them is asked for again. */
function useWebhookMutation<Input, Output>(send: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSettled: () => client.invalidateQueries({ queryKey: [KEY] }),
  });
}

export const useAddWebhook = () =>
  useWebhookMutation((post: WebhookEndpointPost) => body(api.POST("/api/webhook-endpoints", { body: post })));

export const useChangeWebhook = (endpointId: string) =>
  useWebhookMutation((patch: WebhookEndpointPatch) =>
    body(api.PATCH("/api/webhook-endpoints/{endpoint_id}", { ...path(endpointId), body: patch })),
  );

export const useDeleteWebhook = (endpointId: string) =>
  useWebhookMutation(() => body(api.DELETE("/api/webhook-endpoints/{endpoint_id}", path(endpointId))));

export const useRenewSecret = (endpointId: string) =>
  useWebhookMutation(() => body(api.POST("/api/webhook-endpoints/{endpoint_id}/secret", path(endpointId))));

export const useTestWebhook = (endpointId: string) =>
  useWebhookMutation(() => body(api.POST("/api/webhook-endpoints/{endpoint_id}/test", path(endpointId))));

export const useReplay = (endpointId: string) =>
  useWebhookMutation((delivery_id: string) =>
    body(
      api.POST("/api/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/replay", {
        params: { path: { endpoint_id: endpointId, delivery_id } },
      }),
    ),
  );
