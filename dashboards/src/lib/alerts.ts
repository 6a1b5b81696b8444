import type { EventTutor } from "./api-types";
import { concernLabel, countedFor } from "./concerns";
import { shortMoment } from "./format";
import type { LiveEvent } from "./live";
import { tutorName } from "./person-name";

/** What a reader is told of at once, wherever they are: who did not come, and who is suddenly worse. */
export interface LiveAlert {
  id: string;
  tutor: EventTutor;
  /** What happened, behind the tutor's name. */
  text: string;
  detail: string;
}

/** The alert that an event is; undefined if it is none. */
export function alertOf(event: LiveEvent): LiveAlert | undefined {
  if (event.kind === "session.alert") {
    const { event_id, tutor, scheduled_time, subject } = event.data;
    return {
      id: event_id,
      tutor,
      text: `${tutorName(tutor)} missed a session`,
      detail: [subject, shortMoment(scheduled_time)].filter(Boolean).join(", "),
    };
  }
  if (event.kind === "tutor.concern_raised" && event.data.concern === "getting_worse") {
    const { event_id, tutor, concern, events, trials } = event.data;
    return {
      id: event_id,
      tutor,
      text: `${tutorName(tutor)}: ${concernLabel(concern).toLowerCase()}`,
      detail: trials === null ? "" : `${countedFor({ concern, events, trials })} let down in 90 days`,
    };
  }
  return undefined;
}

/** Whether the reader wants to be told: of their own tutors if they have some, unless they have asked for all. */
export const isWanted = ({ tutor }: LiveAlert, team: readonly string[] | null, wantsAll: boolean): boolean =>
  wantsAll || !team || team.length === 0 || team.includes(tutor.tutor_id);
