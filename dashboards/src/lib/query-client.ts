import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiProblem } from "./problem";

export const POLL_MS = 30_000;
/** While the API tells of changes by itself: in case that it did not tell of one. */
export const SLOW_POLL_MS = 300_000;
const AGAIN_AT_MOST = 2;

/**
 * One client per page load; `onSignedOut` is called when the API no longer knows the reader. `isLive`: whether the API
 * tells of changes by itself.
 */
export function createQueryClient(
  onSignedOut: (client: QueryClient) => void,
  isLive = () => false,
): QueryClient {
  const noticeSignOut = (error: Error) => {
    if (error instanceof ApiProblem && error.status === 401) onSignedOut(client);
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError: noticeSignOut }),
    mutationCache: new MutationCache({ onError: noticeSignOut }),
    defaultOptions: {
      queries: {
        refetchInterval: () => (isLive() ? SLOW_POLL_MS : POLL_MS),
        // Long enough that going back to a page asks nothing, short enough to be asked at the next poll.
        staleTime: POLL_MS / 2,
        // What the API has refused, it will refuse again.
        retry: (failures, error) =>
          failures < AGAIN_AT_MOST &&
          !(error instanceof ApiProblem && error.status >= 400 && error.status < 500),
        retryDelay: (failures) => 500 * 2 ** failures,
      },
      mutations: { retry: false },
    },
  });
  return client;
}
