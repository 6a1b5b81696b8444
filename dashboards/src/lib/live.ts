import type { CaseChanged, ConcernChanged, SessionAlert, TutorsRefreshed } from "./api-types";

/** What the API tells of as it happens (GET /api/events), by the name of the event. */
interface LiveEvents {
  "publication.done": { generation: number };
  "tutors.refreshed": TutorsRefreshed;
  "tutor.concern_raised": ConcernChanged;
  "tutor.concern_cleared": ConcernChanged;
  "session.alert": SessionAlert;
  "case.changed": CaseChanged;
  reset: Record<string, never>;
  heartbeat: Record<string, never>;
}
export type LiveEvent = {
  [Kind in keyof LiveEvents]: { kind: Kind; data: LiveEvents[Kind] };
}[keyof LiveEvents];

const KINDS: readonly (keyof LiveEvents)[] = [
  "publication.done",
  "tutors.refreshed",
  "tutor.concern_raised",
  "tutor.concern_cleared",
  "session.alert",
  "case.changed",
  "reset",
  "heartbeat",
];
const NAME = "tutorq-live";
/** The API says something every 15 seconds. */
export const SILENT_AFTER_MS = 40_000;
/** After an answer that was no stream, or a stream that has fallen silent. */
const AGAIN_AFTER_MS = 15_000;

type FromTab =
  | { what: "event"; event: LiveEvent; id: string }
  /** Asks whoever holds the stream to say where it stands. */
  | { what: "hello" }
  | { what: "silent" };

/**
 * One stream for all tabs of a browser, because a browser keeps only six connections to a server over HTTP/1.1: the tab
 * that has the lock holds the stream and passes everything on, and when it closes, the next tab goes on from there. A
 * page without locks (plain HTTP to another machine) has a stream of its own while it is looked at.
 *
 * `isLive` says whether something has been heard lately; while it is false, pages have to ask.
 */
export class Live {
  isLive = false;
  private readonly listeners = new Set<(event: LiveEvent) => void>();
  private readonly watchers = new Set<() => void>();
  private stopping: AbortController | undefined;
  private channel: BroadcastChannel | undefined;
  private source: EventSource | undefined;
  private isHolder = false;
  private lastId: string | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private again: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    if (typeof EventSource === "undefined") return;
    this.stop();
    this.stopping = new AbortController();
    const { signal } = this.stopping;
    if (navigator.locks && typeof BroadcastChannel !== "undefined") {
      this.channel = new BroadcastChannel(NAME);
      this.channel.onmessage = ({ data }: MessageEvent<FromTab>) => this.hear(data);
      this.channel.postMessage({ what: "hello" } satisfies FromTab);
      const untilStopped = () =>
        new Promise<void>((done) => {
          this.hold();
          signal.addEventListener("abort", () => done(), { once: true });
        });
      navigator.locks.request(NAME, { signal }, untilStopped).catch(() => {});
    } else {
      const whileSeen = () => (document.visibilityState === "visible" ? this.hold() : this.release());
      document.addEventListener("visibilitychange", whileSeen, { signal });
      whileSeen();
    }
  }

  stop(): void {
    this.stopping?.abort();
    this.release();
    clearTimeout(this.silence);
    this.channel?.close();
    this.channel = undefined;
  }

  /** Calls `listener` with each event; returns how to end it. */
  listen(listener: (event: LiveEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Calls `watcher` whenever `isLive` changes; returns how to end it. */
  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  private hear(message: FromTab): void {
    if (message.what === "event") this.take(message.event, message.id);
    else if (message.what === "silent") this.note(false);
    else if (this.isHolder && this.isLive && this.lastId !== undefined)
      this.pass({ what: "event", event: { kind: "heartbeat", data: {} }, id: this.lastId });
  }

  private hold(): void {
    if (this.isHolder) return;
    this.isHolder = true;
    this.open();
  }

  private release(): void {
    this.isHolder = false;
    this.close();
    this.note(false);
  }

  private open(): void {
    this.close();
    if (!this.isHolder) return;
    const from = this.lastId === undefined ? "" : `?${new URLSearchParams({ last_event_id: this.lastId })}`;
    const source = new EventSource(`/api/events${from}`);
    this.source = source;
    for (const kind of KINDS) {
      source.addEventListener(kind, ({ data, lastEventId }: MessageEvent<string>) => {
        const event = { kind, data: JSON.parse(data) } as LiveEvent;
        this.pass({ what: "event", event, id: lastEventId });
        this.take(event, lastEventId);
      });
    }
    // While it connects again by itself, it keeps its place; an answer that is no stream ends it.
    source.onerror = () => {
      this.fallSilent();
      if (source.readyState === EventSource.CLOSED) this.openLater();
    };
    // A proxy may keep what is sent, or the connection may be dead: nothing fails, and nothing comes.
    this.listenForSilence();
  }

  private openLater(): void {
    clearTimeout(this.again);
    this.again = setTimeout(() => this.open(), AGAIN_AFTER_MS * (1 + Math.random() / 2));
  }

  private close(): void {
    clearTimeout(this.again);
    this.source?.close();
    this.source = undefined;
  }

  private take(event: LiveEvent, id: string): void {
    // Until the last of what came together, it is the place before.
    if (id) this.lastId = id;
    this.listenForSilence();
    this.note(true);
    for (const listener of this.listeners) listener(event);
  }

  private listenForSilence(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.fallSilent();
      if (this.isHolder) this.open();
    }, SILENT_AFTER_MS);
  }

  private fallSilent(): void {
    if (this.isHolder) this.pass({ what: "silent" });
    this.note(false);
  }

  private pass(message: FromTab): void {
    this.channel?.postMessage(message);
  }

  private note(isLive: boolean): void {
    if (this.isLive === isLive) return;
    this.isLive = isLive;
    for (const watcher of this.watchers) watcher();
  }
}
