import { Link } from "@tanstack/react-router";
import { Icon } from "../../../components/icons";
import type { ConcernCount } from "../../../lib/api-types";
import { concernLabel } from "../../../lib/concerns";
import { count } from "../../../lib/format";
import classes from "./concern-tiles.module.css";

interface ConcernTilesProps {
  /** Active tutors about whom anything is of concern, and all of them. */
  attention: number;
  active: number;
  counts: ConcernCount[];
}

/** How many active tutors there are of each concern; each leads to these tutors. */
export function ConcernTiles({ attention, active, counts }: ConcernTilesProps) {
  return (
    <section className={classes.tiles} aria-label="Active tutors by concern">
      <Link
        to="/tutors"
        search={{ attention: "yes", active: "yes" }}
        className={classes.tile}
        data-raised={attention > 0}
      >
        <span className={classes.label}>
          <Icon name={attention > 0 ? "alert" : "check"} size={15} /> Needs attention
        </span>
        <span className={classes.count}>{count(attention)}</span>
        <span className={classes.change}>of {count(active)} active tutors</span>
      </Link>
      {counts.map(({ concern, tutors, raised_today }) => (
        <Link
          key={concern}
          to="/tutors"
          search={{ concern: [concern], active: "yes" }}
          className={classes.tile}
          data-raised={tutors > 0}
        >
          <span className={classes.label}>{concernLabel(concern)}</span>
          <span className={classes.count}>{count(tutors)}</span>
          <span className={classes.change}>
            {raised_today === 0 ? "none new today" : `${count(raised_today)} new today`}
          </span>
        </Link>
      ))}
    </section>
  );
}
