import { Panel } from "../../../components/panel";
import type { TutorDetail } from "../../../lib/api-types";
import { count, percent, points } from "../../../lib/format";
import classes from "./rate-table.module.css";

const WINDOWS = [7, 30, 90] as const;

/** The counts of three windows; a rate of nothing is no rate. */
export function RateTable({ tutor, threshold }: { tutor: TutorDetail; threshold: number }) {
  return (
    <Panel
      title="Counted"
      note={`30 days against the 30 before: ${points(tutor.trend_30d, "no comparison")}`}
      flush
    >
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col">Last</th>
            <th scope="col">Sessions</th>
            <th scope="col">Moved by tutor</th>
            <th scope="col">Rate</th>
            <th scope="col">Under 24 h</th>
            <th scope="col">No-shows</th>
          </tr>
        </thead>
        <tbody>
          {WINDOWS.map((days) => {
            const rate = tutor[`reschedule_rate_${days}d`];
            return (
              <tr key={days}>
                <th scope="row">{days} days</th>
                <td>{count(tutor[`sessions_${days}d`])}</td>
                <td>{count(tutor[`tutor_reschedules_${days}d`])}</td>
                <td data-above={rate !== null && rate > threshold}>{percent(rate)}</td>
                <td>{count(tutor[`short_notice_reschedules_${days}d`])}</td>
                <td>{count(tutor[`tutor_no_shows_${days}d`])}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p className={classes.note}>
        {count(tutor.tutor_reschedules_90d)} reschedules in 90 days are {count(tutor.episodes_90d)} when those
        of one day and reason are counted once. Those by students, and excused ones, are left out.
      </p>
    </Panel>
  );
}
