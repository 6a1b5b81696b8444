import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { WeeklyChart } from "../../../components/weekly-chart";
import type { PlatformRates, PlatformWeek } from "../../../lib/api-types";
import { capitalised, count, decimal, percent, shortDay } from "../../../lib/format";
import { letDownsInWords } from "../../../lib/let-downs";
import { daysSoFar } from "../../../lib/week";
import classes from "./platform-trend.module.css";

interface Metric {
  label: string;
  of: (week: PlatformWeek) => number | null;
  write: (value: number | null) => string;
  now: (rates: PlatformRates) => string;
}

const METRICS = {
  letDowns: {
    label: "Let-downs",
    of: (week) => week.let_down_rate,
    write: (value) => percent(value),
    now: (rates) => percent(rates.let_down_rate_90d),
  },
  noShows: {
    label: "No-shows",
    of: (week) => week.tutor_no_show_rate,
    write: (value) => percent(value),
    now: (rates) => percent(rates.tutor_no_show_rate_90d),
  },
  ratings: {
    label: "Rating",
    of: (week) => week.rating_mean,
    write: (value) => decimal(value, 2, "no ratings"),
    now: (rates) => decimal(rates.rating_mean_90d, 2, "no ratings"),
  },
  sessions: {
    label: "Sessions",
    of: (week) => week.sessions,
    write: (value) => count(value),
    now: (rates) => count(rates.sessions_90d),
  },
} satisfies Record<string, Metric>;
type MetricName = keyof typeof METRICS;
const NAMES = Object.keys(METRICS) as MetricName[];

/** All tutors together: the last 90 days in figures, the last year as a line. */
interface PlatformTrendProps {
  weeks: PlatformWeek[];
  /** Up to which day the newest week counts. */
  asOf: string;
  rates: PlatformRates;
  /** What makes a let-down. */
  counts: string[];
}

export function PlatformTrend({ weeks, asOf, rates, counts }: PlatformTrendProps) {
  const [chosen, choose] = useState<MetricName>("letDowns");
  const metric: Metric = METRICS[chosen];
  return (
    <Panel
      title="Platform"
      note={`By week · ${count(rates.tutors)} tutors with sessions in the last 90 days`}
      actions={
        <SegmentedControl
          size="xs"
          aria-label="Metric"
          value={chosen}
          onChange={(name) => choose(name as MetricName)}
          data={NAMES.map((name) => ({ value: name, label: METRICS[name].label }))}
        />
      }
    >
      <dl className={classes.figures}>
        <Figure
          label={`${capitalised(letDownsInWords(counts))} by tutors`}
          value={METRICS.letDowns.now(rates)}
        />
        <Figure label="Missed by tutors" value={METRICS.noShows.now(rates)} />
        <Figure
          label="First sessions that continue"
          value={percent(rates.first_session_rate, { none: "none yet" })}
        />
        <Figure label="Mean rating" value={METRICS.ratings.now(rates)} />
      </dl>
      {weeks.length === 0 ? (
        <EmptyState title="No sessions in the last year">
          The line starts with the first week of sessions.
        </EmptyState>
      ) : (
        <WeeklyChart
          height={340}
          label={`${metric.label} by week`}
          weeks={weeks.map((week) => ({
            week: shortDay(week.week_start),
            platform: chosen !== "sessions" && isThin(week, weeks) ? null : metric.of(week),
          }))}
          series={[{ name: "platform", label: metric.label }]}
          write={metric.write}
          newestDays={newestDays(weeks, asOf)}
        />
      )}
    </Panel>
  );
}

const newestDays = (weeks: PlatformWeek[], asOf: string): number =>
  daysSoFar(weeks.at(-1)?.week_start ?? asOf, asOf);

/** The first days of a platform, or of a week, have so few sessions that their rate would set the scale for all other weeks. */
function isThin(week: PlatformWeek, weeks: PlatformWeek[]): boolean {
  const most = Math.max(...weeks.map(({ sessions }) => (Number.isFinite(sessions) ? sessions : 0)));
  return week.sessions < most / 8;
}

function Figure({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}
