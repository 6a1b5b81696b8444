import { Button } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Pages } from "../../../components/pages";
import { Panel } from "../../../components/panel";
import { RateInterval } from "../../../components/rate-interval";
import { Sparkline } from "../../../components/sparkline";
import { StatusBadge } from "../../../components/status-badge";
import { type Column, QueryTable, ROW_LINK } from "../../../components/table";
import type { TutorList, TutorRow } from "../../../lib/api-types";
import { count, decimal, percent, points, probability } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import { PAGE_SIZE } from "../api/get-tutors";
import { DEFAULT_SORT, defaultOrder, isFiltered, type Sort, type TutorSearch } from "../tutor-search";
import classes from "./tutor-table.module.css";

interface TutorTableProps {
  query: UseQueryResult<TutorList>;
  search: TutorSearch;
  threshold?: number;
  onChange: (changes: Partial<TutorSearch>) => void;
  onClear: () => void;
}

export function TutorTable({ query, search, threshold, onChange, onClear }: TutorTableProps) {
  const by = search.sort ?? DEFAULT_SORT;
  const order = search.order ?? defaultOrder(by);
  const onSort = (sort: Sort) => {
    const next = sort === by ? (order === "asc" ? "desc" : "asc") : defaultOrder(sort);
    onChange({
      sort: sort === DEFAULT_SORT ? undefined : sort,
      order: next === defaultOrder(sort) ? undefined : next,
    });
  };
  return (
    <Panel flush>
      <QueryTable
        label="Tutors"
        query={query}
        rowsOf={({ data }) => data}
        columns={columns(threshold)}
        keyOf={(tutor) => tutor.tutor_id}
        sorting={{ by, order, onSort }}
        skeletonRows={12}
        empty={({ meta }) =>
          meta.total === 0 && <NobodyFits isFiltered={isFiltered(search)} onClear={onClear} />
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
    </Panel>
  );
}

const columns = (threshold: number | undefined): Column<TutorRow, Sort>[] => [
  {
    header: "Tutor",
    sort: "name",
    isRowHeader: true,
    width: "30%",
    overflow: "ellipsis",
    phone: { row: 1, side: "start" },
    cell: (tutor) => (
      <Link to="/tutors/$tutorId" params={{ tutorId: tutor.tutor_id }} {...ROW_LINK}>
        {tutorName(tutor)}
      </Link>
    ),
    detail: (tutor) =>
      [
        tutor.external_id !== tutorName(tutor) && tutor.external_id,
        tutor.is_active ? "" : "not active",
        tutor.subjects.join(", "),
      ]
        .filter(Boolean)
        .join(" · "),
  },
  {
    header: "Status",
    sort: "risk_probability",
    overflow: "nowrap",
    phone: { row: 1, side: "end" },
    cell: (tutor) => <StatusBadge status={tutor.risk_status} />,
    detail: (tutor) => (
      <span title="How likely it is that the long-run rate is above the limit">
        {probability(tutor.risk_probability)} likely too high
      </span>
    ),
  },
  {
    header: "Let-downs, 90 days",
    sort: "let_down_rate_expected",
    width: "26%",
    phone: { row: 2, side: "start" },
    cell: (tutor) => (
      <div className={classes.interval}>
        <RateInterval
          expected={tutor.let_down_rate_expected}
          low={tutor.let_down_rate_low}
          high={tutor.let_down_rate_high}
          threshold={threshold}
        />
      </div>
    ),
    detail: (tutor) =>
      tutor.sessions_90d === 0
        ? "no sessions"
        : `${percent(tutor.let_down_rate_90d)} · ${count(tutor.let_downs_90d)} of ${count(tutor.sessions_90d)}`,
  },
  {
    header: "Sessions",
    sort: "sessions_90d",
    align: "right",
    phone: "hidden",
    cell: (tutor) => count(tutor.sessions_90d),
  },
  {
    header: "12 weeks",
    sort: "trend_30d",
    overflow: "nowrap",
    phone: { row: 2, side: "end" },
    cell: (tutor) => (
      <Sparkline
        values={tutor.weekly_let_down_rates ?? []}
        label={`Let-downs of ${tutorName(tutor)} in the last 12 weeks`}
      />
    ),
    detail: (tutor) => (
      <span title="Last 30 days against the 30 before">{points(tutor.trend_30d, "no comparison")}</span>
    ),
  },
  {
    header: "Quality",
    sort: "quality_score",
    align: "right",
    phone: "hidden",
    cell: (tutor) => decimal(tutor.quality_score, 0, "not rated"),
  },
];

function NobodyFits({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  if (!isFiltered) {
    return (
      <EmptyState title="No tutors yet">
        They appear here with the first sessions that are loaded and scored.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon="search"
      title="No tutor fits these filters"
      action={
        <Button size="xs" variant="default" onClick={onClear}>
          Clear the filters
        </Button>
      }
    >
      Try a shorter search, or fewer filters.
    </EmptyState>
  );
}
