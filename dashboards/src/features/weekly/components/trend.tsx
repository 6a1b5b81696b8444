import { Bar } from "../../../components/bar";
import { type Column, Table } from "../../../components/table";
import type { WeekOfLetDowns } from "../../../lib/api-types";
import { count, percent, shortDay } from "../../../lib/format";
import { daysSoFar } from "../../../lib/week";
import classes from "./trend.module.css";

/** The platform's let-down rate by week; bars are relative to the highest. */
export function Trend({ trend, asOf }: { trend: WeekOfLetDowns[]; asOf: string }) {
  const highest = Math.max(...trend.map(({ let_down_rate }) => let_down_rate ?? 0));
  const columns: Column<WeekOfLetDowns>[] = [
    {
      header: "Week of",
      isRowHeader: true,
      overflow: "nowrap",
      width: "20%",
      cell: ({ week_start }) => shortDay(week_start),
      detail: ({ week_start }) => {
        const days = daysSoFar(week_start, asOf);
        return days < 7 && `${days} of 7 days`;
      },
    },
    {
      header: "Rate",
      width: "50%",
      cell: ({ week_start, let_down_rate }) => (
        <span className={classes.rate}>
          <Bar
            fraction={let_down_rate === null || highest === 0 ? 0 : let_down_rate / highest}
            isPartial={daysSoFar(week_start, asOf) < 7}
          />
          <strong>{percent(let_down_rate)}</strong>
        </span>
      ),
    },
    { header: "Let-downs", align: "right", cell: ({ let_downs }) => count(let_downs) },
    { header: "Sessions", align: "right", cell: ({ sessions }) => count(sessions) },
  ];
  return (
    <Table
      label="Let-downs by week"
      rows={trend}
      columns={columns}
      keyOf={(week) => week.week_start}
      isCompact
    />
  );
}
