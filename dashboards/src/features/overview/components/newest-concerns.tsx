import { Link } from "@tanstack/react-router";
import { ConcernBadges } from "../../../components/concern-badges";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { ROW, RowContent, RowList } from "../../../components/row-list";
import type { RaisedConcern } from "../../../lib/api-types";
import { chanceOf, countedFor } from "../../../lib/concerns";
import { shortDay } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import classes from "./newest-concerns.module.css";

/** Raised concerns, those first that were raised last. */
export function NewestConcerns({ concerns }: { concerns: RaisedConcern[] }) {
  return (
    <Panel title="Newest concerns" note="Counts, and chance beyond the limit" flush>
      {concerns.length === 0 ? (
        <EmptyState icon="check" title="No concern is raised">
          No active tutor has a raised concern.
        </EmptyState>
      ) : (
        <RowList className={classes.concerns}>
          {concerns.map((concern) => (
            <li key={`${concern.tutor_id} ${concern.concern}`}>
              <Link to="/tutors/$tutorId" params={{ tutorId: concern.tutor_id }} className={ROW}>
                <RowContent
                  title={tutorName(concern)}
                  badge={<ConcernBadges concerns={[concern.concern]} />}
                  detail={`${countedFor(concern)} · ${chanceOf(concern)}`}
                  aside={concern.raised_on === null ? undefined : `since ${shortDay(concern.raised_on)}`}
                />
              </Link>
            </li>
          ))}
        </RowList>
      )}
    </Panel>
  );
}
