import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { ConcernBadges } from "../../../components/concern-badges";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { Risk } from "../../../components/risk";
import { StandInLink } from "../../../components/stand-in-link";
import { CELL_LINK, type Column, QueryTable } from "../../../components/table";
import type { UpcomingSession } from "../../../lib/api-types";
import { counted, shortMoment } from "../../../lib/format";
import { studentName, tutorName } from "../../../lib/person-name";
import { subjectOf } from "../../../lib/subjects";
import { useUpcoming } from "../api/get-upcoming";

/** Planned sessions that may not take place as planned. */
export function UpcomingSessions() {
  const upcoming = useUpcoming();
  return (
    <Panel
      title="Upcoming sessions at risk"
      note={
        upcoming.data
          ? `Riskiest tutors first, one session each, of ${counted(upcoming.data.meta.total, "tutor")}`
          : "Riskiest tutors first, one session each"
      }
      actions={
        <Button
          size="xs"
          variant="default"
          renderRoot={(props) => <Link to="/upcoming" search={{ days: "all" }} {...props} />}
        >
          All upcoming sessions
        </Button>
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
    cell: (session) => shortMoment(session.scheduled_time),
    detail: (session) =>
      [subjectOf(session.subject), session.is_first_meeting && "first meeting"].filter(Boolean).join(" · "),
  },
  {
    header: "Tutor",
    phone: { row: 1, side: "start" },
    cell: (session) => (
      <Link to="/tutors/$tutorId" params={{ tutorId: session.tutor_id }} className={CELL_LINK}>
        {tutorName({ ...session, name: session.tutor_name, external_id: null })}
      </Link>
    ),
    detail: ({ tutor_sessions, tutor_concerns }) => (
      <>
        {tutor_sessions !== 1 && `and ${counted(tutor_sessions - 1, "more session")} planned `}
        <ConcernBadges concerns={tutor_concerns} />
      </>
    ),
  },
  {
    header: "Student",
    phone: { row: 2, side: "end" },
    cell: (session) => studentName({ ...session, name: session.student_name, external_id: null }),
  },
  {
    header: "Let-down risk",
    overflow: "nowrap",
    phone: { row: 1, side: "end" },
    cell: (session) => (
      <Risk of="let-down" level={session.risk_level} probability={session.let_down_probability} />
    ),
  },
  {
    header: "Find a stand-in",
    isHeaderHidden: true,
    align: "right",
    phone: { row: 3, side: "both" },
    cell: (session) => <StandInLink sessionId={session.session_id} session={session} />,
  },
];
