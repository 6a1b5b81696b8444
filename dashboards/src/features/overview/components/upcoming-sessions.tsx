import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { RiskLevelBadge } from "../../../components/risk-level-badge";
import { CELL_LINK, type Column, QueryTable } from "../../../components/table";
import type { UpcomingSession } from "../../../lib/api-types";
import { counted, moment, probability } from "../../../lib/format";
import { studentName, tutorName } from "../../../lib/person-name";
import { useUpcoming } from "../api/get-upcoming";

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
      <QueryTable
        label="Upcoming sessions"
        query={upcoming}
        rowsOf={({ data }) => data}
        columns={COLUMNS}
        keyOf={(session) => session.session_id}
        skeletonRows={5}
        empty={({ data }) =>
          data.length === 0 && (
            <EmptyState title="No sessions are planned">
              Sessions with the status “scheduled” appear here.
            </EmptyState>
          )
        }
      />
    </Panel>
  );
}

const COLUMNS: Column<UpcomingSession>[] = [
  {
    header: "When",
    phone: { row: 2, side: "start" },
    cell: (session) => moment(session.scheduled_time),
    detail: (session) =>
      [session.subject, session.is_first_meeting && "first meeting"].filter(Boolean).join(" · "),
  },
  {
    header: "Tutor",
    phone: { row: 1, side: "start" },
    cell: (session) => (
      <Link to="/tutors/$tutorId" params={{ tutorId: session.tutor_id }} className={CELL_LINK}>
        {tutorName({ ...session, name: session.tutor_name, external_id: null })}
      </Link>
    ),
    detail: ({ tutor_sessions }) =>
      tutor_sessions !== 1 && `and ${counted(tutor_sessions - 1, "more session")} planned`,
  },
  {
    header: "Student",
    phone: { row: 2, side: "end" },
    cell: (session) => studentName({ ...session, name: session.student_name, external_id: null }),
  },
  {
    header: "Risk",
    overflow: "nowrap",
    phone: { row: 1, side: "end" },
    cell: (session) => <RiskLevelBadge level={session.risk_level} />,
    detail: (session) => probability(session.tutor_disruption_probability, ""),
  },
];
