/**
 * Numbers as they come over the wire. A field that should be a number and is not becomes NaN, which the page shows as
 * "unreadable": never as a value, and never as "no sessions".
 */
import { useSyncExternalStore } from "react";
import { NUMERIC_FIELDS } from "./numeric-fields";

/** Replaces what should be a number and is none, in place. Returns the names of the fields concerned. */
export function markUnreadable(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (Array.isArray(value)) {
    for (const item of value) markUnreadable(item, found);
  } else if (typeof value === "object" && value !== null) {
    const fields = value as Record<string, unknown>;
    for (const [name, field] of Object.entries(fields)) {
      if (typeof field === "object" && field !== null) {
        markUnreadable(field, found);
      } else if (isUnreadable(name, field)) {
        fields[name] = Number.NaN;
        found.add(name);
      }
    }
  }
  return found;
}

function isUnreadable(name: string, field: unknown): boolean {
  const mayBeNull = NUMERIC_FIELDS.get(name);
  if (mayBeNull === undefined || typeof field === "number") return false;
  return field !== null || !mayBeNull;
}

const unreadable = new Map<string, string>();
const listeners = new Set<() => void>();
let summary = "";

/** Remember which fields of the newest answer of a path cannot be read. */
export function noteUnreadable(path: string, names: Set<string>): void {
  if (names.size > 0) unreadable.set(path, [...names].sort().join(", "));
  else unreadable.delete(path);
  const next = [...new Set([...unreadable.values()].flatMap((list) => list.split(", ")))].sort().join(", ");
  if (next === summary) return;
  summary = next;
  for (const listener of listeners) listener();
}

/** Names of the fields that cannot be read in what is known at present; "" if all can. */
export function useUnreadableFields(): string {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => summary,
  );
}
