import { Skeleton } from "@mantine/core";
import { lazy, Suspense } from "react";
import type { ChartProps } from "./chart-drawing";

// As in weekly-chart.tsx: the page need not wait for the chart library.
const Drawing = lazy(() => import("./chart-drawing"));

export function Chart(props: ChartProps) {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? 220} />}>
      <Drawing {...props} />
    </Suspense>
  );
}
