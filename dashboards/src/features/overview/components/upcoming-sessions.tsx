import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { RiskLevelBadge } from "../../../components/risk-level-badge";
import table from "../../../components/table.module.css";
import type { UpcomingSession } from "../../../lib/api-types";
import { counted, moment, probability } from "../../../lib/format";
import { studentName, tutorName } from "../../../lib/person-name";
import { useUpcoming } from "../api/get-upcoming";
import classes from "./upcoming-sessions.module.css";

/** Planned sessions that may not take place as planned. */
export function UpcomingSessions() {
  const upcoming = useUpcoming();
  return (
    <Panel
      title="Upcoming sessions at risk"
      note={
        upcoming.data
          ? `The likeliest to be moved or missed by the tutor, one for each of ${counted(upcoming.data.meta.total, "tutor")} with planned sessions`
          : "The likeliest to be moved or missed by the tutor"
      }
      flush
    >
      <QueryBoundary query={upcoming} skeleton={<Skeleton height={240} m="md" w="auto" />}>
        {({ data }) =>
          data.length === 0 ? (
            <EmptyState title="No sessions are planned">
              Sessions with the status “scheduled” appear here.
            </EmptyState>
          ) : (
            <table className={`${table.folding} ${classes.table}`}>
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">Tutor</th>
                  <th scope="col">Student</th>
                  <th scope="col">Risk</th>
                </tr>
              </thead>
              <tbody>
                {data.map((session) => (
                  <Row key={session.session_id} session={session} />
                ))}
              </tbody>
            </table>
          )
        }
      </QueryBoundary>
    </Panel>
  );
}

function Row({ session }: { session: UpcomingSession }) {
  const others = session.tutor_sessions - 1;
  return (
    <tr>
      <td>
        {moment(session.scheduled_time)}
        <span className={table.about}>
          {[session.subject, session.is_first_meeting && "first meeting"].filter(Boolean).join(" · ")}
        </span>
      </td>
      <td>
        <Link to="/tutors/$tutorId" params={{ tutorId: session.tutor_id }} className={classes.tutor}>
          {tutorName({ ...session, name: session.tutor_name, external_id: null })}
        </Link>
        <span className={table.about}>
          {others !== 0 && `and ${counted(others, "more session")} planned`}
        </span>
      </td>
      <td>{studentName({ ...session, name: session.student_name, external_id: null })}</td>
      <td className={classes.risk}>
        <RiskLevelBadge level={session.risk_level} />
        <span className={table.about}>{probability(session.tutor_disruption_probability, "")}</span>
      </td>
    </tr>
  );
}
