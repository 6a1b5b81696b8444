import { SegmentedControl, Skeleton } from "@mantine/core";
import { useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { WeeklyChart } from "../../../components/weekly-chart";
import type { TutorWeek } from "../../../lib/api-types";
import { counted, percent, shortDay } from "../../../lib/format";
import { useHistory } from "../api/get-tutor";
import { EventTable } from "./event-table";

const RANGES = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "A year" },
];
const WEEK_MS = 7 * 86_400_000;

interface TutorHistoryProps {
  tutorId: string;
  name: string;
  threshold: number;
  pollMs: number;
  /** An excuse was given or taken back. */
  onChanged: () => void;
}

/** Week by week against all tutors, and what happened. */
export function TutorHistory({ tutorId, name, threshold, pollMs, onChanged }: TutorHistoryProps) {
  const [days, setDays] = useState("90");
  const history = useHistory(tutorId, Number(days), pollMs);
  const range = (
    <SegmentedControl size="xs" aria-label="How far back" value={days} onChange={setDays} data={RANGES} />
  );
  return (
    <>
      <Panel title="Trend" note="Moved, cancelled or missed by week, beside all tutors" actions={range}>
        <QueryBoundary query={history} skeleton={<Skeleton height={240} />}>
          {({ data }) =>
            data.weeks.length === 0 ? (
              <EmptyState title="No sessions in this time">
                A line appears with the first week that has sessions.
              </EmptyState>
            ) : (
              <WeeklyChart
                label={`Let-downs of ${name} by week`}
                height={240}
                weeks={everyWeek(data.weeks)}
                series={[
                  { name: "tutor", label: name },
                  { name: "platform", label: "All tutors", isReference: true },
                ]}
                write={(value) => percent(value)}
                threshold={{ value: threshold, label: "Limit" }}
              />
            )
          }
        </QueryBoundary>
      </Panel>
      <Panel
        title="What happened"
        note={history.data && `${counted(history.data.meta.total_events, "event")}, newest first`}
        flush
      >
        <QueryBoundary query={history} skeleton={<Skeleton height={240} m="md" />}>
          {({ data, meta }) => (
            <EventTable
              tutorId={tutorId}
              events={data.events}
              total={meta.total_events}
              onChanged={onChanged}
            />
          )}
        </QueryBoundary>
      </Panel>
    </>
  );
}

/** Weeks without sessions are absent from the answer; a line must not run across them. */
function everyWeek(weeks: TutorWeek[]) {
  const known = new Map(weeks.map((week) => [week.week_start, week]));
  const first = Date.parse(weeks[0]?.week_start ?? "");
  const last = Date.parse(weeks.at(-1)?.week_start ?? "");
  const rows = [];
  for (let start = first; start <= last; start += WEEK_MS) {
    const monday = new Date(start).toISOString().slice(0, 10);
    const week = known.get(monday);
    rows.push({
      week: shortDay(monday),
      tutor: week?.let_down_rate ?? null,
      platform: week?.platform_let_down_rate ?? null,
    });
  }
  return rows;
}
