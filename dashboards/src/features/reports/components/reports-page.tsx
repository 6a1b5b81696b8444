import { Button, Select } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { ExportLink } from "../../../components/export-link";
import { MAIL_STATE, MailStateBadge } from "../../../components/mail-state-badge";
import { Page } from "../../../components/page";
import { Pages } from "../../../components/pages";
import { Panel } from "../../../components/panel";
import { type Column, QueryTable, ROW_LINK } from "../../../components/table";
import type { Report } from "../../../lib/api-types";
import { counted, moment } from "../../../lib/format";
import { filtersOf, PAGE_SIZE, useReports } from "../api/get-reports";
import { KINDS, type Kind, type ReportSearch, STATES, type State } from "../report-search";
import { ReportDrawer } from "./report-drawer";
import classes from "./reports-page.module.css";

/** The audit trail of mail: what went to whom, what became of it, and how it looked. */
export function ReportsPage() {
  const search = useSearch({ from: "/reports" });
  const navigate = useNavigate({ from: "/reports" });
  const reports = useReports(search);
  const change = (changes: Partial<ReportSearch>) =>
    navigate({ search: (before) => ({ ...before, ...changes }), resetScroll: false });
  const total = reports.data?.meta.total;
  const isFiltered = search.kind !== undefined || search.state !== undefined;
  return (
    <Page
      title="Reports"
      note={total !== undefined && counted(total, "mail")}
      actions={<ExportLink path="/api/reports" query={filtersOf(search)} disabled={!total} />}
    >
      <search className={classes.filters}>
        <Select
          aria-label="Kind"
          placeholder="Any kind"
          clearable
          data={Object.entries(KINDS).map(([value, label]) => ({ value, label }))}
          value={search.kind ?? null}
          onChange={(kind) => change({ kind: (kind as Kind) ?? undefined, page: undefined })}
        />
        <Select
          aria-label="State"
          placeholder="Any state"
          clearable
          data={STATES.map((value) => ({ value, label: MAIL_STATE[value].label }))}
          value={search.state ?? null}
          onChange={(state) => change({ state: (state as State) ?? undefined, page: undefined })}
        />
      </search>
      <Panel flush>
        <QueryTable
          label="Mail"
          query={reports}
          rowsOf={({ data }) => data}
          columns={columns((report) => change({ open: report.report_id }))}
          keyOf={(report) => report.report_id}
          skeletonRows={10}
          empty={({ data }) =>
            data.length === 0 && <NoMail isFiltered={isFiltered} onClear={() => navigate({ search: {} })} />
          }
          footer={({ meta }) => (
            <Pages
              total={meta.total}
              pageSize={PAGE_SIZE}
              page={search.page ?? 1}
              onChange={(page) => change({ page: page === 1 ? undefined : page })}
            />
          )}
        />
      </Panel>
      <ReportDrawer reportId={search.open} onClose={() => change({ open: undefined })} />
    </Page>
  );
}

const columns = (onOpen: (report: Report) => void): Column<Report>[] => [
  {
    header: "Subject",
    phone: { row: 1, side: "start" },
    cell: (report) => (
      <button type="button" onClick={() => onOpen(report)} {...ROW_LINK}>
        {report.subject}
      </button>
    ),
    detail: (report) => KINDS[report.kind] ?? report.kind,
  },
  {
    header: "To",
    overflow: "anywhere",
    phone: { row: 2, side: "start" },
    cell: (report) => report.recipient,
  },
  {
    header: "Queued",
    overflow: "nowrap",
    phone: { row: 3, side: "both" },
    cell: (report) => moment(report.created_at),
  },
  {
    header: "State",
    phone: { row: 1, side: "end" },
    cell: (report) => <MailStateBadge report={report} />,
    detail: (report) => report.error,
  },
];

function NoMail({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  if (isFiltered) {
    return (
      <EmptyState
        icon="search"
        title="No such mail"
        action={
          <Button size="xs" variant="default" onClick={onClear}>
            Clear the filters
          </Button>
        }
      />
    );
  }
  return (
    <EmptyState icon="mail" title="No mail yet">
      Alerts, digests and snapshots are listed here as soon as they are queued. Whoever runs tutorq sets to
      whom they go.
    </EmptyState>
  );
}
