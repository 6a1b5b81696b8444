import { Skeleton } from "@mantine/core";
import type { ReactNode } from "react";
import { DescribedChart } from "../../../components/described-chart";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import type { Column } from "../../../components/table";
import type {
  Comparison,
  NoticeBand,
  NoticeComparison,
  QualityBin,
  QualityComparison,
  Retention,
  RetentionStep,
} from "../../../lib/api-types";
import { count, ordinal, percent } from "../../../lib/format";
import { limitOf, noticeLabel } from "../../../lib/notice-bands";
import { useComparison } from "../api/get-comparison";
import {
  isComparable,
  noticeCaution,
  noticeInWords,
  qualityCaution,
  qualityInWords,
  retentionCaution,
  retentionInWords,
} from "../comparison";

interface PanelOfTutor {
  tutorId: string;
  name: string;
}

const TUTOR = "var(--accent-mark)";
const OTHERS = "var(--none-mark)";
const whole = (share: number | null) => percent(share, { digits: 0, none: "–" });

/** Where the tutor's quality score stands among all. */
export function QualityPanel({ tutorId, name }: PanelOfTutor) {
  return (
    <ComparisonPanel title="Quality beside all tutors" note="Rated tutors by score" tutorId={tutorId}>
      {({ quality }) =>
        quality.rated_tutors === 0 ? (
          <EmptyState title="No tutor is rated yet">A score needs 5 sessions in 90 days.</EmptyState>
        ) : (
          <Quality quality={quality} name={name} />
        )
      }
    </ComparisonPanel>
  );
}

function Quality({ quality, name }: { quality: QualityComparison; name: string }) {
  const { bins, percentile, score } = quality;
  const own =
    percentile === null || score === null ? undefined : bins.findLast((bin) => bin.from_score <= score);
  return (
    <DescribedChart
      label={`Rated tutors by quality score, with ${name}`}
      sentence={qualityInWords(quality)}
      caution={qualityCaution(quality)}
      chart={{
        rows: bins.map((bin) => ({
          place: scores(bin),
          others: bin === own ? null : bin.tutors,
          own: bin === own ? bin.tutors : null,
        })),
        series: [
          { name: "others", label: "Tutors", color: OTHERS, type: "bar" },
          ...(own
            ? [{ name: "own", label: `Tutors around ${name}`, color: TUTOR, type: "bar" } as const]
            : []),
        ],
        isStacked: true,
        write: count,
      }}
      figures={bins}
      keyOf={({ from_score }) => from_score}
      columns={QUALITY_COLUMNS}
    />
  );
}

const scores = ({ from_score, to_score }: QualityBin) => `${from_score}–${to_score}`;
const QUALITY_COLUMNS: Column<QualityBin>[] = [
  { header: "Score", isRowHeader: true, cell: scores },
  { header: "Tutors", align: "right", cell: ({ tutors }) => count(tutors) },
];

/** With how much notice the tutor moves or cancels sessions. */
export function NoticePanel({ tutorId, name }: PanelOfTutor) {
  return (
    <ComparisonPanel
      title="Notice of moves and cancellations"
      note="By the tutor, last 90 days, without excused sessions"
      tutorId={tutorId}
    >
      {({ notice }) =>
        notice.tutor.called_off === 0 ? (
          <EmptyState icon="check" title="Nothing moved or cancelled">
            In the last {notice.days} days.
          </EmptyState>
        ) : (
          <Notice notice={notice} name={name} />
        )
      }
    </ComparisonPanel>
  );
}

function Notice({ notice, name }: { notice: NoticeComparison; name: string }) {
  const limit = limitOf(notice.bands);
  return (
    <DescribedChart
      label={`Sessions moved or cancelled by notice, ${name} beside all tutors`}
      sentence={noticeInWords(notice)}
      caution={noticeCaution(notice)}
      chart={{
        rows: notice.bands.map((band) => ({
          place: noticeLabel(band),
          tutor: band.tutor_share,
          platform: band.platform_share,
        })),
        series: [
          { name: "tutor", label: name, color: TUTOR, type: "bar" },
          { name: "platform", label: "All tutors", color: OTHERS, type: "bar" },
        ],
        mark: limit
          ? { place: limit, label: `${count(notice.short_notice_hours)} h`, at: "start" }
          : undefined,
        write: whole,
      }}
      figures={notice.bands}
      keyOf={noticeLabel}
      columns={NOTICE_COLUMNS}
    />
  );
}

const NOTICE_COLUMNS: Column<NoticeBand>[] = [
  { header: "Notice", isRowHeader: true, overflow: "nowrap", cell: noticeLabel },
  {
    header: "Tutor",
    align: "right",
    cell: ({ tutor }) => count(tutor),
    detail: (band) => whole(band.tutor_share),
  },
  {
    header: "All tutors",
    align: "right",
    cell: ({ platform }) => count(platform),
    detail: (band) => whole(band.platform_share),
  },
];

/** How often new students come back. */
export function RetentionPanel({ tutorId, name }: PanelOfTutor) {
  return (
    <ComparisonPanel
      title="New students who return"
      note="Followed for 90 days after the first session"
      tutorId={tutorId}
    >
      {({ retention }) =>
        retention.students === 0 ? (
          <EmptyState title="No new students to follow">
            New students of the last year appear when their {retention.days} days are over.
          </EmptyState>
        ) : (
          <Retained retention={retention} name={name} />
        )
      }
    </ComparisonPanel>
  );
}

function Retained({ retention, name }: { retention: Retention; name: string }) {
  const isDrawn = isComparable(retention);
  return (
    <DescribedChart
      label={`New students by number of sessions, ${name} beside all tutors`}
      sentence={retentionInWords(retention)}
      caution={retentionCaution(retention)}
      chart={{
        rows: retention.steps.map((step) => ({
          place: ordinal(step.session_number),
          tutor: isDrawn ? step.tutor_share : null,
          platform: step.platform_share,
        })),
        series: [
          ...(isDrawn ? [{ name: "tutor", label: name, color: TUTOR, type: "line" } as const] : []),
          { name: "platform", label: "All tutors", color: OTHERS, type: "line", isReference: true },
        ],
        write: whole,
        top: 1,
      }}
      figures={retention.steps}
      keyOf={({ session_number }) => session_number}
      columns={RETENTION_COLUMNS}
    />
  );
}

const RETENTION_COLUMNS: Column<RetentionStep>[] = [
  { header: "Session", isRowHeader: true, cell: ({ session_number }) => ordinal(session_number) },
  {
    header: "Tutor",
    align: "right",
    cell: ({ tutor }) => count(tutor),
    detail: (step) => whole(step.tutor_share),
  },
  {
    header: "All tutors",
    align: "right",
    cell: ({ platform }) => count(platform),
    detail: (step) => whole(step.platform_share),
  },
];

interface ComparisonPanelProps {
  tutorId: string;
  title: string;
  note: string;
  children: (comparison: Comparison) => ReactNode;
}

/** All panels share one request. */
function ComparisonPanel({ tutorId, title, note, children }: ComparisonPanelProps) {
  const comparison = useComparison(tutorId);
  return (
    <Panel title={title} note={note}>
      <QueryBoundary query={comparison} skeleton={<Skeleton height={260} />}>
        {({ data }) => children(data)}
      </QueryBoundary>
    </Panel>
  );
}
