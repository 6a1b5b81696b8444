import { expect, it } from "vitest";
import type { Case, CaseList } from "../../lib/api-types";
import { changed } from "./cached-cases";

const ANN = { person_id: 3, name: "Ann Lee", role: "coach", is_active: true } as const;
const BEN = { ...ANN, person_id: 4, name: "Ben Ott" };

const row = (case_id: number, changes: Partial<Case> = {}): Case =>
  ({ case_id, queue: "todo", owner: null, state: "new", version: 1, ...changes }) as Case;

const listOf = (...data: Case[]): CaseList =>
  ({ data, meta: { total: 30, queues: { todo: 30, due: 4, waiting: 2, closed: 0 } } }) as CaseList;

const ids = ({ data }: CaseList) => data.map(({ case_id }) => case_id);

it("a snoozed case leaves the queue at once, and is counted where it went", () => {
  const list = listOf(row(1), row(2), row(3));
  const after = changed({ query: { queue: ["todo"] }, list }, new Map([[2, { queue: "waiting" }]]), 3);
  expect(ids(after)).toEqual([1, 3]);
  expect(after.meta).toMatchObject({ total: 29, queues: { todo: 29, due: 4, waiting: 3 } });
  // Without it, nothing would be left to take it back to.
  expect(ids(list)).toEqual([1, 2, 3]);
  expect(list.meta.queues.todo).toBe(30);
});

it("an assigned case stays in its queue, and leaves the list of nobody's", () => {
  const change = new Map([[1, { owner: ANN, state: "assigned" as const }]]);
  const stays = changed({ query: { queue: ["todo"] }, list: listOf(row(1)) }, change, 3);
  expect(stays.data[0]).toMatchObject({ owner: ANN, state: "assigned" });
  expect(stays.meta.queues.todo).toBe(30);
  const goes = changed({ query: { queue: ["todo"], owner: "nobody" }, list: listOf(row(1)) }, change, 3);
  expect(goes.data).toEqual([]);
  expect(goes.meta).toMatchObject({ total: 29, queues: { todo: 29 } });
});

it("what somebody else is given leaves the list of mine, what I take does not", () => {
  const mine = { query: { queue: ["todo" as const], mine: true }, list: listOf(row(1), row(2)) };
  const change = new Map([
    [1, { owner: BEN }],
    [2, { owner: ANN }],
  ]);
  expect(ids(changed(mine, change, 3))).toEqual([2]);
});

it("a list without the case is the same list, so that nothing is drawn anew", () => {
  const list = listOf(row(1));
  expect(changed({ query: {}, list }, new Map([[9, { queue: "closed" as const }]]), 3)).toBe(list);
});

it("of one owner's cases, those of others leave the list", () => {
  const hers = { query: { queue: ["todo" as const], owner: "3" }, list: listOf(row(1), row(2)) };
  const change = new Map([
    [1, { owner: ANN }],
    [2, { owner: BEN }],
  ]);
  expect(ids(changed(hers, change, 4))).toEqual([1]);
});
