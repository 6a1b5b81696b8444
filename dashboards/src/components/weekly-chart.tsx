import { Skeleton } from "@mantine/core";
import { lazy, Suspense } from "react";
import type { WeeklyChartProps } from "./weekly-chart-drawing";

// The chart library is larger than the rest of the page together, which need not wait for it.
const Drawing = lazy(() => import("./weekly-chart-drawing"));

export function WeeklyChart(props: WeeklyChartProps) {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? 300} />}>
      <Drawing {...props} />
    </Suspense>
  );
}
