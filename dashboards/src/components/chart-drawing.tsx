import "@mantine/charts/styles.css";
import { CompositeChart } from "@mantine/charts";

interface ChartSeries {
  name: string;
  label: string;
  /** A CSS colour. */
  color: string;
  type: "bar" | "line";
  /** Drawn dashed: what the others are to be seen against. */
  isReference?: boolean;
}

export interface ChartProps {
  /** What the chart shows, for those who do not see it. */
  label: string;
  /** One row per place on the axis; null where there is nothing to draw. */
  rows: readonly ({ place: string } & Record<string, string | number | null>)[];
  series: readonly ChartSeries[];
  write: (value: number) => string;
  /** A line where a place begins, or in its middle. */
  mark?: { place: string; label: string; at: "start" | "middle" };
  /** Bars of one place on top of each other. */
  isStacked?: boolean;
  /** The scale of values ends here at least. */
  top?: number;
  height?: number;
}

/** The default export, as `lazy` wants it. */
export default function ChartDrawing({
  label,
  rows,
  series,
  write,
  mark,
  isStacked = false,
  top,
  height = 220,
}: ChartProps) {
  return (
    <figure style={{ margin: 0 }} role="img" aria-label={label}>
      <CompositeChart
        h={height}
        data={[...rows]}
        dataKey="place"
        series={series.map(({ isReference, ...each }) => ({
          ...each,
          strokeDasharray: isReference ? "4 4" : undefined,
        }))}
        valueFormatter={write}
        curveType="linear"
        strokeWidth={2}
        dotProps={{ r: 3 }}
        connectNulls={false}
        maxBarWidth={36}
        withLegend={series.length > 1}
        legendProps={{ verticalAlign: "bottom", height: 32 }}
        gridAxis="x"
        tickLine="none"
        gridColor="var(--line)"
        textColor="var(--mantine-color-dimmed)"
        xAxisProps={{ interval: "preserveStartEnd", minTickGap: 6 }}
        yAxisProps={{ width: 44, domain: [(least: number) => Math.min(0, least), top ?? "auto"] }}
        // Below zero, stacks grow downwards.
        composedChartProps={{
          accessibilityLayer: false,
          barGap: 1,
          barCategoryGap: "18%",
          stackOffset: "sign",
          // The label of the mark stands above the bars.
          margin: mark && { top: 18, right: 5, bottom: 5, left: 5 },
        }}
        barProps={{ isAnimationActive: false, stackId: isStacked ? "all" : undefined, fillOpacity: 1 }}
        lineProps={{ isAnimationActive: false }}
        referenceLines={
          mark && [
            {
              x: mark.place,
              label: mark.label,
              color: "var(--high-text)",
              labelPosition: "top",
              position: mark.at,
            },
          ]
        }
      />
    </figure>
  );
}
