import { createContext, useContext, useState } from "react";

/** Which rows are selected. Boxes look here, so that the table is not drawn anew with every click. */
interface Selection {
  ids: ReadonlySet<number>;
  /** Select one or not; with a range, all from the last one on. */
  toggle: (id: number, withRange?: boolean) => void;
  set: (ids: Iterable<number>) => void;
}

export const SelectionContext = createContext<Selection>({ ids: new Set(), toggle() {}, set() {} });
export const useSelected = () => useContext(SelectionContext);

/** All that lies between two rows, these included, in their order. */
export function between(order: readonly number[], one: number, other: number): number[] {
  const [from, to] = [order.indexOf(one), order.indexOf(other)].sort((a, b) => a - b) as [number, number];
  return from < 0 ? [other] : order.slice(from, to + 1);
}

/** A selection among these rows; what is no longer among them is not selected. */
export function useSelection(order: readonly number[]): Selection {
  const [chosen, choose] = useState<ReadonlySet<number>>(new Set());
  const [last, setLast] = useState<number | null>(null);
  const ids = new Set(order.filter((id) => chosen.has(id)));
  return {
    ids,
    toggle: (id, withRange = false) => {
      const isOn = !ids.has(id);
      const next = new Set(ids);
      for (const each of withRange && last !== null ? between(order, last, id) : [id]) {
        if (isOn) next.add(each);
        else next.delete(each);
      }
      choose(next);
      setLast(id);
    },
    set: (wanted) => {
      choose(new Set(wanted));
      setLast(null);
    },
  };
}
