import "@mantine/charts/styles.css";
import { LineChart } from "@mantine/charts";
import { useId } from "react";
import { ReferenceArea } from "recharts";
import { soFar } from "../lib/week";
import classes from "./weekly-chart.module.css";

export interface WeeklyChartProps {
  /** What the chart shows, for those who do not see it. */
  label: string;
  /** One row per week, oldest first; null where there is no data, which leaves a gap. */
  weeks: readonly ({ week: string } & Record<string, string | number | null>)[];
  series: readonly { name: string; label: string; isReference?: boolean }[];
  write: (value: number | null) => string;
  /** A value that should not be exceeded. */
  threshold?: { value: number; label: string };
  /** Days that there are of the newest week; below 7 it is hatched, and said in words. */
  newestDays?: number;
  height?: number;
}

/** The default export, as `lazy` wants it. */
export default function WeeklyChartDrawing({
  label,
  weeks,
  series,
  write,
  threshold,
  newestDays = 7,
  height = 300,
}: WeeklyChartProps) {
  const hatch = useId();
  const partial = soFar(newestDays);
  const newest = weeks.findLast((week) => series.some(({ name }) => week[name] !== null));
  const said = series
    .map(({ name, label }) => `${label} ${write(newest?.[name] as number | null)}`)
    .join(", ");
  const [before, last] = weeks.slice(-2);
  const isLast = newest === weeks.at(-1);
  return (
    <figure
      className={classes.figure}
      role="img"
      aria-label={`${label}. Newest week${partial && isLast ? ` (${partial})` : ""}: ${said}.`}
    >
      <LineChart
        h={height}
        data={[...weeks]}
        dataKey="week"
        series={series.map(({ name, label, isReference }) => ({
          name,
          label,
          color: isReference ? "var(--none-mark)" : "var(--accent-mark)",
          strokeDasharray: isReference ? "4 4" : undefined,
        }))}
        valueFormatter={write}
        curveType="linear"
        strokeWidth={2}
        withDots={false}
        connectNulls={false}
        withLegend={series.length > 1}
        legendProps={{ verticalAlign: "bottom", height: 36 }}
        gridAxis="x"
        tickLine="none"
        gridColor="var(--line)"
        textColor="var(--mantine-color-dimmed)"
        xAxisProps={{ interval: "preserveStartEnd", minTickGap: 48 }}
        yAxisProps={{ width: 52, domain: [0, "auto"] }}
        lineChartProps={{ accessibilityLayer: false }}
        lineProps={{ isAnimationActive: false }}
        referenceLines={
          threshold && [{ y: threshold.value, label: threshold.label, color: "var(--high-text)" }]
        }
      >
        <defs>
          <pattern
            id={hatch}
            width={6}
            height={6}
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)"
          >
            <line x1={0} x2={0} y1={0} y2={6} className={classes.hatch} />
          </pattern>
        </defs>
        {partial && before && last && (
          <ReferenceArea x1={before.week} x2={last.week} fill={`url(#${hatch})`} fillOpacity={1} />
        )}
      </LineChart>
      {partial && (
        <figcaption className={classes.caption}>
          <span aria-hidden className={classes.key} />
          Hatched: {partial}
        </figcaption>
      )}
    </figure>
  );
}
