import { Button } from "@mantine/core";
import { useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import table from "../../../components/table.module.css";
import { Tag } from "../../../components/tag";
import type { TutorEvent } from "../../../lib/api-types";
import { useIsAdmin } from "../../../lib/auth";
import { count, decimal, moment, notice, words } from "../../../lib/format";
import classes from "./event-table.module.css";
import { ExcuseDialog } from "./excuse-dialog";

const SHOWN_AT_FIRST = 12;
const BY: Record<string, string> = {
  tutor: "by the tutor",
  student: "by the student",
  platform: "by the platform",
};

interface EventTableProps {
  events: TutorEvent[];
  /** Also those beyond what the API gives at once. */
  total: number;
  onChanged: () => void;
}

/** Reschedules, no-shows, cancellations and low ratings, and whether each counts against the tutor. */
export function EventTable({ events, total, onChanged }: EventTableProps) {
  const [isWhole, showWhole] = useState(false);
  const [chosen, choose] = useState<TutorEvent | null>(null);
  const isAdmin = useIsAdmin();
  if (events.length === 0) {
    return (
      <EmptyState icon="check" title="Nothing happened">
        No reschedule, no-show, cancellation by the tutor or low rating in this time.
      </EmptyState>
    );
  }
  const shown = isWhole ? events : events.slice(0, SHOWN_AT_FIRST);
  return (
    <>
      <table className={`${table.folding} ${classes.table}`}>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">What</th>
            <th scope="col">Notice</th>
            <th scope="col">Reason</th>
            <th scope="col">Counts</th>
            {isAdmin && (
              <th scope="col">
                <span className={classes.hidden}>Excuse</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {shown.map((event) => (
            <tr key={`${event.session_id} ${event.kind}`}>
              <td>{moment(event.happened_at)}</td>
              <td>
                {whatOf(event)}
                <span className={table.about}>{event.subject ?? "no subject"}</span>
              </td>
              <td data-short={event.is_short_notice}>
                {event.kind === "reschedule" || event.kind === "tutor_cancellation"
                  ? notice(event.notice_hours)
                  : ""}
              </td>
              <td>{event.kind === "reschedule" || event.reason_code ? words(event.reason_code) : ""}</td>
              <td>
                <Counts event={event} />
              </td>
              {isAdmin && (
                <td className={classes.action}>
                  {event.kind === "reschedule" && (event.is_counted || event.is_excused) && (
                    <Button size="compact-xs" variant="default" onClick={() => choose(event)}>
                      {event.is_excused ? "Undo excuse" : "Excuse"}
                    </Button>
                  )}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {!isWhole && events.length > SHOWN_AT_FIRST && (
        <div className={classes.more}>
          <Button size="xs" variant="default" onClick={() => showWhole(true)}>
            Show {total > events.length ? "the newest" : "all"} {count(events.length)}
          </Button>
        </div>
      )}
      {isWhole && total > events.length && (
        <p className={classes.more}>
          The newest {count(events.length)} of {count(total)} are shown.
        </p>
      )}
      <ExcuseDialog event={chosen} onClose={() => choose(null)} onChanged={onChanged} />
    </>
  );
}

function whatOf(event: TutorEvent): string {
  const by = event.initiator ? ` ${BY[event.initiator] ?? ""}` : "";
  if (event.kind === "reschedule") return `Rescheduled${by}`;
  if (event.kind === "no_show") return `No-show${by}`;
  if (event.kind === "tutor_cancellation") return "Cancelled by the tutor";
  return `Rated ${decimal(event.rating, 0)} of 5`;
}

function Counts({ event }: { event: TutorEvent }) {
  if (event.is_excused) return <Tag tone="ok" icon="check" label="Excused" />;
  if (event.is_counted) return <Tag tone="watch" label="Counts" />;
  return <Tag tone="none" label={event.kind === "low_rating" ? "In the mean" : "Does not count"} />;
}
