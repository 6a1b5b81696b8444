import { Link } from "@tanstack/react-router";
import { Icon } from "../../../components/icons";
import type { Overview } from "../../../lib/api-types";
import { concernLabel } from "../../../lib/concerns";
import { count } from "../../../lib/format";
import classes from "./concern-tiles.module.css";

interface ConcernTilesProps {
  overview: Pick<
    Overview,
    "active_tutors" | "attention" | "attention_began_today" | "attention_ended_today" | "concerns"
  >;
}

/** How many active tutors there are of each concern, and how many came and went; each leads to these tutors. */
export function ConcernTiles({ overview }: ConcernTilesProps) {
  const { attention, active_tutors, attention_began_today, attention_ended_today, concerns } = overview;
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
        <span className={classes.change}>
          of {count(active_tutors)} active tutors · {inAndOut(attention_began_today, attention_ended_today)}
        </span>
      </Link>
      {concerns.map(({ concern, tutors, raised_today, cleared_today }) => (
        <Link
          key={concern}
          to="/tutors"
          search={{ concern: [concern], active: "yes" }}
          className={classes.tile}
          data-raised={tutors > 0}
        >
          <span className={classes.label}>{concernLabel(concern)}</span>
          <span className={classes.count}>{count(tutors)}</span>
          <span className={classes.change}>{inAndOut(raised_today, cleared_today)}</span>
        </Link>
      ))}
    </section>
  );
}

/** Both, since as many in as out are not the same as nobody. */
const inAndOut = (began: number, ended: number) => `${count(began)} in, ${count(ended)} out today`;
