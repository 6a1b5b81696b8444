import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { StandInLink } from "../../../components/stand-in-link";
import { count, counted, shortMoment } from "../../../lib/format";
import { studentName } from "../../../lib/person-name";
import { subjectOf } from "../../../lib/subjects";
import { usePlanned } from "../api/get-planned";
import classes from "./planned-sessions.module.css";

interface PlannedSessionsProps {
  tutorId: string;
  /** What Upcoming finds the tutor by. */
  search: string;
  asOf: string;
}

/** What is planned next with the tutor, and who could stand in. */
export function PlannedSessions({ tutorId, search, asOf }: PlannedSessionsProps) {
  const planned = usePlanned(tutorId, asOf);
  const total = planned.data?.meta.total ?? 0;
  return (
    <Panel title="Upcoming sessions" note={total > 0 && `${counted(total, "session")} planned`}>
      <QueryBoundary query={planned} skeleton={<Skeleton height={120} />}>
        {({ data }) =>
          data.length === 0 ? (
            <EmptyState title="No sessions are planned">
              Sessions with the status “scheduled” appear here.
            </EmptyState>
          ) : (
            <>
              <ul className={classes.sessions}>
                {data.map((session) => (
                  <li key={session.session_id}>
                    <span>
                      {shortMoment(session.scheduled_time)} ·{" "}
                      {studentName({ student_id: session.student_id, name: session.student_name })}
                      <span className={classes.detail}>
                        {[subjectOf(session.subject), session.is_first_meeting && "first meeting"]
                          .filter(Boolean)
                          .join(" · ")}
                      </span>
                    </span>
                    <StandInLink sessionId={session.session_id} session={session} />
                  </li>
                ))}
              </ul>
              {total > data.length && (
                <Link to="/upcoming" search={{ search, days: "all", by: "day" }} className={classes.all}>
                  Show all {count(total)} on Upcoming
                </Link>
              )}
            </>
          )
        }
      </QueryBoundary>
    </Panel>
  );
}
