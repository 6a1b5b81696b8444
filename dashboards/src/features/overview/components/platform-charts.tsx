import { Skeleton } from "@mantine/core";
import { DescribedChart } from "../../../components/described-chart";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import type { Column } from "../../../components/table";
import type { AttentionWeek, Platform, PlatformNotice, PlatformNoticeBand } from "../../../lib/api-types";
import { count, counted, percent } from "../../../lib/format";
import { limitOf, noticeLabel } from "../../../lib/notice-bands";
import { usePlatform } from "../api/get-platform";
import { attentionCaution, attentionInWords, weekLabel } from "../attention";
import classes from "./platform-charts.module.css";

/** All tutors together: who comes to need attention and who no longer does, and notice of moves and cancellations. */
export function PlatformCharts() {
  const platform = usePlatform();
  return (
    <div className={classes.charts}>
      <Panel title="Needs attention: in and out" note="Tutors by week, including inactive tutors">
        <QueryBoundary query={platform} skeleton={<Skeleton height={260} />}>
          {({ data }) => <Attention platform={data} />}
        </QueryBoundary>
      </Panel>
      <Panel
        title="Notice of moves and cancellations"
        note="By tutors, last 90 days, without excused sessions"
      >
        <QueryBoundary query={platform} skeleton={<Skeleton height={260} />}>
          {({ data }) => <Notice notice={data.notice} />}
        </QueryBoundary>
      </Panel>
    </div>
  );
}

function Attention({ platform }: { platform: Platform }) {
  const sentence = attentionInWords(platform);
  if (sentence === null)
    return <EmptyState title="No full week yet">Weeks appear when they are complete.</EmptyState>;
  const weeks = platform.attention_weeks;
  return (
    <DescribedChart
      label="Tutors newly needing attention, and no longer, by week"
      sentence={sentence}
      caution={attentionCaution(platform)}
      chart={{
        rows: weeks.map((week) => ({ place: weekLabel(week), began: week.began, ended: -week.ended })),
        series: [
          { name: "began", label: "In", color: "var(--high-mark)", type: "bar" },
          { name: "ended", label: "Out", color: "var(--ok-mark)", type: "bar" },
        ],
        isStacked: true,
        write: (value) => count(Math.abs(value)),
      }}
      figures={weeks.toReversed()}
      keyOf={({ week_start }) => week_start}
      columns={WEEK_COLUMNS}
    />
  );
}

const WEEK_COLUMNS: Column<AttentionWeek>[] = [
  { header: "Week of", isRowHeader: true, cell: weekLabel },
  { header: "In", align: "right", cell: ({ began }) => count(began) },
  { header: "Out", align: "right", cell: ({ ended }) => count(ended) },
  { header: "At its end", align: "right", cell: ({ tutors }) => count(tutors) },
];

function Notice({ notice }: { notice: PlatformNotice }) {
  const { bands, totals, short_notice_hours: hours } = notice;
  const known = totals.called_off - totals.unknown;
  if (known === 0)
    return (
      <EmptyState icon="check" title="Nothing moved or cancelled">
        With known notice, in the last {notice.days} days.
      </EmptyState>
    );
  const limit = limitOf(bands);
  const rest = totals.unknown > 0 ? ` The notice of ${count(totals.unknown)} more is unknown.` : "";
  return (
    <DescribedChart
      label="Sessions moved or cancelled by tutors, by notice"
      sentence={`${count(totals.short)} of ${counted(known, "session")} with less than ${count(hours)} hours of notice, ${percent(totals.short_share, { digits: 0 })}.${rest}`}
      chart={{
        rows: bands.map((band) => ({
          place: noticeLabel(band),
          moved: band.moved,
          cancelled: band.cancelled,
        })),
        series: [
          { name: "moved", label: "Moved", color: "var(--accent-mark)", type: "bar" },
          { name: "cancelled", label: "Cancelled", color: "var(--watch-mark)", type: "bar" },
        ],
        isStacked: true,
        mark: limit ? { place: limit, label: `${count(hours)} h`, at: "start" } : undefined,
        write: count,
      }}
      figures={bands}
      keyOf={noticeLabel}
      columns={NOTICE_COLUMNS}
    />
  );
}

const NOTICE_COLUMNS: Column<PlatformNoticeBand>[] = [
  { header: "Notice", isRowHeader: true, overflow: "nowrap", cell: noticeLabel },
  { header: "Moved", align: "right", cell: ({ moved }) => count(moved) },
  { header: "Cancelled", align: "right", cell: ({ cancelled }) => count(cancelled) },
  { header: "Share", align: "right", cell: ({ share }) => percent(share, { digits: 0, none: "–" }) },
];
