// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Live, type LiveEvent, SILENT_AFTER_MS } from "./live";

class FakeSource extends EventTarget {
  static readonly CLOSED = 2;
  static all: FakeSource[] = [];
  readyState = 1;
  onerror: (() => void) | null = null;
  constructor(readonly url: string) {
    super();
    FakeSource.all.push(this);
  }
  close() {
    this.readyState = FakeSource.CLOSED;
  }
  send(kind: string, data: object, lastEventId: string) {
    this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data), lastEventId }));
  }
  fail(readyState: number) {
    this.readyState = readyState;
    this.onerror?.();
  }
}
const newest = () => FakeSource.all.at(-1) as FakeSource;

let live: Live;
let heard: LiveEvent[];
let isLive: boolean[];

beforeEach(() => {
  vi.useFakeTimers();
  FakeSource.all = [];
  vi.stubGlobal("EventSource", FakeSource);
  // Without locks, a page has a stream of its own while it is looked at.
  vi.stubGlobal("navigator", { ...navigator, locks: undefined });
  live = new Live();
  heard = [];
  isLive = [];
  live.listen((event) => heard.push(event));
  live.watch(() => isLive.push(live.isLive));
  live.start();
});
afterEach(() => {
  live.stop();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it("passes on what comes, and is live from the first word on", () => {
  expect(live.isLive).toBe(false);
  newest().send("heartbeat", {}, "h.1:1:");
  newest().send("publication.done", { generation: 3 }, "h.2:2:");
  expect(heard.map(({ kind }) => kind)).toEqual(["heartbeat", "publication.done"]);
  expect(isLive).toEqual([true]);
});

it("is silent while the connection is lost, and live again with the next word", () => {
  newest().send("heartbeat", {}, "h.1:1:");
  newest().fail(0);
  expect(isLive).toEqual([true, false]);
  newest().send("heartbeat", {}, "h.1:1:");
  expect(isLive).toEqual([true, false, true]);
  expect(FakeSource.all).toHaveLength(1);
});

it("opens another stream behind its place where the answer was none", () => {
  newest().send("heartbeat", {}, "h.1:1:");
  newest().fail(FakeSource.CLOSED);
  vi.advanceTimersByTime(30_000);
  expect(FakeSource.all).toHaveLength(2);
  expect(newest().url).toBe("/api/events?last_event_id=h.1%3A1%3A");
});

it("takes a stream that has fallen silent for dead", () => {
  newest().send("heartbeat", {}, "h.1:1:");
  vi.advanceTimersByTime(SILENT_AFTER_MS + 1);
  expect(isLive).toEqual([true, false]);
  expect(FakeSource.all).toHaveLength(2);
  expect(FakeSource.all[0]?.readyState).toBe(FakeSource.CLOSED);
});

it("asks for nothing any more when it is stopped", () => {
  newest().send("heartbeat", {}, "h.1:1:");
  live.stop();
  expect(newest().readyState).toBe(FakeSource.CLOSED);
  vi.advanceTimersByTime(10 * SILENT_AFTER_MS);
  expect(FakeSource.all).toHaveLength(1);
  live.start();
  expect(newest().url).toContain("last_event_id=");
});
