import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { MailStateBadge } from "../../../components/mail-state-badge";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { RiskLevelBadge } from "../../../components/risk-level-badge";
import { counted, moment, percent } from "../../../lib/format";
import { studentName } from "../../../lib/person-name";
import { useBestStudents, useMail } from "../api/get-best-students";
import classes from "./best-students.module.css";

/** Mail that speaks of the tutor. */
export function Mail({ tutorId }: { tutorId: string }) {
  const mail = useMail(tutorId);
  return (
    <Panel
      title="Reports"
      note={mail.data?.meta.total ? `${counted(mail.data.meta.total, "mail")} about this tutor` : undefined}
      flush
    >
      <QueryBoundary query={mail} skeleton={<Skeleton height={120} m="md" w="auto" />}>
        {({ data }) =>
          data.length === 0 ? (
            <EmptyState icon="mail" title="No mail about this tutor" />
          ) : (
            <ul className={classes.list}>
              {data.map((report) => (
                <li key={report.report_id}>
                  <Link to="/reports" search={{ open: report.report_id }} className={classes.row}>
                    <span className={classes.name}>{report.subject}</span>
                    <MailStateBadge report={report} />
                    <span className={classes.about}>{moment(report.created_at)}</span>
                  </Link>
                </li>
              ))}
            </ul>
          )
        }
      </QueryBoundary>
    </Panel>
  );
}

/** Students whom the tutor would suit. */
export function BestStudents({ tutorId }: { tutorId: string }) {
  const matches = useBestStudents(tutorId);
  return (
    <Panel title="Matches" note="Students whom this tutor would suit best" flush>
      <QueryBoundary query={matches} skeleton={<Skeleton height={160} m="md" w="auto" />}>
        {({ data }) =>
          data.length === 0 ? (
            <EmptyState title="Nothing predicted">Predictions are for active tutors and students.</EmptyState>
          ) : (
            <ul className={classes.list}>
              {data.map((match) => (
                <li key={match.student_id}>
                  <Link
                    to="/matching"
                    search={{ student: match.student_id, tutor: tutorId }}
                    className={classes.row}
                  >
                    <span className={classes.name}>{studentName(match)}</span>
                    <RiskLevelBadge level={match.risk_level} />
                    <span className={classes.about}>
                      {percent(match.compatibility_score, { digits: 0, none: "unknown" })} fit ·{" "}
                      {match.subjects.join(", ")}
                    </span>
                  </Link>
                </li>
              ))}
            </ul>
          )
        }
      </QueryBoundary>
    </Panel>
  );
}
