import type { UpcomingSession } from "../../lib/api-types";
import { counted, weekday } from "../../lib/format";
import { studentName, tutorName } from "../../lib/person-name";

export type By = "day" | "student" | "tutor" | "risk";

export interface Group {
  key: string;
  title: string;
  note?: string;
  sessions: UpcomingSession[];
}

/** Sessions that follow one another on one day of the reader's zone, of one student or of one tutor; by risk, all. */
export function groups(sessions: readonly UpcomingSession[], by: By): Group[] {
  const found: Group[] = [];
  for (const session of sessions) {
    const group = groupOf(session, by);
    const last = found.at(-1);
    if (last?.key === group.key) last.sessions.push(session);
    else found.push({ ...group, sessions: [session] });
  }
  return found;
}

function groupOf(session: UpcomingSession, by: By): Omit<Group, "sessions"> {
  switch (by) {
    case "day": {
      const title = weekday(session.scheduled_time);
      return { key: title, title };
    }
    case "student": {
      const id = session.student_name && (session.student_external_id ?? session.student_id.slice(0, 8));
      return { key: session.student_id, title: [nameOf(session), id].filter(Boolean).join(" · ") };
    }
    case "tutor": {
      const title = tutorName({
        ...session,
        name: session.tutor_name,
        external_id: session.tutor_external_id,
      });
      return { key: session.tutor_id, title, note: counted(session.tutor_sessions, "session") };
    }
    case "risk":
      return { key: by, title: "Greatest risk first" };
  }
}

/** The student of a session, by name. */
export const nameOf = (session: Pick<UpcomingSession, "student_id" | "student_name">): string =>
  studentName({ student_id: session.student_id, name: session.student_name });
