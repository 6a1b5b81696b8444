import { createContext, use, useSyncExternalStore } from "react";
import { Live } from "./live";
import { POLL_MS, SLOW_POLL_MS } from "./query-client";

/** The stream of this page. Nobody has started it but the frame of a page that is logged in. */
export const LiveContext = createContext(new Live());

/** Whether the API tells of changes as they happen. */
export function useIsLive(): boolean {
  const live = use(LiveContext);
  return useSyncExternalStore(live.watch, () => live.isLive);
}

/** How often to ask. */
export const usePollMs = (): number => (useIsLive() ? SLOW_POLL_MS : POLL_MS);
