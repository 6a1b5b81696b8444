import { useLocation } from "@tanstack/react-router";
import { type MouseEvent, useCallback, useEffect, useRef } from "react";
import type { Case } from "../../lib/api-types";
import type { TodaySearch } from "./today-search";
import { keepWorklist, placeOf, readWorklist } from "./worklist";

const linksIn = (list: Element | null): HTMLElement[] => [
  ...(list?.querySelectorAll<HTMLElement>("[data-case]") ?? []),
];
const linkAt = (node: Element | null): HTMLElement | null =>
  node?.closest("tr")?.querySelector<HTMLElement>("[data-case]") ?? null;
const caseOf = (link: HTMLElement | null): number | null => (link ? Number(link.dataset.case) : null);

/** Which row has the focus, by the number of its case; the way from one row to the next; and back to it from a case. */
export function useRowFocus(rows: Case[], search: TodaySearch) {
  const ref = useRef<HTMLDivElement>(null);
  const place = useRef<number | null>(null);
  const key = useLocation().state.__TSR_key;
  useComeBack(ref, place, key, rows);
  useEffect(() => {
    const list = ref.current;
    const note = ({ target }: FocusEvent) => {
      const link = linkAt(target as Element);
      if (link) place.current = linksIn(list).indexOf(link);
    };
    list?.addEventListener("focusin", note);
    return () => list?.removeEventListener("focusin", note);
  }, []);
  const refocus = useCallback(() => {
    if (place.current === null || document.activeElement !== document.body) return;
    const all = linksIn(ref.current);
    all[Math.min(place.current, all.length - 1)]?.focus();
  }, []);
  // The row with the focus may be gone: the next one has taken its place.
  // biome-ignore lint/correctness/useExhaustiveDependencies: that happens when the rows change
  useEffect(refocus, [rows, refocus]);
  const current = () =>
    ref.current?.contains(document.activeElement) ? linkAt(document.activeElement) : null;
  return {
    ref,
    refocus,
    focused: (): number | null => caseOf(current()),
    move: (step: 1 | -1) => {
      const all = linksIn(ref.current);
      const link = current();
      const next = link ? all.indexOf(link) + step : (place.current ?? 0);
      all[Math.max(0, Math.min(next, all.length - 1))]?.focus();
    },
    /** For clicks in the list: one of them may lead to a case or a tutor. */
    leave: ({ target }: MouseEvent) => {
      const link = linkAt(target as Element);
      if (!link || !(target as Element).closest("a")) return;
      keepWorklist({
        key,
        search,
        queue: search.queue ?? "todo",
        ids: rows.map(({ case_id }) => case_id),
        current: caseOf(link),
        scroll: window.scrollY,
      });
    },
  };
}

/** Who comes back from a case finds the row that they went to, or the next one, with the focus and where it was. */
function useComeBack(
  ref: { current: HTMLDivElement | null },
  place: { current: number | null },
  key: string | undefined,
  rows: Case[],
) {
  const isBack = useRef(readWorklist()?.key === key);
  useEffect(() => {
    if (!isBack.current || rows.length === 0) return;
    isBack.current = false;
    const left = readWorklist();
    if (!left) return;
    const at = placeOf(
      left,
      rows.map(({ case_id }) => case_id),
    );
    if (at === null) return;
    place.current = at;
    // After the router, which scrolls to where it last saw the page, a moment before it was left, in the next frame.
    requestAnimationFrame(() => {
      if (document.activeElement !== document.body) return;
      linksIn(ref.current)[at]?.focus({ preventScroll: true });
      requestAnimationFrame(() => window.scrollTo(0, left.scroll));
    });
  }, [ref, place, rows]);
}
