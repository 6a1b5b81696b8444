import { Skeleton } from "@mantine/core";
import classes from "./table.module.css";

/** Rows that are still to come. */
export function TableSkeleton({ rows, height }: { rows: number; height: number }) {
  return (
    <div className={classes.skeleton}>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <Skeleton key={row} height={height} />
      ))}
    </div>
  );
}
