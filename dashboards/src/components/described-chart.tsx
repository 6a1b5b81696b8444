import type { ReactNode } from "react";
import { Chart } from "./chart";
import type { ChartProps } from "./chart-drawing";
import classes from "./described-chart.module.css";
import { type Column, Table } from "./table";

interface DescribedChartProps<Row> {
  /** What there is to be seen, in words. */
  sentence: string;
  /** Why not to make much of it. */
  caution?: ReactNode;
  chart: Omit<ChartProps, "label">;
  /** What the figures are, for the chart and the table. */
  label: string;
  figures: readonly Row[];
  columns: readonly Column<Row>[];
  keyOf: (row: Row) => string | number;
}

/** A chart with what it says in words above, and its figures as a table to unfold below. */
export function DescribedChart<Row>(props: DescribedChartProps<Row>) {
  const { sentence, caution, chart, label, figures, columns, keyOf } = props;
  return (
    <>
      <p className={classes.sentence}>{sentence}</p>
      {caution && <p className={classes.caution}>{caution}</p>}
      <Chart {...chart} label={`${label}. ${sentence}`} />
      <details className={classes.details}>
        <summary>Show the figures</summary>
        <Table label={label} rows={figures} columns={columns} keyOf={keyOf} isCompact />
      </details>
    </>
  );
}
