import { type RefObject, useLayoutEffect, useRef } from "react";

const MARKED_FOR_MS = 4_000;

interface Seen {
  /** The table as it is asked for; another one has other rows, which have not changed. */
  shape: string;
  texts: Map<string, string>;
}

/**
 * Marks for a moment the rows of a table that say something else than before (`data-changed`): what the reader sees, and
 * not what came over the wire. Nothing is rendered for it, and what is written on the rows does not disturb React.
 */
export function useChangedRows(
  body: RefObject<HTMLTableSectionElement | null>,
  shape: string,
  isStale: boolean,
): void {
  const seen = useRef<Seen | null>(null);
  useLayoutEffect(() => {
    if (!body.current) return;
    if (isStale) {
      // The next rows answer another question.
      seen.current = null;
      return;
    }
    const before = seen.current?.shape === shape ? seen.current.texts : undefined;
    const texts = new Map<string, string>();
    for (const row of body.current.rows) {
      const key = row.dataset.key ?? "";
      const text = row.textContent ?? "";
      texts.set(key, text);
      const was = before?.get(key);
      if (was !== undefined && was !== text) mark(row);
    }
    seen.current = { shape, texts };
  });
}

const timers = new WeakMap<HTMLElement, ReturnType<typeof setTimeout>>();

function mark(row: HTMLElement): void {
  clearTimeout(timers.get(row));
  row.dataset.changed = "true";
  timers.set(
    row,
    setTimeout(() => delete row.dataset.changed, MARKED_FOR_MS),
  );
}
