import { Button, Pagination, Select } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { MailStateBadge } from "../../../components/mail-state-badge";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import table from "../../../components/table.module.css";
import { TableSkeleton } from "../../../components/table-skeleton";
import type { Report } from "../../../lib/api-types";
import { count, counted, moment } from "../../../lib/format";
import { PAGE_SIZE, useReports } from "../api/get-reports";
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
    <Page title="Reports" note={total !== undefined && counted(total, "mail")}>
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
          data={Object.entries(STATES).map(([value, label]) => ({ value, label }))}
          value={search.state ?? null}
          onChange={(state) => change({ state: (state as State) ?? undefined, page: undefined })}
        />
      </search>
      <Panel flush>
        <QueryBoundary query={reports} skeleton={<TableSkeleton rows={10} height={36} />}>
          {({ data, meta }) =>
            data.length === 0 ? (
              <NoMail isFiltered={isFiltered} onClear={() => navigate({ search: {} })} />
            ) : (
              <>
                <table className={`${table.folding} ${classes.table}`}>
                  <thead>
                    <tr>
                      <th scope="col">Subject</th>
                      <th scope="col">To</th>
                      <th scope="col">Queued</th>
                      <th scope="col">State</th>
                    </tr>
                  </thead>
                  <tbody>
                    {data.map((report) => (
                      <Row
                        key={report.report_id}
                        report={report}
                        onOpen={() => change({ open: report.report_id })}
                      />
                    ))}
                  </tbody>
                </table>
                {meta.total > PAGE_SIZE && (
                  <footer className={table.pages}>
                    <span>{count(meta.total)} in all</span>
                    <Pagination
                      size="sm"
                      total={Math.ceil(meta.total / PAGE_SIZE)}
                      value={search.page ?? 1}
                      onChange={(page) => change({ page: page === 1 ? undefined : page })}
                      getControlProps={(control) => ({ "aria-label": `${control} page` })}
                      getItemProps={(number) => ({ "aria-label": `Page ${number}` })}
                    />
                  </footer>
                )}
              </>
            )
          }
        </QueryBoundary>
      </Panel>
      <ReportDrawer reportId={search.open} onClose={() => change({ open: undefined })} />
    </Page>
  );
}

function Row({ report, onOpen }: { report: Report; onOpen: () => void }) {
  return (
    <tr className={classes.row}>
      <td>
        <button type="button" className={classes.subject} onClick={onOpen}>
          {report.subject}
        </button>
        <span className={table.about}>{KINDS[report.kind] ?? report.kind}</span>
      </td>
      <td className={classes.recipient}>{report.recipient}</td>
      <td className={classes.when}>{moment(report.created_at)}</td>
      <td className={classes.state}>
        <MailStateBadge report={report} />
        {report.error && <span className={table.about}>{report.error}</span>}
      </td>
    </tr>
  );
}

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
      Alerts, digests and snapshots are listed here as soon as they are queued. To whom they go is a matter of
      settings (TUTORQ_MAIL_…).
    </EmptyState>
  );
}
