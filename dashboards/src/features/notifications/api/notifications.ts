import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { NotificationPreferencesPut } from "../../../lib/api-types";

const KEY = ["notifications"];

/** What the reader wants to be told. */
export const useNotifications = () =>
  useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => body(api.GET("/api/me/notifications", { signal })),
    // A form is made from it: what somebody types must not be replaced.
    refetchInterval: false,
  });

/** Sends a test to the reader's own chat; gives the number of the message. */
export const useTestChat = () =>
  useMutation({
    mutationFn: async () => (await body(api.POST("/api/me/notifications/test"))).data.report_id,
  });

const isOnItsWay = (state: string) => state === "queued" || state === "sending";

/** What became of a test: it is on its way for some seconds. */
export const useTestResult = (reportId: string) =>
  useQuery({
    queryKey: [...KEY, "test", reportId],
    queryFn: ({ signal }) =>
      body(api.GET("/api/reports/{report_id}", { signal, params: { path: { report_id: reportId } } })),
    refetchInterval: ({ state }) => (state.data && !isOnItsWay(state.data.data.state) ? false : 2_000),
  });

export function useSaveNotifications() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (wanted: NotificationPreferencesPut) =>
      body(api.PUT("/api/me/notifications", { body: wanted })),
    onSuccess: (saved) => client.setQueryData(KEY, saved),
  });
}
