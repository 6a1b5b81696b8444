import { Button, Progress } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { ErrorNotice } from "../../../components/notice";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { type Column, ROW_LINK, Table } from "../../../components/table";
import { Tag } from "../../../components/tag";
import { Tile, Tiles } from "../../../components/tiles";
import { WeeklyChart } from "../../../components/weekly-chart";
import type {
  ConcernToday,
  Replay,
  Scoring,
  WhatIfChange,
  WhatIfDetail,
  WhatIfResult,
} from "../../../lib/api-types";
import { useIsAdmin } from "../../../lib/auth";
import { concernLabel, SUPERSEDED } from "../../../lib/concerns";
import { count, counted, day, decimal, percent, probability } from "../../../lib/format";
import { useWhatIf } from "../api/what-if";
import { ApplyDialog } from "./apply-dialog";
import { DifferenceList } from "./difference-list";
import classes from "./what-if-page.module.css";

const FIRST = 25;
/** In points of 100: less is shown as 0.0. */
const LEAST_CHANGE = 0.05;

/** The answer to a question, or how far it has come. */
export function Answer({ whatIfId, known }: { whatIfId: string | undefined; known: Scoring }) {
  const question = useWhatIf(whatIfId);
  if (whatIfId === undefined) {
    return (
      <Panel>
        <EmptyState title="No replay yet">
          Change a setting, then choose “Show what changes”. The replay takes a few minutes.
        </EmptyState>
      </Panel>
    );
  }
  return (
    <QueryBoundary query={question} skeleton={<Working step="" progress={0} />}>
      {({ data }) => {
        if (data.state === "failed") return <ErrorNotice text={`The replay failed: ${data.error}.`} />;
        if (!data.result) return <Working step={stepOf(data)} progress={data.progress} />;
        return <Result question={data} result={data.result} known={known} />;
      }}
    </QueryBoundary>
  );
}

const stepOf = ({ state, step }: WhatIfDetail): string =>
  state === "queued" ? "Waiting for Dagster" : step || "Waiting for the run in progress";

function Working({ step, progress }: { step: string; progress: number }) {
  return (
    <Panel title="Replaying" note="You can leave this page. tutorq keeps the result for a week.">
      <div className={classes.working} role="status">
        <Progress value={Math.max(2, progress * 100)} aria-label="Progress" striped animated />
        <span>{step}</span>
      </div>
    </Panel>
  );
}

interface ResultProps {
  question: WhatIfDetail;
  result: WhatIfResult;
  known: Scoring;
}

function Result({ question, result, known }: ResultProps) {
  const isAdmin = useIsAdmin();
  const [isApplying, setApplying] = useState(false);
  const { today, history } = result;
  const { present, changed } = history;
  return (
    <>
      <Panel
        title="With these settings"
        note={`Scores of ${day(result.as_of)} with these settings`}
        actions={
          isAdmin ? (
            <Button onClick={() => setApplying(true)}>Apply…</Button>
          ) : (
            <span className={classes.was}>Only admins can apply settings</span>
          )
        }
      >
        <DifferenceList changed={result.changed} settings={known.settings} />
        <Tiles label="Current and new settings">
          <Tile
            label="Tutors raised today"
            figure={change(count(today.raised_now), count(today.raised_then))}
            detail={raisedAndCleared(today.by_concern)}
          />
          <Tile
            label="Newly raised per week"
            figure={change(decimal(present.onsets_per_week), decimal(changed.onsets_per_week))}
            detail={`mean of ${counted(present.weeks.length, "week")}`}
          />
          <Tile
            label="Let-down flags proved right"
            figure={change(share(present.right_share), share(changed.right_share))}
            detail={checks(present, changed)}
          />
          <Tile
            label="Above the limit, not raised"
            figure={change(share(present.missed_share), share(changed.missed_share))}
            detail="of checks without a flag"
          />
        </Tiles>
        {today.quality.greatest_change >= LEAST_CHANGE && (
          <p className={classes.note}>
            {counted(today.quality.changed, "quality score")} would differ, by up to{" "}
            {decimal(today.quality.greatest_change)} points.
          </p>
        )}
      </Panel>
      <Panel title="Today, by concern" flush>
        <Table
          label="Today, by concern"
          rows={today.by_concern}
          keyOf={(row) => row.concern}
          columns={BY_CONCERN}
        />
      </Panel>
      <ChangesPanel changes={today.changes} />
      <Panel title="Tutors raised, each Monday" note="Recomputed for each past Monday from today’s data">
        {present.weeks.length === 0 ? (
          <EmptyState title="No week to replay">Replays start five weeks after the first session.</EmptyState>
        ) : (
          <WeeklyChart
            label="Tutors raised, each Monday"
            height={260}
            weeks={present.weeks.map((week, place) => ({
              week: week.week,
              now: week.raised,
              changed: changed.weeks[place]?.raised ?? null,
            }))}
            series={[
              { name: "changed", label: "With these settings" },
              { name: "now", label: "Current settings", isReference: true },
            ]}
            write={(value) => count(value)}
          />
        )}
      </Panel>
      <ApplyDialog
        isOpen={isApplying}
        question={question}
        changed={result.changed}
        settings={known.settings}
        onClose={() => setApplying(false)}
      />
    </>
  );
}

