import { Skeleton } from "@mantine/core";
import { CONCERN_NAMES } from "../../../lib/concerns";
import tiles from "./concern-tiles.module.css";
import classes from "./overview-page.module.css";

export function OverviewSkeleton() {
  return (
    <div style={{ display: "grid", gap: 16 }}>
      <div className={tiles.tiles}>
        {["attention", ...CONCERN_NAMES].map((key) => (
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
