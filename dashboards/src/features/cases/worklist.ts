import type { Queue } from "../../lib/api-types";
import { QUEUES } from "./case-words";
import type { TodaySearch } from "./today-search";

/** Today as the reader left it: where they were, and what comes next. */
export interface Worklist {
  /** Which entry of the history it is: only who goes back to it finds it as it was. */
  key: string | undefined;
  search: TodaySearch;
  queue: Queue;
  /** The cases of the page, in their order. */
  ids: number[];
  /** The case that they went to; also the next one, that they went on to from there. */
  current: number | null;
  scroll: number;
}

const STORED = "tutorq-worklist";

export function readWorklist(): Worklist | null {
  try {
    return JSON.parse(sessionStorage.getItem(STORED) ?? "null");
  } catch {
    return null;
  }
}

export function keepWorklist(list: Worklist): void {
  try {
    sessionStorage.setItem(STORED, JSON.stringify(list));
  } catch {
    // Without it, Today begins at its first row.
  }
}

interface Neighbours {
  /** From 1 on. */
  place: number;
  total: number;
  previous: number | undefined;
  next: number | undefined;
}

/** What is before and after a case in the list that the reader came from; null if it was not in it. */
export function neighbours(list: Worklist | null, caseId: number): Neighbours | null {
  const place = list?.ids.indexOf(caseId) ?? -1;
  if (!list || place < 0) return null;
  return {
    place: place + 1,
    total: list.ids.length,
    previous: list.ids[place - 1],
    next: list.ids[place + 1],
  };
}

/** "3 of 48 in To do"; of a case that has left the list since, also where it is. */
export function placeInWords({ place, total }: Neighbours, list: Queue, queue: Queue = list): string {
  const words = `${place} of ${total} in ${QUEUES[list]}`;
  return queue === list ? words : `Was ${words}, is in ${QUEUES[queue]}`;
}

/** The row to go on with: that of the current case, or, if it has left the list, the one in its place. */
export function placeOf(
  { ids, current }: Pick<Worklist, "ids" | "current">,
  now: readonly number[],
): number | null {
  if (current === null || now.length === 0) return null;
  const before = ids.slice(0, Math.max(0, ids.indexOf(current)));
  const found = now.indexOf(current);
  if (found >= 0) return found;
  // Some of those before it may be gone as well.
  const stayed = before.filter((id) => now.includes(id)).length;
  return Math.min(stayed, now.length - 1);
}
