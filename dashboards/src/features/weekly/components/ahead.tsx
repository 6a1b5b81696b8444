import { Link } from "@tanstack/react-router";
import { Panel } from "../../../components/panel";
import { ROW, RowContent, RowList } from "../../../components/row-list";
import type { FollowUps, WeekAhead } from "../../../lib/api-types";
import { about, count, counted, percent, shortMoment } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import { daysAfter } from "../../../lib/week";
import { CaseList } from "./cases-of-week";
import classes from "./figures.module.css";
import { More } from "./more";

interface AheadProps {
  /** Last day of the week that is reported. */
  endsOn: string;
  upcoming: WeekAhead;
  followUps: FollowUps;
  /** The week after is over, too. */
  isOver: boolean;
}

/** The week after: planned sessions at risk, and follow-ups due. */
export function Ahead({ endsOn, upcoming, followUps, isOver }: AheadProps) {
  if (isOver) return null;
  return (
    <>
      <Panel
        title="The week ahead"
        note={`Planned sessions of high let-down risk, ${daysAfter(endsOn)}`}
        flush
      >
        <p className={classes.words}>{riskOf(upcoming)}</p>
        <RowList>
          {upcoming.riskiest.map((each) => (
            <li key={each.tutor.tutor_id}>
              <Link to="/tutors/$tutorId" params={{ tutorId: each.tutor.tutor_id }} className={ROW}>
                <RowContent
                  title={tutorName(each.tutor)}
                  badge={`${percent(each.let_down_probability, { digits: 0 })} each`}
                  detail={`${counted(each.sessions, "session")} with ${counted(each.students, "student")}`}
                  aside={`first ${shortMoment(each.first_at)}`}
                />
              </Link>
            </li>
          ))}
        </RowList>
        <More total={upcoming.tutors} shown={upcoming.riskiest.length} />
      </Panel>
      <Panel title="Follow-ups due" note={daysAfter(endsOn)} flush>
        {followUps.total === 0 ? (
          <p className={classes.words}>No follow-up is due.</p>
        ) : (
          <CaseList title="Due" cases={followUps.coming} total={followUps.total} since="Due on" />
        )}
      </Panel>
    </>
  );
}

function riskOf({ sessions, at_risk, students, expected_let_downs }: WeekAhead): string {
  if (sessions === 0) return "No planned session is left in that week.";
  if (at_risk === 0) return `None of ${counted(sessions, "planned session")} has a high risk.`;
  return `${count(at_risk)} of ${counted(sessions, "planned session")}, with ${counted(students, "student")}; ${about(expected_let_downs)} likely let down.`;
}
