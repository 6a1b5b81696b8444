import { Link } from "@tanstack/react-router";
import { Icon } from "../../../components/icons";
import { STATUS } from "../../../components/status-badge";
import type { StatusCount } from "../../../lib/api-types";
import { change, count } from "../../../lib/format";
import classes from "./status-tiles.module.css";

interface StatusTilesProps {
  counts: StatusCount[];
  comparedWith: string | null;
}

/** How many active tutors have which status, and how that changed; each leads to these tutors. */
export function StatusTiles({ counts, comparedWith }: StatusTilesProps) {
  return (
    <section className={classes.tiles} aria-label="Active tutors by status">
      {counts.map(({ risk_status, tutors, change: since }) => {
        const { label, icon, tone } = STATUS[risk_status];
        return (
          <Link
            key={risk_status}
            to="/tutors"
            search={{ risk: [risk_status], active: "yes" }}
            className={classes.tile}
            data-tone={tone}
          >
            <span className={classes.label}>
              <span className={classes.icon}>
                <Icon name={icon} size={15} />
              </span>
              {label}
            </span>
            <span className={classes.count}>{count(tutors)}</span>
            <span className={classes.change}>
              {comparedWith ? `${change(since)} since the day before` : "no comparison yet"}
            </span>
          </Link>
        );
      })}
    </section>
  );
}
