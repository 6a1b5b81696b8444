import { Panel } from "../../../components/panel";
import type { WeeklyOutcomes } from "../../../lib/api-types";
import { count, counted, decimal } from "../../../lib/format";
import { asRead } from "../../../lib/sentences";
import classes from "./figures.module.css";

/** What became of cases in the last months, and whether talks help, in the words of the page Outcomes. */
export function WeeklyOutcomesPanel({
  outcomes: { months, figures, answers },
}: {
  outcomes: WeeklyOutcomes;
}) {
  return (
    <Panel title="Outcomes" note={`Cases opened in ${counted(months, "month")}`} flush>
      <dl className={classes.figures}>
        <div>
          <dt>Opened</dt>
          <dd>{count(figures.opened)}</dd>
        </div>
        <div>
          <dt>Closed by now</dt>
          <dd>{count(figures.closed)}</dd>
        </div>
        <div>
          <dt>Median days to first contact</dt>
          <dd>{decimal(figures.median_days_to_contact)}</dd>
        </div>
        <div>
          <dt>Still raised after 30 days</dt>
          <dd>{of(figures.raised_after_30_days, figures.known_after_30_days)}</dd>
        </div>
        <div>
          <dt>Still raised after 90 days</dt>
          <dd>{of(figures.raised_after_90_days, figures.known_after_90_days)}</dd>
        </div>
      </dl>
      <h3 className={classes.heading}>Did it help?</h3>
      {answers.map((answer) => (
        <p key={answer} className={classes.words}>
          {asRead(answer)}
        </p>
      ))}
      <p className={classes.careful}>
        These figures do not prove that conversations help. A tutor flagged in a bad month often improves
        without one.
      </p>
    </Panel>
  );
}

const of = (some: number, all: number): string =>
  all === 0 ? "no case is old enough yet" : `${count(some)} of ${count(all)}`;
