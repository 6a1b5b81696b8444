import { Button, Skeleton, VisuallyHidden } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import type { SessionHour, TodaysSessions } from "../../../lib/api-types";
import { count, day, ZONE } from "../../../lib/format";
import { useTodaysSessions } from "../api/get-todays-sessions";
import { dayInWords, everyHour, hourInWords, KINDS, sessionsIn } from "../hours";
import classes from "./todays-hours.module.css";

const TALLEST_PX = 64;

/** When the day's sessions are, and how likely their tutors let them down. Without the chart library: this is the first page. */
export function TodaysHours() {
  const query = useTodaysSessions();
  const known = query.data;
  return (
    <Panel
      title="Sessions of the day"
      note={known && dayInWords(known.data.totals, known.data.hours)}
      actions={
        <Button
          size="xs"
          variant="default"
          renderRoot={(props) => (
            <Link
              to="/upcoming"
              search={{
                from: known?.meta.as_of,
                days: "1",
                zone: known?.data.timezone === ZONE ? undefined : known?.data.timezone,
                risk: "high",
              }}
              {...props}
            />
          )}
        >
          Sessions at high risk
        </Button>
      }
    >
      <QueryBoundary query={query} skeleton={<Skeleton height={126} />}>
        {({ data, meta }) =>
          data.sessions === 0 ? (
            <EmptyState title="No sessions on this day">
              Planned sessions appear here when they are booked.
            </EmptyState>
          ) : (
            <Hours sessions={data} asOf={meta.as_of} />
          )
        }
      </QueryBoundary>
    </Panel>
  );
}

function Hours({ sessions, asOf }: { sessions: TodaysSessions; asOf: string }) {
  const { totals, hours, timezone } = sessions;
  const columns = everyHour(hours);
  const most = Math.max(...columns.map(sessionsIn));
  const shown = KINDS.filter(({ kind }) => totals[kind] > 0);
  return (
    <>
      <ol className={classes.hours} aria-label="Sessions by hour">
        {columns.map((hour) => (
          <li key={hour.hour} title={hourInWords(hour)}>
            <Column hour={hour} most={most} />
          </li>
        ))}
      </ol>
      <ul className={classes.legend}>
        <li>
          {day(asOf)}, {timezone}
        </li>
        {shown.map(({ kind, label }) => (
          <li key={kind}>
            <span className={classes.part} data-kind={kind} />
            {label} {count(totals[kind])}
          </li>
        ))}
      </ul>
    </>
  );
}

function Column({ hour, most }: { hour: SessionHour; most: number }) {
  const all = sessionsIn(hour);
  return (
    <>
      <VisuallyHidden>{hourInWords(hour)}</VisuallyHidden>
      <span className={classes.column} aria-hidden="true">
        {all > 0 && <span className={classes.sum}>{count(all)}</span>}
        {KINDS.toReversed().map(
          ({ kind }) =>
            hour[kind] > 0 && (
              <span
                key={kind}
                className={classes.part}
                data-kind={kind}
                style={{ height: `${(hour[kind] / most) * TALLEST_PX}px` }}
              />
            ),
        )}
      </span>
      <span className={classes.hour} aria-hidden="true">
        {hour.hour}
      </span>
    </>
  );
}
