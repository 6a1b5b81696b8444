import "@mantine/charts/styles.css";
import { LineChart } from "@mantine/charts";

export interface WeeklyChartProps {
  /** What the chart shows, for those who do not see it. */
  label: string;
  /** One row per week, oldest first; null where there is no data, which leaves a gap. */
  weeks: readonly ({ week: string } & Record<string, string | number | null>)[];
  series: readonly { name: string; label: string; isReference?: boolean }[];
  write: (value: number | null) => string;
  /** A value that should not be exceeded. */
  threshold?: { value: number; label: string };
  height?: number;
}

/** The default export, as `lazy` wants it. */
export default function WeeklyChartDrawing({
  label,
  weeks,
  series,
  write,
  threshold,
  height = 300,
}: WeeklyChartProps) {
  const newest = weeks.findLast((week) => series.some(({ name }) => week[name] !== null));
  const said = series
    .map(({ name, label }) => `${label} ${write(newest?.[name] as number | null)}`)
    .join(", ");
  return (
    <figure style={{ margin: 0 }} role="img" aria-label={`${label}. Newest week: ${said}.`}>
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
      />
    </figure>
  );
}
