import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LiveEvent } from "./live";
import { GAP_MS, isConcerned, LONGEST_GAP_MS, Refresher } from "./live-queries";

const ADA = "00000000-0000-4000-8000-00000000000a";
const BO = "00000000-0000-4000-8000-00000000000b";
const refreshed = (many = false, ...tutor_ids: string[]) =>
  ({ kind: "tutors.refreshed", data: { tutor_ids, many } }) as unknown as LiveEvent;
const about = (kind: string, tutor_id: string, more = {}) =>
  ({ kind, data: { tutor: { tutor_id }, ...more } }) as unknown as LiveEvent;
const published = { kind: "publication.done", data: { generation: 8 } } as LiveEvent;

it.each([
  [["tutors", "list", {}], refreshed(false, ADA), true],
  [["tutors", "one", ADA, 90], refreshed(false, ADA), true],
  [["tutors", "one", BO, 90], refreshed(false, ADA), false],
  [["tutors", "one", BO, 90], refreshed(true), true],
  // The marketplace's own id in the address: who that is, the page does not know.
  [["tutors", "one", "T-7", 90], refreshed(false, ADA), true],
  [["tutors", "one", BO, 90], about("session.alert", ADA), false],
  [["tutors", "one", ADA, 90], about("tutor.concern_raised", ADA), true],
  [["cases", "list", {}], refreshed(false, ADA), true],
  [["cases", "owners"], refreshed(false, ADA), false],
  [["health"], refreshed(false, ADA), true],
  [["reports", "list"], refreshed(false, ADA), false],
  [["reports", "list"], published, true],
  [["session"], published, false],
  [["cases", "one", 3], about("case.changed", ADA, { case_id: 3 }), true],
  [["cases", "events", 4], about("case.changed", ADA, { case_id: 3 }), false],
  [["cases", "list", {}], about("case.changed", ADA, { case_id: 3 }), true],
  [["tutors", "list", {}], about("case.changed", ADA, { case_id: 3 }), false],
  [["upcoming", "list"], about("case.changed", ADA, { case_id: 3, what: "stand_in" }), true],
  [["upcoming", "list"], about("case.changed", ADA, { case_id: 3, what: "note" }), false],
  [["tutors", "list", {}], { kind: "heartbeat", data: {} }, false],
] as const)("knows whether %j is concerned", (key, event, expected) => {
  expect(isConcerned(key, event as LiveEvent)).toBe(expected);
});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** With answers that take so many milliseconds. */
function asked(took = 0) {
  const client = new QueryClient();
  const invalidated = vi
    .spyOn(client, "invalidateQueries")
    .mockImplementation(() => new Promise((done) => setTimeout(done, took)));
  return { client, invalidated, refresher: new Refresher(client) };
}

it("asks once for what comes together, and not again before a second is over", async () => {
  const { invalidated, refresher } = asked();
  refresher.note(refreshed(false, ADA));
  refresher.note(about("tutor.concern_raised", ADA));
  await vi.advanceTimersByTimeAsync(300);
  expect(invalidated).toHaveBeenCalledTimes(1);
  refresher.note(refreshed(false, ADA));
  await vi.advanceTimersByTimeAsync(GAP_MS - 301);
  expect(invalidated).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(302);
  expect(invalidated).toHaveBeenCalledTimes(2);
});

it.each([
  [50, 60, 20],
  [400, 26, 18],
  [20_000, 2, 1],
])("shows what comes all the time; with answers after %i ms, asks less often", async (took, most, least) => {
  const { invalidated, refresher } = asked(took);
  for (let at = 0; at < 120; at += 1) {
    refresher.note(refreshed(false, ADA));
    await vi.advanceTimersByTimeAsync(500);
  }
  expect(invalidated.mock.calls.length).toBeLessThanOrEqual(most);
  expect(invalidated.mock.calls.length).toBeGreaterThanOrEqual(least);
  refresher.stop();
});

it("asks for what came while it was asking", async () => {
  const { invalidated, refresher } = asked(2_000);
  refresher.note(refreshed(false, ADA));
  await vi.advanceTimersByTimeAsync(1_000);
  refresher.note(published);
  await vi.advanceTimersByTimeAsync(900);
  expect(invalidated).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(LONGEST_GAP_MS);
  expect(invalidated).toHaveBeenCalledTimes(2);
});

it("asks for nothing because of a heartbeat, and for nothing that must not be asked again", async () => {
  const { invalidated, refresher } = asked();
  refresher.note({ kind: "heartbeat", data: {} });
  await vi.advanceTimersByTimeAsync(2 * GAP_MS);
  expect(invalidated).not.toHaveBeenCalled();
  refresher.note(published);
  await vi.advanceTimersByTimeAsync(2 * GAP_MS);
  const predicate = invalidated.mock.calls[0]?.[0]?.predicate;
  const query = (queryKey: string[], meta?: object) => ({ queryKey, meta }) as never;
  expect(predicate?.(query(["matching", "prediction"], { isLive: false }))).toBe(false);
  expect(predicate?.(query(["matching", "prediction"]))).toBe(true);
});
