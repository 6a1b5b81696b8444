import { Button } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ConcernBadges } from "../../../components/concern-badges";
import { EmptyState } from "../../../components/empty-state";
import { Pages } from "../../../components/pages";
import { Panel } from "../../../components/panel";
import { RateInterval } from "../../../components/rate-interval";
import { Sparkline } from "../../../components/sparkline";
import { StandingBadge } from "../../../components/standing-badge";
import { type Column, QueryTable, ROW_LINK } from "../../../components/table";
import type { ConcernName, FunnelResponse, TutorList, TutorRow } from "../../../lib/api-types";
import { concernLabel } from "../../../lib/concerns";
import { about, count, counted, decimal, percent, points, probability } from "../../../lib/format";
import { weeklyRange } from "../../../lib/let-downs";
import { tutorName } from "../../../lib/person-name";
import { subjectOf } from "../../../lib/subjects";
import { daysAfter } from "../../../lib/week";
import { PAGE_SIZE } from "../api/get-tutors";
import {
  concernInQuestion,
  concernSort,
  DEFAULT_SORT,
  defaultOrder,
  isFiltered,
  type Sort,
  sorted,
  type TutorSearch,
} from "../tutor-search";
import classes from "./tutor-table.module.css";

interface TutorTableProps {
  query: UseQueryResult<{ list: TutorList; funnel: FunnelResponse }>;
  search: TutorSearch;
  onChange: (changes: Partial<TutorSearch>) => void;
  onClear: () => void;
}

export function TutorTable({ query, search, onChange, onClear }: TutorTableProps) {
  const by = search.sort ?? DEFAULT_SORT;
  const order = search.order ?? defaultOrder(by);
  const onSort = (sort: Sort) =>
    onChange(sort === by ? sorted(sort, order === "asc" ? "desc" : "asc") : sorted(sort));
  return (
    <Panel flush>
      <QueryTable
        label="Tutors"
        query={query}
        rowsOf={({ list }) => list.data}
        columns={columns(query.data?.funnel.data.risk_threshold, concernInQuestion(search), by)}
        keyOf={(tutor) => tutor.tutor_id}
        sorting={{ by, order, onSort }}
        skeletonRows={12}
        empty={({ list }) =>
          list.meta.total === 0 && <NobodyFits isFiltered={isFiltered(search)} onClear={onClear} />
        }
        footer={({ list }) => (
          <Pages
            total={list.meta.total}
            pageSize={PAGE_SIZE}
            page={search.page ?? 1}
            onChange={(page) => onChange({ page: page === 1 ? undefined : page })}
          />
        )}
      />
    </Panel>
  );
}

const columns = (
  threshold: number | undefined,
  concern: ConcernName | undefined,
  by: Sort,
): Column<TutorRow, Sort>[] => [
  {
    header: "Tutor",
    sort: "name",
    isRowHeader: true,
    width: "28%",
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
        subjectOf(tutor.subjects),
      ]
        .filter(Boolean)
        .join(" · "),
  },
  {
    header: "Concerns",
    sort: "attention",
    width: "22%",
    phone: { row: 2, side: "both" },
    cell: (tutor) =>
      tutor.concerns.length > 0 ? (
        <ConcernBadges concerns={tutor.concerns} />
      ) : (
        <StandingBadge tutor={tutor} />
      ),
  },
  ...(by === "stop_probability" ? [MAY_STOP] : concern ? [probabilityOf(concern)] : []),
  {
    header: "Let-downs, 90 days",
    sort: "let_down_rate_expected",
    width: "24%",
    phone: { row: 3, side: "start" },
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
    header: "At risk, 7 days",
    sort: "harm_sessions",
    align: "right",
    overflow: "nowrap",
    phone: "hidden",
    cell: (tutor) => (
      <span title={`Expected let-downs among sessions of ${daysAfter(tutor.as_of)}`}>
        {tutor.planned_sessions_7d === 0
          ? "none planned"
          : `${about(tutor.harm_sessions, "unknown")} of ${count(tutor.planned_sessions_7d)}`}
      </span>
    ),
    detail: (tutor) => tutor.harm_students > 0 && counted(tutor.harm_students, "student"),
  },
  ...(concern || by === "stop_probability" ? [] : [SESSIONS]),
  {
    header: "Let-downs, 12 weeks",
    sort: "trend_30d",
    overflow: "nowrap",
    phone: { row: 3, side: "end" },
    cell: (tutor) => (
      <Sparkline
        values={tutor.weekly_let_down_rates ?? []}
        asOf={tutor.as_of}
        label={`Let-downs of ${tutorName(tutor)} in the last 12 weeks`}
      />
    ),
    detail: (tutor) =>
      by === "trend_30d"
        ? `${points(tutor.trend_30d, "no comparison")} in 30 days`
        : weeklyRange(tutor.weekly_let_down_rates ?? [], tutor.as_of),
  },
  {
    header: "Quality",
    sort: "quality_score",
    align: "right",
    phone: "hidden",
    cell: (tutor) => decimal(tutor.quality_score, 0, "not rated"),
  },
];

/** Left out for the concern that is asked about: let-downs say of how many sessions they are. */
const SESSIONS: Column<TutorRow, Sort> = {
  header: "Sessions",
  sort: "sessions_90d",
  align: "right",
  phone: "hidden",
  cell: (tutor) => count(tutor.sessions_90d),
};

/** Where the tutors who may stop are asked for. */
const MAY_STOP: Column<TutorRow, Sort> = {
  header: "May stop",
  sort: "stop_probability",
  align: "right",
  phone: { row: 1, side: "end", isLabelled: true },
  cell: (tutor) => probability(tutor.stop_probability, "not predicted"),
  detail: () => "within 60 days",
};

/** The column of the concern that is asked about. */
const probabilityOf = (concern: ConcernName): Column<TutorRow, Sort> => ({
  header: "Probability",
  sort: concernSort(concern),
  align: "right",
  phone: { row: 1, side: "end", isLabelled: true },
  cell: (tutor) => probability(tutor[concernSort(concern)], "no data"),
  detail: () => concernLabel(concern),
});

function NobodyFits({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  if (!isFiltered) {
    return (
      <EmptyState title="No tutors yet">Tutors appear here once their first sessions are scored.</EmptyState>
    );
  }
  return (
    <EmptyState
      icon="search"
      title="No tutors match these filters"
      action={
        <Button size="xs" variant="default" onClick={onClear}>
          Clear filters
        </Button>
      }
    >
      Try a shorter search, or fewer filters.
    </EmptyState>
  );
}
