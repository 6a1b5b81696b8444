import type { SessionDay, TutorDetail, TutorEvent, TutorHistoryResponse } from "../../lib/api-types";
import { versionOf } from "../../lib/versions";

/** An excuse that was given or taken back: of a session, or of all that counts on a day. */
export type ExcuseChange = { isExcused: boolean } & ({ sessionId: string } | { day: string });

interface Shown {
  tutor: Pick<TutorDetail, "let_downs_90d">;
  history: {
    data: {
      events: Pick<TutorEvent, "session_id" | "is_excused">[];
      calendar: Pick<SessionDay, "day" | "let_downs" | "can_be_excused">[];
    };
    meta: Pick<TutorHistoryResponse["meta"], "as_of" | "generation" | "refreshed_at">;
  };
}

const SCORED_DAYS = 90;
const DAY_MS = 86_400_000;

/**
 * Whether the scores have followed a change that was made while the page showed this version of them.
 *
 * A newer version alone does not say so: somebody else's session makes one, too. And a run builds what happened before
 * it builds the scores, so that both have to be there, and to agree.
 */
export function haveScoresFollowed(change: ExcuseChange, before: string, { tutor, history }: Shown): boolean {
  const { data, meta } = history;
  return (
    versionOf(meta) !== before &&
    isShown(change, data) &&
    inAll(data.calendar, meta.as_of) === tutor.let_downs_90d
  );
}

/** What lies beyond the part of the history that is shown is taken for shown. */
function isShown(change: ExcuseChange, { events, calendar }: Shown["history"]["data"]): boolean {
  if ("sessionId" in change) {
    return events.every(
      ({ session_id, is_excused }) => session_id !== change.sessionId || is_excused === change.isExcused,
    );
  }
  return calendar.every(
    ({ day, can_be_excused }) => day !== change.day || (can_be_excused === 0) === change.isExcused,
  );
}

function inAll(calendar: Shown["history"]["data"]["calendar"], asOf: string): number {
  const first = new Date(Date.parse(asOf) - (SCORED_DAYS - 1) * DAY_MS).toISOString().slice(0, 10);
  return calendar.reduce((sum, { day, let_downs }) => (day >= first ? sum + let_downs : sum), 0);
}
