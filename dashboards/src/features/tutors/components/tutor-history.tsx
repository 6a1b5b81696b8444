import { SegmentedControl } from "@mantine/core";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { WeeklyChart } from "../../../components/weekly-chart";
import type { TutorHistoryResponse, TutorWeek } from "../../../lib/api-types";
import { capitalised, counted, percent, shortDay } from "../../../lib/format";
import { letDownsInWords } from "../../../lib/let-downs";
import { daysSoFar } from "../../../lib/week";
import type { ExcuseChange } from "../awaited";
import { EventTable } from "./event-table";

const RANGES = [
  { value: "90", label: "90 days" },
  { value: "365", label: "A year" },
];
const WEEK_MS = 7 * 86_400_000;

interface TutorHistoryProps {
  tutorId: string;
  name: string;
  history: TutorHistoryResponse;
  threshold: number;
  /** What makes a let-down. */
  counts: string[];
  days: number;
  onDays: (days: number) => void;
  /** An excuse was given or taken back. */
  onChanged: (change: ExcuseChange) => void;
}

/** Week by week against all tutors, and what happened. */
export function TutorHistory(props: TutorHistoryProps) {
  const { tutorId, name, history, threshold, counts, days, onDays, onChanged } = props;
  const { data, meta } = history;
  const range = (
    <SegmentedControl
      size="xs"
      aria-label="Period"
      value={String(days)}
      onChange={(chosen) => onDays(Number(chosen))}
      data={RANGES}
    />
  );
  return (
    <>
      <Panel
        title="Trend"
        note={`${capitalised(letDownsInWords(counts))} by week, beside all tutors`}
        actions={range}
      >
        {data.weeks.length === 0 ? (
          <EmptyState title="No sessions in this period">
            The line starts with the first week of sessions.
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
            newestDays={daysSoFar(data.weeks.at(-1)?.week_start ?? meta.as_of, meta.as_of)}
          />
        )}
      </Panel>
      <Panel title="What happened" note={`${counted(meta.total_events, "event")}, newest first`} flush>
        <EventTable tutorId={tutorId} events={data.events} total={meta.total_events} onChanged={onChanged} />
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
