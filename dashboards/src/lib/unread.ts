import { useSyncExternalStore } from "react";

/** How many alerts have come since the reader last looked at the page. */
let unread = 0;
const listeners = new Set<() => void>();

export const isLookedAt = (): boolean => document.visibilityState === "visible" && document.hasFocus();

function set(count: number): void {
  if (count === unread) return;
  unread = count;
  for (const listener of listeners) listener();
}

export function noteAlert(): void {
  if (!isLookedAt()) set(unread + 1);
}

function noteLook(): void {
  if (isLookedAt()) set(0);
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    window.addEventListener("focus", noteLook);
    document.addEventListener("visibilitychange", noteLook);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    window.removeEventListener("focus", noteLook);
    document.removeEventListener("visibilitychange", noteLook);
  };
}

const useUnread = (): number => useSyncExternalStore(subscribe, () => unread);

/** The title of the browser's tab: of the page, and before it how many alerts nobody has looked at. */
export function useTitle(title: string): string {
  const count = useUnread();
  return `${count > 0 ? `(${count}) ` : ""}${title} · tutorq`;
}

/** The title without the count. */
export const plainTitle = (title: string): string => title.replace(/^\(\d+\) /, "");
