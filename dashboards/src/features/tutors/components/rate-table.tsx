import { Panel } from "../../../components/panel";
import { type Column, Table } from "../../../components/table";
import type { TutorDetail } from "../../../lib/api-types";
import { capitalised, count, percent, points } from "../../../lib/format";
import { letDownsInWords } from "../../../lib/let-downs";
import { METRICS, WINDOWS } from "../../../lib/metrics";
import classes from "./rate-table.module.css";

type Metric = (typeof METRICS)[number];

interface RateTableProps {
  tutor: TutorDetail;
  threshold: number;
  /** What makes a let-down. */
  counts: string[];
}

/** The counts of three windows; a rate of nothing is no rate. */
export function RateTable({ tutor, threshold, counts }: RateTableProps) {
  const letDowns = letDownsInWords(counts);
  return (
    <Panel
      title="Counted"
      note={`30 days against the 30 before: ${points(tutor.trend_30d, "no comparison")}`}
      flush
    >
      <Table
        label="Counts by window"
        columns={columns(tutor, threshold, capitalised(letDowns))}
        rows={METRICS}
        keyOf={({ name }) => name}
        isCompact
      />
      <p className={classes.note}>
        {count(tutor.let_downs_90d)} sessions {letDowns} in 90 days; {count(tutor.episodes_90d)} when sessions
        of one day and reason count once. Excused sessions count as sessions, not as let-downs.
        {tutor.case_mix_expected !== null && (
          <> Expected for the same slots: {percent(tutor.case_mix_expected)}.</>
        )}
      </p>
    </Panel>
  );
}

const columns = (tutor: TutorDetail, threshold: number, letDowns: string): Column<Metric>[] => [
  { header: "Last", isRowHeader: true, cell: ({ name, label }) => (name === "let_downs" ? letDowns : label) },
  ...WINDOWS.map(
    (days): Column<Metric> => ({
      header: `${days} days`,
      align: "right",
      cell: ({ name }) => count(tutor[`${name}_${days}d`]),
      detail: ({ rate: name }) => {
        if (name === null) return null;
        const rate = tutor[`${name}_${days}d`];
        // The limit is one for let-downs.
        const isTooHigh = name === "let_down_rate" && rate !== null && rate > threshold;
        return isTooHigh ? <strong>{percent(rate)}</strong> : percent(rate);
      },
    }),
  ),
];
