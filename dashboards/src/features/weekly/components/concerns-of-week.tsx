import { Link } from "@tanstack/react-router";
import { Panel } from "../../../components/panel";
import { ROW, RowContent, RowList } from "../../../components/row-list";
import type { ConcernChange, WeeklyConcerns } from "../../../lib/api-types";
import { concernLabel } from "../../../lib/concerns";
import { count, day, probability } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import classes from "./figures.module.css";
import { More } from "./more";

/** Concerns that were raised and cleared in the week. */
export function ConcernsOfWeek({ concerns }: { concerns: WeeklyConcerns }) {
  return (
    <>
      <Changes
        title="Newly raised"
        note="With the chance beyond the limit that day"
        none="No concern was raised"
        total={concerns.new}
        changes={concerns.changes.filter(({ is_new }) => is_new)}
      />
      <Changes
        title="Cleared"
        none="No concern was cleared"
        total={concerns.cleared}
        changes={concerns.changes.filter(({ is_new }) => !is_new)}
      />
    </>
  );
}

interface ChangesProps {
  title: string;
  note?: string;
  none: string;
  total: number;
  changes: ConcernChange[];
}

function Changes({ title, note, none, total, changes }: ChangesProps) {
  return (
    <Panel title={`${title}: ${count(total)}`} note={changes.length > 0 && note} flush>
      {changes.length === 0 ? (
        <p className={classes.words}>{none}</p>
      ) : (
        <RowList>
          {changes.map((change) => (
            <li key={`${change.tutor.tutor_id} ${change.concern} ${change.happened_on}`}>
              <Link to="/tutors/$tutorId" params={{ tutorId: change.tutor.tutor_id }} className={ROW}>
                <RowContent
                  title={tutorName(change.tutor)}
                  badge={concernLabel(change.concern)}
                  detail={
                    change.is_new
                      ? `Since ${day(change.happened_on)}`
                      : `On ${day(change.happened_on)}, raised since ${day(change.raised_on)}`
                  }
                  aside={change.is_new && `${probability(change.probability)} chance`}
                />
              </Link>
            </li>
          ))}
        </RowList>
      )}
      <More total={total} shown={changes.length} />
    </Panel>
  );
}
