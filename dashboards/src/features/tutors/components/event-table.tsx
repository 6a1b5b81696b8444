import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { CELL_LINK, type Column, Table } from "../../../components/table";
import { Tag } from "../../../components/tag";
import type { TutorEvent } from "../../../lib/api-types";
import { useMayChangeTutor } from "../../../lib/auth";
import { count, decimal, moment, notice, words } from "../../../lib/format";
import { studentName } from "../../../lib/person-name";
import { subjectOf } from "../../../lib/subjects";
import type { ExcuseChange } from "../awaited";
import classes from "./event-table.module.css";
import { type Excusable, ExcuseDialog } from "./excuse-dialog";
import { ExcuseNote } from "./excuse-note";

const SHOWN_AT_FIRST = 12;
const BY: Record<string, string> = {
  tutor: "by the tutor",
  student: "by the student",
  platform: "by the platform",
};

interface EventTableProps {
  tutorId: string;
  events: TutorEvent[];
  /** Also those beyond what the API gives at once. */
  total: number;
  onChanged: (change: ExcuseChange) => void;
}

/** Moves, no-shows, cancellations and low ratings, and whether each counts against the tutor. */
export function EventTable({ tutorId, events, total, onChanged }: EventTableProps) {
  const [isWhole, showWhole] = useState(false);
  const [chosen, choose] = useState<Excusable | null>(null);
  const mayExcuse = useMayChangeTutor(tutorId);
  if (events.length === 0) {
    return (
      <EmptyState icon="check" title="No events">
        No reschedules, no-shows, cancellations or low ratings in this period.
      </EmptyState>
    );
  }
  return (
    <>
      <Table
        label="Events"
        columns={[...columns(tutorId), ...(mayExcuse ? [excuseColumn(choose)] : [])]}
        rows={isWhole ? events : events.slice(0, SHOWN_AT_FIRST)}
        keyOf={(event) => `${event.session_id} ${event.kind}`}
        isCompact
      />
      {!isWhole && events.length > SHOWN_AT_FIRST && (
        <p className={classes.more}>
          <Button size="xs" variant="default" onClick={() => showWhole(true)}>
            Show {total > events.length ? "the newest" : "all"} {count(events.length)}
          </Button>
        </p>
      )}
      {isWhole && total > events.length && (
        <p className={classes.more}>
          The newest {count(events.length)} of {count(total)} are shown.
        </p>
      )}
      <ExcuseDialog tutorId={tutorId} excusable={chosen} onClose={() => choose(null)} onChanged={onChanged} />
    </>
  );
}

const columns = (tutorId: string): Column<TutorEvent>[] => [
  {
    header: "Happened",
    overflow: "nowrap",
    phone: { row: 2, side: "start" },
    cell: (event) => moment(event.happened_at),
    detail: (event) =>
      event.happened_at !== event.scheduled_time && `session of ${moment(event.scheduled_time)}`,
  },
  {
    header: "What",
    phone: { row: 1, side: "start" },
    cell: whatOf,
    detail: (event) => subjectOf(event.subject),
  },
  {
    header: "Student",
    overflow: "anywhere",
    phone: { row: 3, side: "start" },
    cell: (event) => <StudentLink event={event} tutorId={tutorId} />,
  },
  {
    header: "Notice",
    overflow: "nowrap",
    phone: { row: 2, side: "end", isLabelled: true },
    cell: (event) => {
      if (event.kind !== "reschedule" && event.kind !== "tutor_cancellation") return null;
      const hours = notice(event.notice_hours);
      return event.is_short_notice ? <strong>{hours}</strong> : hours;
    },
  },
  {
    header: "Reason",
    overflow: "anywhere",
    width: "7rem",
    phone: { row: 4, side: "both" },
    cell: (event) => (event.kind === "reschedule" || event.reason_code ? words(event.reason_code) : null),
    detail: (event) => event.excuse && <ExcuseNote note={event.excuse} />,
  },
  {
    header: "Counts",
    phone: { row: 1, side: "end" },
    cell: (event) => <Counts event={event} />,
  },
];

const excuseColumn = (onChoose: (what: Excusable) => void): Column<TutorEvent> => ({
  header: "Excuse",
  isHeaderHidden: true,
  align: "right",
  overflow: "nowrap",
  phone: { row: 3, side: "end" },
  cell: (event) =>
    event.kind !== "low_rating" && (event.is_counted || event.is_excused) ? (
      <Button size="compact-xs" variant="default" onClick={() => onChoose(excusable(event))}>
        {event.is_excused ? "Undo excuse" : "Excuse"}
      </Button>
    ) : null,
});

const excusable = (event: TutorEvent): Excusable => ({
  title: "this session",
  about: `${event.subject ?? "Session"} of ${moment(event.scheduled_time)}, ${whatOf(event).toLowerCase()}`,
  what: { sessionId: event.session_id, countedOn: event.counted_on },
  isExcused: event.is_excused,
});

function whatOf(event: TutorEvent): string {
  const by = event.initiator ? ` ${BY[event.initiator] ?? ""}` : "";
  if (event.kind === "reschedule") return `Moved${by}`;
  if (event.kind === "no_show") return `No-show${by}`;
  if (event.kind === "tutor_cancellation") return "Cancelled by the tutor";
  if (event.kind === "other_cancellation") return `Cancelled${by}`;
  return `Rated ${decimal(event.rating, 0)} of 5`;
}

/** To what is known of the student, and of the two together. */
function StudentLink({ event, tutorId }: { event: TutorEvent; tutorId: string }) {
  const { student_id, student_name, student_external_id } = event;
  const name = studentName({ student_id, name: student_name, external_id: student_external_id });
  // The first run after a student's first session makes the page.
  if (student_external_id === null) return name;
  return (
    <Link to="/matching" search={{ student: student_id, tutor: tutorId }} className={CELL_LINK}>
      {name}
    </Link>
  );
}

function Counts({ event }: { event: TutorEvent }) {
  if (event.kind === "low_rating") return <Tag tone="none" label="In the mean" />;
  if (event.is_excused) return <Tag tone="ok" icon="check" label="Excused" />;
  if (event.is_counted) return <Tag tone="watch" label="Counts" />;
  return <Tag tone="none" label="Does not count" />;
}
