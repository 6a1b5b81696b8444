import { Skeleton } from "@mantine/core";
import classes from "./overview-page.module.css";
import tiles from "./status-tiles.module.css";

const FOUR = ["a", "b", "c", "d"];

export function OverviewSkeleton() {
  return (
    <div style={{ display: "grid", gap: 16 }}>
      <div className={tiles.tiles}>
        {FOUR.map((key) => (
          <Skeleton key={key} height={104} radius={10} />
        ))}
      </div>
      <div className={classes.columns}>
        <Skeleton height={440} radius={10} />
        <Skeleton height={440} radius={10} />
      </div>
    </div>
  );
}
