import { Skeleton } from "@mantine/core";
import { lazy, Suspense } from "react";

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

// The chart library is larger than the rest of the page together, which need not wait for it.
const Drawing = lazy(() => import("./weekly-chart-drawing"));

export function WeeklyChart(props: WeeklyChartProps) {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? 300} />}>
      <Drawing {...props} />
    </Suspense>
  );
}
