import { Button, Select, TextInput } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { ExportLink } from "../../../components/export-link";
import { Page } from "../../../components/page";
import { Pages } from "../../../components/pages";
import { Panel } from "../../../components/panel";
import { SearchField } from "../../../components/search-field";
import { type Column, QueryTable } from "../../../components/table";
import type { AuditEntry } from "../../../lib/api-types";
import { useIsAdmin } from "../../../lib/auth";
import { counted, moment } from "../../../lib/format";
import { filtersOf, PAGE_SIZE, useAuditEntries } from "../api/get-audit-entries";
import { ACTIONS, type Action, type AuditSearch } from "../audit-search";
import { detailsOf } from "../details";
import classes from "./audit-page.module.css";

/** Who did what by hand, and who was refused; for admins. */
export function AuditPage() {
  const isAdmin = useIsAdmin();
  const search = useSearch({ from: "/audit" });
  const navigate = useNavigate({ from: "/audit" });
  const entries = useAuditEntries(search, isAdmin);
  const change = (changes: Partial<AuditSearch>) =>
    navigate({ search: (before) => ({ ...before, page: undefined, ...changes }), resetScroll: false });
  if (!isAdmin) {
    return (
      <Page title="Audit log">
        <Panel>
          <EmptyState icon="lock" title="Needs the admin role">
            Ask an admin for access.
          </EmptyState>
        </Panel>
      </Page>
    );
  }
  const total = entries.data?.meta.total;
  return (
    <Page
      title="Audit log"
      note={total !== undefined && counted(total, "entry", "entries")}
      actions={<ExportLink path="/api/audit" query={filtersOf(search)} disabled={!total} />}
    >
      <search className={classes.filters}>
        <SearchField
          label="Who"
          placeholder="Who: part of a name or address"
          className={classes.actor}
          value={search.actor}
          onChange={(actor) => change({ actor })}
        />
        <Select
          aria-label="Action"
          placeholder="Any action"
          clearable
          searchable
          data={Object.entries(ACTIONS).map(([value, label]) => ({ value, label }))}
          value={search.action ?? null}
          onChange={(action) => change({ action: (action as Action) ?? undefined })}
          nothingFoundMessage="No matching action"
        />
        <TextInput
          type="date"
          label="From day"
          value={search.from ?? ""}
          max={search.to}
          onChange={(event) => change({ from: event.currentTarget.value || undefined })}
        />
        <TextInput
          type="date"
          label="To day"
          value={search.to ?? ""}
          min={search.from}
          onChange={(event) => change({ to: event.currentTarget.value || undefined })}
        />
      </search>
      <Panel flush>
        <QueryTable
          label="Audit log"
          query={entries}
          rowsOf={({ data }) => data}
          columns={COLUMNS}
          keyOf={(entry) => entry.entry_id}
          skeletonRows={10}
          empty={({ data }) =>
            data.length === 0 && (
              <EmptyState
                icon="search"
                title="No entries match these filters"
                action={
                  <Button size="xs" variant="default" onClick={() => navigate({ search: {} })}>
                    Clear filters
                  </Button>
                }
              />
            )
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
    </Page>
  );
}

const COLUMNS: Column<AuditEntry>[] = [
  {
    header: "When",
    overflow: "nowrap",
    phone: { row: 2, side: "both" },
    cell: (entry) => moment(entry.happened_at),
  },
  {
    header: "Who",
    overflow: "anywhere",
    phone: { row: 3, side: "both" },
    cell: (entry) =>
      entry.address && !entry.actor.includes(entry.address)
        ? `${entry.actor}, ${entry.address}`
        : entry.actor,
  },
  {
    header: "What",
    isRowHeader: true,
    phone: { row: 1, side: "both" },
    cell: (entry) => ACTIONS[entry.action as Action] ?? entry.action,
  },
  {
    header: "On",
    overflow: "anywhere",
    phone: { row: 4, side: "both" },
    cell: (entry) => `${entry.subject_kind.replaceAll("_", " ")} ${entry.subject_id}`,
  },
  {
    header: "Details",
    overflow: "anywhere",
    phone: { row: 5, side: "both" },
    cell: (entry) => <span className={classes.quiet}>{detailsOf(entry.details)}</span>,
  },
];
