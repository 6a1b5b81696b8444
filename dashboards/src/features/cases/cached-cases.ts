import type { Case, CaseList, Queue } from "../../lib/api-types";

/** Every query about cases has a key that begins with it. */
export const CASES = ["cases"] as const;

/** A list as it was asked for. */
export interface Listed {
  query: { queue?: Queue[]; owner?: string | null; mine?: boolean };
  list: CaseList;
}

/**
 * A list after some of its cases have changed: those that no longer belong to it are gone, and the counts follow. What
 * comes in from elsewhere is not known here; the next answer of the API brings it.
 */
export function changed(
  { query, list }: Listed,
  change: ReadonlyMap<number, Partial<Case>>,
  me: number | null,
): CaseList {
  const queues = { ...list.meta.queues };
  let isTouched = false;
  let gone = 0;
  const data = list.data.flatMap((before) => {
    const changes = change.get(before.case_id);
    if (!changes) return [before];
    isTouched = true;
    const after = { ...before, ...changes };
    queues[before.queue] -= 1;
    const isOurs = belongs(query, after, me);
    if (isOurs) queues[after.queue] += 1;
    if (isOurs && (query.queue?.includes(after.queue) ?? true)) return [after];
    gone += 1;
    return [];
  });
  if (!isTouched) return list;
  return { data, meta: { ...list.meta, queues, total: list.meta.total - gone } };
}

/** Whether the list asks for the case, whatever queue it is in. */
function belongs({ owner, mine }: Listed["query"], { owner: held }: Case, me: number | null): boolean {
  if (owner === "nobody") return held === null;
  if (owner) return String(held?.person_id) === owner;
  return !mine || held === null || held.person_id === me;
}
