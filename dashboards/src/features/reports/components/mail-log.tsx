import { Button, Select } from "@mantine/core";
import { EmptyState } from "../../../components/empty-state";
import { ExportLink } from "../../../components/export-link";
import { MAIL_STATE, MailStateBadge } from "../../../components/mail-state-badge";
import { Pages } from "../../../components/pages";
import { Panel } from "../../../components/panel";
import { SearchField } from "../../../components/search-field";
import { type Column, QueryTable, ROW_LINK } from "../../../components/table";
import type { Report } from "../../../lib/api-types";
import { useIsAdmin } from "../../../lib/auth";
import { counted, moment } from "../../../lib/format";
import { filtersOf, PAGE_SIZE, useReports } from "../api/get-reports";
import { KINDS, type Kind, type ReportSearch, STATES, type State } from "../report-search";
import classes from "./mail-log.module.css";

interface MailLogProps {
  search: ReportSearch;
  change: (changes: Partial<ReportSearch>) => void;
}

const NO_FILTER = { kind: undefined, state: undefined, to: undefined, page: undefined };

/** The audit trail of mail: what went to whom, what became of it, and how it looked. */
export function MailLog({ search, change }: MailLogProps) {
  // The API shows whole addresses to admins only, and looks for them for nobody else.
  const isAdmin = useIsAdmin();
  const wanted = isAdmin ? search : { ...search, to: undefined };
  const reports = useReports(wanted);
  const total = reports.data?.meta.total;
  const isFiltered = [wanted.kind, wanted.state, wanted.to].some((filter) => filter !== undefined);
  return (
    <Panel
      title="Log"
      note={total !== undefined && counted(total, "message")}
      actions={<ExportLink path="/api/reports" query={filtersOf(wanted)} disabled={!total} />}
      anchor="log"
      flush
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
          data={STATES.map((value) => ({
            value,
            label: value === "sent" ? "Sent or written to file" : MAIL_STATE[value].label,
          }))}
          value={search.state ?? null}
          onChange={(state) => change({ state: (state as State) ?? undefined, page: undefined })}
        />
        {isAdmin && (
          <SearchField
            label="Recipient"
            placeholder="Any recipient"
            value={search.to}
            onChange={(to) => change({ to, page: undefined })}
          />
        )}
      </search>
      <QueryTable
        label="Mail"
        query={reports}
        rowsOf={({ data }) => data}
        columns={columns((report) => change({ open: report.report_id }))}
        keyOf={(report) => report.report_id}
        skeletonRows={10}
        empty={({ data }) =>
          data.length === 0 && <NoMail isFiltered={isFiltered} onClear={() => change(NO_FILTER)} />
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
  );
}

const columns = (onOpen: (report: Report) => void): Column<Report>[] => [
  {
    header: "Subject",
    phone: { row: 1, side: "both" },
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
    phone: { row: 2, side: "both" },
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
    phone: { row: 4, side: "both" },
    cell: (report) => <MailStateBadge report={report} />,
    detail: (report) => report.error,
  },
];

function NoMail({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  if (isFiltered) {
    return (
      <EmptyState
        icon="search"
        title="No messages match these filters"
        action={
          <Button size="xs" variant="default" onClick={onClear}>
            Clear filters
          </Button>
        }
      />
    );
  }
  return (
    <EmptyState icon="mail" title="Nothing has been sent yet">
      Queued and sent messages appear here. Preview each kind above.
    </EmptyState>
  );
}
