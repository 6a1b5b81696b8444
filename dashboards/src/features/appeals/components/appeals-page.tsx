import { Button, SegmentedControl } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { ExportLink } from "../../../components/export-link";
import { Page } from "../../../components/page";
import { Pages } from "../../../components/pages";
import { Panel } from "../../../components/panel";
import { SearchField } from "../../../components/search-field";
import { type Column, QueryTable, ROW_LINK } from "../../../components/table";
import { Tag } from "../../../components/tag";
import type { Appeal, AppealState } from "../../../lib/api-types";
import { count, counted, day, dayOf } from "../../../lib/format";
import { tutorName, withoutNumber } from "../../../lib/person-name";
import { filtersOf, PAGE_SIZE, useAppeals } from "../api/appeals";
import type { AppealSearch } from "../appeal-search";
import { REASONS, STATES, standing, subjectOf } from "../appeal-words";
import classes from "./appeals-page.module.css";

/** What tutors object to: open appeals by their last day, and what became of the others. */
export function AppealsPage() {
  const search = useSearch({ from: "/appeals" });
  const navigate = useNavigate({ from: "/appeals" });
  const appeals = useAppeals(search);
  const change = (changes: Partial<AppealSearch>) =>
    navigate({ search: (before) => ({ ...before, page: undefined, ...changes }), resetScroll: false });
  const meta = appeals.data?.meta;
  return (
    <Page
      title="Appeals"
      note={
        meta &&
        `${counted(meta.open, "open appeal")}${meta.overdue ? `, ${count(meta.overdue)} overdue` : ""}`
      }
      actions={<ExportLink path="/api/appeals" query={filtersOf(search)} disabled={!meta?.total} />}
    >
      <search className={classes.filters}>
        <SegmentedControl
          aria-label="State"
          size="xs"
          value={search.state ?? "open"}
          data={Object.entries(STATES).map(([value, { label }]) => ({ value, label }))}
          onChange={(state) =>
            change({ state: state === "open" ? undefined : (state as Exclude<AppealState, "open">) })
          }
        />
        <SearchField
          label="Tutor"
          placeholder="Tutor’s name or id"
          value={search.search}
          onChange={(text) => change({ search: text })}
        />
      </search>
      <Panel flush>
        <QueryTable
          label="Appeals"
          query={appeals}
          rowsOf={({ data }) => data}
          columns={COLUMNS}
          keyOf={(appeal) => String(appeal.appeal_id)}
          skeletonRows={6}
          empty={({ data }) =>
            data.length === 0 && <NoAppeals search={search} onClear={() => navigate({ search: {} })} />
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

const COLUMNS: Column<Appeal>[] = [
  {
    header: "Tutor",
    isRowHeader: true,
    phone: { row: 1, side: "start" },
    cell: (appeal) => (
      <Link to="/appeals/$appealId" params={{ appealId: String(appeal.appeal_id) }} {...ROW_LINK}>
        {tutorName(appeal.tutor)}
      </Link>
    ),
    detail: (appeal) => `Appeal ${appeal.appeal_id}`,
  },
  {
    header: "About",
    phone: { row: 2, side: "start" },
    cell: subjectOf,
    detail: (appeal) => REASONS[appeal.reason],
  },
  {
    header: "Sent",
    overflow: "nowrap",
    phone: { row: 3, side: "start", isLabelled: true },
    cell: (appeal) => dayOf(appeal.created_at),
    detail: (appeal) =>
      appeal.created_by === "tutor" ? "by the tutor" : `by ${withoutNumber(appeal.created_by)}`,
  },
  {
    header: "Answer by",
    overflow: "nowrap",
    phone: { row: 3, side: "end", isLabelled: true },
    cell: (appeal) => day(appeal.due_on),
  },
  {
    header: "State",
    phone: { row: 1, side: "end" },
    cell: (appeal) => <Tag {...standing(appeal)} />,
    detail: (appeal) => appeal.decided_by && `by ${appeal.decided_by}`,
  },
];

function NoAppeals({ search, onClear }: { search: AppealSearch; onClear: () => void }) {
  if (search.search || search.state) {
    return (
      <EmptyState
        icon="search"
        title="No appeals match"
        action={
          <Button size="xs" variant="default" onClick={onClear}>
            Show open appeals
          </Button>
        }
      />
    );
  }
  return (
    <EmptyState icon="check" title="No open appeals">
      Tutors appeal on their own page. The monthly mail links to it.
    </EmptyState>
  );
}
