import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const KEY = "log-ins";

const logInsQuery = (everybody: boolean) =>
  queryOptions({
    queryKey: [KEY, everybody],
    queryFn: ({ signal }) =>
      body(api.GET("/api/auth/sessions", { signal, params: { query: { everybody } } })),
  });

/** Browsers that are logged in: the reader's, or for admins everybody's. */
export const useLogIns = (everybody: boolean) => useQuery(logInsQuery(everybody));

/** End one of them; it is asked to log in at its next request. */
export function useEndLogIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: number) =>
      body(
        api.DELETE("/api/auth/sessions/{browser_session_id}", {
          params: { path: { browser_session_id: id } },
        }),
      ),
    // Also after an error: it may be over by now.
    onSettled: () => client.invalidateQueries({ queryKey: [KEY] }),
  });
}