const change = (now: string, then: string): string => (now === then ? now : `${now} → ${then}`);
const share = (value: number | null): string => percent(value, { digits: 0, none: "–" });

function raisedAndCleared(concerns: readonly ConcernToday[]): string {
  const total = (of: "raised" | "cleared") => concerns.reduce((sum, concern) => sum + concern[of], 0);
  return `${counted(total("raised"), "concern")} raised, ${count(total("cleared"))} cleared`;
}

const checks = (present: Replay, changed: Replay): string =>
  `of ${change(count(present.judged_raised), count(changed.judged_raised))} weekly checks`;

const BY_CONCERN: Column<ConcernToday>[] = [
  {
    header: "Concern",
    isRowHeader: true,
    phone: { row: 1, side: "both" },
    cell: ({ concern }) => concernLabel(concern),
  },
  {
    header: "Raised today",
    align: "right",
    phone: { row: 2, side: "start", isLabelled: true },
    cell: ({ raised_now }) => count(raised_now),
  },
  {
    header: "Raised with changes",
    align: "right",
    phone: { row: 2, side: "end", isLabelled: true },
    cell: ({ raised_then }) => count(raised_then),
  },
  {
    header: "Newly raised",
    align: "right",
    phone: { row: 3, side: "start", isLabelled: true },
    cell: ({ raised }) => count(raised),
  },
  {
    header: "Cleared",
    align: "right",
    phone: { row: 3, side: "end", isLabelled: true },
    cell: ({ cleared }) => count(cleared),
  },
];

function ChangesPanel({ changes }: { changes: readonly WhatIfChange[] }) {
  const [isAll, setAll] = useState(false);
  return (
    <Panel title="Raised or cleared today" note="Largest differences first" flush>
      {changes.length === 0 ? (
        <EmptyState title="No concern is raised or cleared today" />
      ) : (
        <>
          <Table
            label="Raised or cleared today"
            rows={isAll ? changes : changes.slice(0, FIRST)}
            keyOf={(row) => `${row.tutor_id} ${row.concern}`}
            columns={CHANGES}
          />
          {!isAll && changes.length > FIRST && (
            <div className={classes.more}>
              <Button variant="default" size="xs" onClick={() => setAll(true)}>
                Show all {count(changes.length)}
              </Button>
            </div>
          )}
        </>
      )}
    </Panel>
  );
}

/** Raised but not counted: a graver concern says the same. */
function Outcome({ change, status_then }: WhatIfChange) {
  if (change === "raised") return <Tag tone="high" icon="up" label="Raised" />;
  if (status_then === "raised") return <Tag tone="none" label={SUPERSEDED} />;
  return <Tag tone="ok" icon="down" label="Cleared" />;
}

const CHANGES: Column<WhatIfChange>[] = [
  {
    header: "Tutor",
    isRowHeader: true,
    overflow: "anywhere",
    phone: { row: 1, side: "start" },
    cell: (row) => (
      <Link to="/tutors/$tutorId" params={{ tutorId: row.tutor_id }} {...ROW_LINK}>
        {row.name ?? row.external_id ?? row.tutor_id}
      </Link>
    ),
  },
  {
    header: "With new settings",
    phone: { row: 1, side: "end" },
    cell: (row) => <Outcome {...row} />,
  },
  { header: "Concern", phone: { row: 2, side: "start" }, cell: ({ concern }) => concernLabel(concern) },
  {
    header: "Probability: now → new",
    align: "right",
    phone: { row: 2, side: "end" },
    cell: (row) => `${probability(row.probability_now, "–")} → ${probability(row.probability_then, "–")}`,
  },
];
