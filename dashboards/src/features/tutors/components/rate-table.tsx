import { Panel } from "../../../components/panel";
import { type Column, Table } from "../../../components/table";
import type { TutorDetail } from "../../../lib/api-types";
import { count, percent, points } from "../../../lib/format";
import classes from "./rate-table.module.css";

const WINDOWS = [7, 30, 90] as const;
type Days = (typeof WINDOWS)[number];

/** The counts of three windows; a rate of nothing is no rate. */
export function RateTable({ tutor, threshold }: { tutor: TutorDetail; threshold: number }) {
  return (
    <Panel
      title="Counted"
      note={`30 days against the 30 before: ${points(tutor.trend_30d, "no comparison")}`}
      flush
    >
      <Table
        label="Counts by window"
        columns={columns(tutor, threshold)}
        rows={WINDOWS}
        keyOf={(days) => days}
        isCompact
      />
      <p className={classes.note}>
        {count(tutor.tutor_reschedules_90d)} reschedules in 90 days are {count(tutor.episodes_90d)} when those
        of one day and reason are counted once. Those by students, and excused ones, are left out.
      </p>
    </Panel>
  );
}

const columns = (tutor: TutorDetail, threshold: number): Column<Days>[] => [
  { header: "Last", isRowHeader: true, overflow: "nowrap", cell: (days) => `${days} days` },
  { header: "Sessions", align: "right", cell: (days) => count(tutor[`sessions_${days}d`]) },
  { header: "Moved by tutor", align: "right", cell: (days) => count(tutor[`tutor_reschedules_${days}d`]) },
  {
    header: "Rate",
    align: "right",
    cell: (days) => {
      const rate = tutor[`reschedule_rate_${days}d`];
      return rate !== null && rate > threshold ? <strong>{percent(rate)}</strong> : percent(rate);
    },
  },
  {
    header: "Under 24 h",
    align: "right",
    cell: (days) => count(tutor[`short_notice_reschedules_${days}d`]),
  },
  { header: "No-shows", align: "right", cell: (days) => count(tutor[`tutor_no_shows_${days}d`]) },
];
