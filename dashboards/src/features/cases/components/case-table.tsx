import { Button, VisuallyHidden } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { memo, type ReactNode, useDeferredValue, useMemo } from "react";
import { EmptyState } from "../../../components/empty-state";
import { Icon } from "../../../components/icons";
import { Pages } from "../../../components/pages";
import { Sparkline } from "../../../components/sparkline";
import { CELL_LINK, type Column, QueryTable, ROW_LINK } from "../../../components/table";
import { Tag } from "../../../components/tag";
import type { Case, CaseList } from "../../../lib/api-types";
import { capitalised, count, counted, dayOf } from "../../../lib/format";
import { weeklyRange } from "../../../lib/let-downs";
import { tutorName } from "../../../lib/person-name";
import { asRead } from "../../../lib/sentences";
import { PAGE_SIZE, useCases } from "../api/get-cases";
import { age, awaited, harm, nothingRaised, PRIORITIES, REASONS, stateOf } from "../case-words";
import { useSelected } from "../selection";
import { isFiltered, type TodaySearch, type Whose } from "../today-search";
import { useWhyNot } from "../use-me";
import classes from "./case-table.module.css";

interface CaseTableProps {
  query: UseQueryResult<CaseList>;
  search: TodaySearch;
  whose: Whose;
  onChange: (changes: Partial<TodaySearch>) => void;
  onClear: () => void;
}

/** The cases of a queue; on a phone, each is a card. */
export function CaseTable({ query, search, whose, onChange, onClear }: CaseTableProps) {
  const today = query.data?.meta.today ?? "";
  const asOf = query.data?.meta.as_of;
  const isClosed = search.queue === "closed";
  const columns = useMemo(() => columnsOn(today, asOf, isClosed), [today, asOf, isClosed]);
  // Those in sight are there at once, the others a moment later: two hundred take a slow machine a second.
  const isWhole = useDeferredValue(query.data !== undefined);
  return (
    <Rows
      label="Cases"
      query={query}
      rowsOf={isWhole ? allRows : firstRows}
      columns={columns}
      keyOf={keyOf}
      isSteady
      skeletonRows={8}
      empty={({ data, meta }) =>
        data.length === 0 && (
          <NoCases
            search={search}
            whose={whose}
            isFirst={Object.values(meta.queues).every((cases) => cases === 0)}
            onChange={onChange}
            onClear={onClear}
          />
        )
      }
      footer={({ meta }) => (
        <Pages
          total={meta.total}
          pageSize={PAGE_SIZE}
          page={search.page ?? 1}
          onChange={(page) => onChange({ page: page === 1 ? undefined : page })}
        />
      )}
    />
  );
}

const IN_SIGHT = 30;
const allRows = ({ data }: CaseList) => data;
const firstRows = ({ data }: CaseList) => data.slice(0, IN_SIGHT);
const keyOf = ({ case_id }: Case) => case_id;

/** Two hundred rows are not drawn anew because one of them is selected. */
const Rows = memo(
  QueryTable<CaseList, Case>,
  (before, after) =>
    before.query.data === after.query.data &&
    before.query.error === after.query.error &&
    before.query.isFetching === after.query.isFetching &&
    before.query.isPlaceholderData === after.query.isPlaceholderData &&
    before.rowsOf === after.rowsOf &&
    before.columns === after.columns,
);

const columnsOn = (today: string, asOf: string | undefined, isClosed: boolean): Column<Case>[] => [
  ...columnsOfAll(asOf, isClosed),
  ...(isClosed ? [closedColumn] : columnsOfOpen(today)),
];

const columnsOfAll = (asOf: string | undefined, isClosed: boolean): Column<Case>[] => [
  {
    header: "Select",
    isHeaderHidden: true,
    width: "44px",
    phone: { row: 1, side: "end" },
    cell: (row) => <SelectBox row={row} />,
  },
  {
    header: "Tutor",
    isRowHeader: true,
    width: "17%",
    overflow: "ellipsis",
    phone: { row: 1, side: "start" },
    cell: ({ case_id, tutor }) => (
      <Link
        to="/cases/$caseId"
        params={{ caseId: String(case_id) }}
        data-case={case_id}
        data-row-link={ROW_LINK["data-row-link"]}
        className={`${ROW_LINK.className} ${classes.tutor}`}
      >
        <VisuallyHidden>Case of </VisuallyHidden>
        {tutorName(tutor)}
      </Link>
    ),
    detail: ({ tutor }) => (
      <>
        {tutor.external_id !== tutorName(tutor) && `${tutor.external_id} · `}
        {tutor.is_active === false && "not active · "}
        <Link
          to="/tutors/$tutorId"
          params={{ tutorId: tutor.tutor_id }}
          className={`${CELL_LINK} ${classes.page}`}
        >
          Tutor page<VisuallyHidden> of {tutorName(tutor)}</VisuallyHidden>
        </Link>
      </>
    ),
  },
  {
    header: isClosed ? "Concerns of the case" : "Raised concerns",
    width: "32%",
    phone: { row: 2, side: "both" },
    cell: (row) => <Raised row={row} />,
    detail: harm,
  },
  {
    header: "Let-downs, 12 weeks",
    overflow: "nowrap",
    width: "132px",
    phone: { row: 3, side: "end" },
    cell: (row) => (
      <Sparkline
        values={row.weekly_let_down_rates}
        asOf={asOf}
        label={`Let-downs of ${tutorName(row.tutor)} in the last 12 weeks`}
      />
    ),
    detail: ({ weekly_let_down_rates }) => weeklyRange(weekly_let_down_rates, asOf),
  },
  {
    header: "Owner",
    width: "17%",
    phone: { row: 3, side: "start" },
    cell: ({ owner }) => owner?.name ?? <span className={classes.nobody}>Nobody</span>,
    detail: ({ state, reason }) =>
      [stateOf({ state, reason }), reason && REASONS[reason]].filter(Boolean).join(": "),
  },
];

