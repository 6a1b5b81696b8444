import type { UpcomingSession } from "../../lib/api-types";
import { weekday } from "../../lib/format";
import { studentName } from "../../lib/person-name";

export type By = "day" | "student" | "risk";

export interface Group {
  key: string;
  title: string;
  sessions: UpcomingSession[];
}

/** Sessions that follow one another on one day of the reader's zone, or of one student, under one title; by risk, all. */
export function groups(sessions: readonly UpcomingSession[], by: By): Group[] {
  if (by === "risk" && sessions.length > 0) {
    return [{ key: "risk", title: "Greatest risk first", sessions: [...sessions] }];
  }
  const found: Group[] = [];
  for (const session of sessions) {
    const title =
      by === "day"
        ? weekday(session.scheduled_time)
        : [
            nameOf(session),
            session.student_name && (session.student_external_id ?? session.student_id.slice(0, 8)),
          ]
            .filter(Boolean)
            .join(" · ");
    const key = by === "day" ? title : session.student_id;
    const last = found.at(-1);
    if (last?.key === key) last.sessions.push(session);
    else found.push({ key, title, sessions: [session] });
  }
  return found;
}

/** The student of a session, by name. */
export const nameOf = (session: Pick<UpcomingSession, "student_id" | "student_name">): string =>
  studentName({ student_id: session.student_id, name: session.student_name });
