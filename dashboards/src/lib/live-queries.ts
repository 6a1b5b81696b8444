import type { QueryClient, QueryKey } from "@tanstack/react-query";
import type { LiveEvent } from "./live";

/** Posts that come one after the other are shown together: at once, and then so often at most. */
export const GAP_MS = 1_000;
/** Where answers take long, pages ask less often: this many times as long as the last ones took, up to so many. */
const GAP_PER_ANSWER = 5;
export const LONGEST_GAP_MS = 15_000;
/** Many browsers hear of it in the same moment. */
const SPREAD_MS = 200;

/** What changes who has agreed to stand in, of open cases. */
const STAND_INS = new Set(["stand_in", "closed", "reopened"]);

/** Whether what a query has may have changed by this event. What is not about scores or cases never has. */
export function isConcerned(key: QueryKey, event: LiveEvent): boolean {
  const [what, part, id] = key;
  switch (event.kind) {
    case "heartbeat":
      return false;
    case "publication.done":
    case "reset":
      return what !== "session";
    case "case.changed":
      if (what === "upcoming") return STAND_INS.has(event.data.what);
      if (what !== "cases") return false;
      // Of single cases, that one.
      return part === "one" || part === "events" || part === "preparation"
        ? id === event.data.case_id
        : part !== "owners" && part !== "stand-ins";
    default:
      break;
  }
  if (what === "health" || what === "overview" || what === "upcoming") return true;
  if (what === "cases") return part === "list" || part === "one" || part === "preparation";
  if (what !== "tutors") return false;
  return part !== "one" || isAbout(event, String(id));
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether an event about tutors may be about this one. An address may have the marketplace's own id. */
function isAbout({ kind, data }: LiveEvent, tutorId: string): boolean {
  if (!UUID.test(tutorId)) return true;
  if (kind === "tutors.refreshed") return data.many || data.tutor_ids.includes(tutorId);
  return "tutor" in data && data.tutor.tutor_id === tutorId;
}

/** Asks anew for what the events concern, all of it in one moment, so that no part of a page is ahead of another. */
export class Refresher {
  private waiting: LiveEvent[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isAsking = false;
  private isStopped = false;
  private notBefore = 0;

  constructor(private readonly client: QueryClient) {}

  note(event: LiveEvent): void {
    if (event.kind === "heartbeat") return;
    this.waiting.push(event);
    this.wait();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  private wait(): void {
    if (this.isAsking || this.isStopped) return;
    this.timer ??= setTimeout(
      () => this.refresh(),
      Math.max(this.notBefore - Date.now(), Math.random() * SPREAD_MS),
    );
  }

  private async refresh(): Promise<void> {
    const events = this.waiting;
    this.waiting = [];
    this.timer = undefined;
    this.isAsking = true;
    const begun = Date.now();
    // What the reader is changing at this moment is asked for when that is done.
    const isChanging = this.client.isMutating({ mutationKey: ["cases"] }) > 0;
    await this.client.invalidateQueries({
      predicate: ({ queryKey, meta }) =>
        meta?.isLive !== false &&
        !(isChanging && queryKey[0] === "cases") &&
        events.some((event) => isConcerned(queryKey, event)),
    });
    const now = Date.now();
    this.notBefore = now + Math.min(Math.max(GAP_MS, GAP_PER_ANSWER * (now - begun)), LONGEST_GAP_MS);
    this.isAsking = false;
    if (this.waiting.length > 0) this.wait();
  }
}
