import { Drawer, Skeleton } from "@mantine/core";
import { EmptyState } from "../../../components/empty-state";
import { MailStateBadge } from "../../../components/mail-state-badge";
import { QueryBoundary } from "../../../components/query-boundary";
import type { ReportDetail } from "../../../lib/api-types";
import { counted, moment } from "../../../lib/format";
import { useReport } from "../api/get-reports";
import { KINDS } from "../report-search";
import classes from "./report-drawer.module.css";

/** One mail as it was sent. */
export function ReportDrawer({ reportId, onClose }: { reportId: string | undefined; onClose: () => void }) {
  return (
    <Drawer
      opened={reportId !== undefined}
      onClose={onClose}
      position="right"
      size="lg"
      title="Mail"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {reportId && <Mail reportId={reportId} />}
    </Drawer>
  );
}

function Mail({ reportId }: { reportId: string }) {
  const report = useReport(reportId);
  return (
    <QueryBoundary query={report} skeleton={<Skeleton height={480} />}>
      {({ data }) => (
        <div className={classes.mail}>
          <h2 className={classes.subject}>{data.subject}</h2>
          <dl className={classes.facts}>
            <dt>State</dt>
            <dd>
              <MailStateBadge report={data} /> {data.error}
            </dd>
            <dt>Kind</dt>
            <dd>{KINDS[data.kind] ?? data.kind}</dd>
            <dt>To</dt>
            <dd>{data.recipient}</dd>
            <dt>Queued</dt>
            <dd>{moment(data.created_at)}</dd>
            <dt>Settled</dt>
            <dd>
              {moment(data.settled_at, "not yet")}
              {data.attempts > 1 && ` after ${counted(data.attempts, "attempt")}`}
            </dd>
            <dt>Delivered</dt>
            <dd>{moment(data.delivered_at, "not reported by the provider")}</dd>
          </dl>
          <Body report={data} />
        </div>
      )}
    </QueryBoundary>
  );
}

function Body({ report }: { report: ReportDetail }) {
  if (!report.has_body) {
    return (
      <EmptyState icon="mail" title="No text yet">
        tutorq writes the text when it first hands the mail to a provider.
      </EmptyState>
    );
  }
  if (report.body_text === null && report.body_html === null) {
    return (
      <EmptyState icon="lock" title="Hidden from the role read">
        The mail repeats what the tutor wrote: coaches, leads and admins can read it.
      </EmptyState>
    );
  }
  if (report.body_html === null) return <pre className={classes.text}>{report.body_text}</pre>;
  // No scripts and nothing from elsewhere: a mail may do no more here than in a mail program.
  return (
    <iframe
      className={classes.frame}
      title="The mail as it was sent"
      src={`/api/reports/${report.report_id}/html`}
      sandbox="allow-popups"
    />
  );
}
