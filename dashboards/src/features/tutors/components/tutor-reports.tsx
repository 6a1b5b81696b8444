import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { MailStateBadge } from "../../../components/mail-state-badge";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { ROW, RowContent, RowList } from "../../../components/row-list";
import { counted, moment } from "../../../lib/format";
import { useTutorReports } from "../api/get-tutor-reports";

/** Mail that speaks of the tutor. */
export function TutorReports({ tutorId }: { tutorId: string }) {
  const reports = useTutorReports(tutorId);
  const total = reports.data?.meta.total;
  return (
    <Panel title="Messages" note={total ? `${counted(total, "mail")} about this tutor` : undefined} flush>
      <QueryBoundary query={reports} skeleton={<Skeleton height={120} m="md" w="auto" />}>
        {({ data }) =>
          data.length === 0 ? (
            <EmptyState icon="mail" title="No mail about this tutor" />
          ) : (
            <RowList>
              {data.map((report) => (
                <li key={report.report_id}>
                  <Link to="/messages" search={{ open: report.report_id }} className={ROW}>
                    <RowContent
                      title={report.subject}
                      badge={<MailStateBadge report={report} />}
                      detail={moment(report.created_at)}
                    />
                  </Link>
                </li>
              ))}
            </RowList>
          )
        }
      </QueryBoundary>
    </Panel>
  );
}
