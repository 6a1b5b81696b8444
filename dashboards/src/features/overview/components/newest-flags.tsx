import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { ROW, RowContent, RowList } from "../../../components/row-list";
import { StatusBadge } from "../../../components/status-badge";
import type { Flag } from "../../../lib/api-types";
import { counted, percent, probability, shortDay } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import classes from "./newest-flags.module.css";

/** Tutors on watch or at high risk, those first whose status is newest. */
export function NewestFlags({ flags }: { flags: Flag[] }) {
  return (
    <Panel title="Newest flags" note="How likely it is that the long-run rate is too high" flush>
      {flags.length === 0 ? (
        <EmptyState icon="check" title="Nobody is flagged">
          No active tutor is on watch or at high risk.
        </EmptyState>
      ) : (
        <RowList className={classes.flags}>
          {flags.map((flag) => (
            <li key={flag.tutor_id}>
              <Link to="/tutors/$tutorId" params={{ tutorId: flag.tutor_id }} className={ROW}>
                <RowContent
                  title={tutorName(flag)}
                  badge={<StatusBadge status={flag.risk_status} />}
                  detail={`${percent(flag.let_down_rate_90d, { digits: 0 })} of ${counted(flag.sessions_90d, "session")} · ${probability(flag.risk_probability)} likely`}
                  aside={
                    flag.risk_status_since === null ? undefined : `since ${shortDay(flag.risk_status_since)}`
                  }
                />
              </Link>
            </li>
          ))}
        </RowList>
      )}
    </Panel>
  );
}