const columnsOfOpen = (today: string): Column<Case>[] => [
  {
    header: "Age",
    overflow: "nowrap",
    width: "84px",
    phone: { row: 4, side: "start", isLabelled: true },
    cell: ({ age_days }) => capitalised(age(age_days)),
    detail: ({ reopened_at }) => reopened_at && "reopened",
  },
  {
    header: "Due",
    width: "124px",
    phone: { row: 4, side: "end" },
    cell: (row) => {
      const next = awaited(row, today);
      return next && <span data-late={next.isLate}>{capitalised(next.words)}</span>;
    },
  },
];

const closedColumn: Column<Case> = {
  header: "Closed",
  width: "17%",
  phone: { row: 4, side: "start", isLabelled: true },
  cell: ({ closed_at }) => dayOf(closed_at),
  detail: ({ closed_by }) => closed_by && `by ${closed_by}`,
};

function SelectBox({ row }: { row: Case }) {
  const { ids, toggle } = useSelected();
  const whyNot = useWhyNot();
  if (row.closed_at) return null;
  if (!row.may_change) {
    return (
      <span className={classes.locked} title={whyNot}>
        <Icon name="lock" size={14} />
        <VisuallyHidden>{whyNot}</VisuallyHidden>
      </span>
    );
  }
  return (
    <label className={classes.select}>
      <VisuallyHidden>Select {tutorName(row.tutor)}</VisuallyHidden>
      <input
        type="checkbox"
        checked={ids.has(row.case_id)}
        onChange={(changed) => toggle(row.case_id, (changed.nativeEvent as MouseEvent).shiftKey)}
      />
    </label>
  );
}

function Raised({ row }: { row: Case }) {
  const { sudden_change: sudden } = row;
  // A sudden change counts in the order; it is raised, too, unless it is superseded.
  const [first, ...others] = row.closed_at
    ? []
    : sudden
      ? [
          { concern: "getting_worse", words: sudden.words },
          ...row.raised.filter(({ concern }) => concern !== "getting_worse"),
        ]
      : row.raised;
  return (
    <>
      <span className={classes.raised}>{first ? capitalised(asRead(first.words)) : nothingRaised(row)}</span>
      {others.map(({ concern, words }) => (
        <span key={concern} className={classes.also}>
          {capitalised(asRead(words))}
        </span>
      ))}
      {row.priority !== "normal" && (
        <span className={classes.tags}>
          <Tag
            tone={row.priority === "high" ? "high" : "none"}
            icon={row.priority === "high" ? "up" : "down"}
            label={`${PRIORITIES[row.priority]} priority`}
          />
        </span>
      )}
    </>
  );
}

interface NoCasesProps {
  search: TodaySearch;
  whose: Whose;
  /** There is no case in any queue. */
  isFirst: boolean;
  onChange: (changes: Partial<TodaySearch>) => void;
  onClear: () => void;
}

const NOTHING = {
  todo: { title: "All done for now", text: "New and reopened cases appear here automatically." },
  due: { title: "Nothing is due", text: "Follow-ups appear here on their due date." },
  waiting: { title: "Nothing is waiting", text: "Snoozed cases and later follow-ups wait here." },
  closed: { title: "Nothing is closed yet", text: "Closed cases stay here." },
};

function NoCases({ search, whose, isFirst, onChange, onClear }: NoCasesProps) {
  if (isFiltered(search)) {
    return (
      <EmptyState
        icon="search"
        title="No cases match these filters"
        action={
          <Button size="xs" variant="default" onClick={onClear}>
            Clear filters
          </Button>
        }
      />
    );
  }
  const others = whose !== "all" && (
    <Button size="xs" variant="default" onClick={() => onChange({ whose: "all" })}>
      Show all cases
    </Button>
  );
  if (whose === "mine") return <NothingOfMine search={search} onChange={onChange} others={others} />;
  if (isFirst && whose === "all") {
    return (
      <EmptyState title="No cases yet">
        tutorq opens a case when a concern about a tutor is raised. The case shows the reason, the sessions at
        risk and the owner.
      </EmptyState>
    );
  }
  const { title, text } = NOTHING[search.queue ?? "todo"];
  return (
    <EmptyState icon="check" title={title} action={others}>
      {text}
    </EmptyState>
  );
}

type NothingOfMineProps = Pick<NoCasesProps, "search" | "onChange"> & { others: ReactNode };

/** Nothing of one's own: that is no "all done" while others wait for somebody. */
function NothingOfMine({ search, onChange, others }: NothingOfMineProps) {
  const queue = search.queue ?? "todo";
  const free = useCases({ ...search, page: undefined }, "nobody").data?.meta.queues[queue] ?? 0;
  const { title, text } = NOTHING[queue];
  if (queue === "closed" || free === 0)
    return (
      <EmptyState icon="check" title={title} action={others}>
        {text}
      </EmptyState>
    );
  return (
    <EmptyState
      icon="inbox"
      title="You have no cases here"
      action={
        <Button size="xs" onClick={() => onChange({ whose: "nobody" })}>
          Show unassigned ({count(free)})
        </Button>
      }
    >
      {counted(free, "case has", "cases have")} no owner.
    </EmptyState>
  );
}
