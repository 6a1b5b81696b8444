import { Button, Pagination } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { KeyboardEvent, ReactNode } from "react";
import { EmptyState } from "../../../components/empty-state";
import { Icon } from "../../../components/icons";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { RateInterval } from "../../../components/rate-interval";
import { Sparkline } from "../../../components/sparkline";
import { StatusBadge } from "../../../components/status-badge";
import table from "../../../components/table.module.css";
import { TableSkeleton } from "../../../components/table-skeleton";
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
  return (
    <Panel flush>
      <QueryBoundary query={query} skeleton={<TableSkeleton rows={12} height={38} />}>
        {({ data, meta }) =>
          meta.total === 0 ? (
            <NobodyFits isFiltered={isFiltered(search)} onClear={onClear} />
          ) : (
            <>
              <table
                className={`${table.folding} ${classes.table}`}
                aria-busy={query.isPlaceholderData}
                data-stale={query.isPlaceholderData}
              >
                <Head search={search} onChange={onChange} />
                <tbody onKeyDown={moveBetweenRows}>
                  {data.map((tutor) => (
                    <Row key={tutor.tutor_id} tutor={tutor} threshold={threshold} />
                  ))}
                </tbody>
              </table>
              <Pages
                total={meta.total}
                page={search.page ?? 1}
                onChange={(page) => onChange({ page: page === 1 ? undefined : page })}
              />
            </>
          )
        }
      </QueryBoundary>
    </Panel>
  );
}

function Head({ search, onChange }: Pick<TutorTableProps, "search" | "onChange">) {
  const head = (sort: Sort, label: string, className?: string) => (
    <SortHead sort={sort} label={label} className={className} search={search} onChange={onChange} />
  );
  return (
    <thead>
      <tr>
        {head("name", "Tutor")}
        {head("risk_probability", "Status", classes.status)}
        {head("reschedule_rate_expected", "Reschedules, 90 days", classes.rate)}
        {head("sessions_90d", "Sessions", classes.number)}
        {head("trend_30d", "12 weeks", classes.trend)}
        {head("quality_score", "Quality", classes.number)}
      </tr>
    </thead>
  );
}

interface SortHeadProps extends Pick<TutorTableProps, "search" | "onChange"> {
  sort: Sort;
  label: string;
  className?: string;
}

function SortHead({ sort, label, className, search, onChange }: SortHeadProps) {
  const isSorted = (search.sort ?? DEFAULT_SORT) === sort;
  const order = search.order ?? defaultOrder(sort);
  const sortBy = () => {
    const next = isSorted ? (order === "asc" ? "desc" : "asc") : defaultOrder(sort);
    onChange({
      sort: sort === DEFAULT_SORT ? undefined : sort,
      order: next === defaultOrder(sort) ? undefined : next,
    });
  };
  return (
    <th
      scope="col"
      className={className}
      aria-sort={isSorted ? (order === "asc" ? "ascending" : "descending") : undefined}
    >
      <button type="button" className={classes.sort} onClick={sortBy} data-sorted={isSorted}>
        {label}
        <Icon name={isSorted ? (order === "asc" ? "up" : "down") : "sort"} size={13} />
      </button>
    </th>
  );
}

function Row({ tutor, threshold }: { tutor: TutorRow; threshold?: number }) {
  const name = tutorName(tutor);
  return (
    <tr className={classes.row}>
      <th scope="row" className={classes.person}>
        <Link
          to="/tutors/$tutorId"
          params={{ tutorId: tutor.tutor_id }}
          className={classes.name}
          data-row-link
        >
          {name}
        </Link>
        <span className={`${table.about} ${classes.which}`}>
          {[
            tutor.external_id !== name && tutor.external_id,
            tutor.is_active ? "" : "not active",
            tutor.subjects.join(", "),
          ]
            .filter(Boolean)
            .join(" · ")}
        </span>
      </th>
      <td className={classes.status}>
        <StatusBadge status={tutor.risk_status} />
        <span className={table.about} title="How likely it is that the long-run rate is above the limit">
          {probability(tutor.risk_probability)} likely too high
        </span>
      </td>
      <td className={classes.rate}>
        <RateInterval
          expected={tutor.reschedule_rate_expected}
          low={tutor.reschedule_rate_low}
          high={tutor.reschedule_rate_high}
          threshold={threshold}
        />
        <span className={table.about}>
          {tutor.sessions_90d === 0
            ? "no sessions"
            : `${percent(tutor.reschedule_rate_90d)} · ${count(tutor.tutor_reschedules_90d)} of ${count(tutor.sessions_90d)}`}
        </span>
      </td>
      <td className={classes.number} data-label="sessions">
        {count(tutor.sessions_90d)}
      </td>
      <td className={classes.trend}>
        <Sparkline
          values={tutor.weekly_reschedule_rates ?? []}
          label={`Reschedules of ${name} in the last 12 weeks`}
        />
        <span className={table.about} title="Last 30 days against the 30 before">
          {points(tutor.trend_30d, "no comparison")}
        </span>
      </td>
      <td className={classes.number} data-label="quality">
        {decimal(tutor.quality_score, 0, "not rated")}
      </td>
    </tr>
  );
}

/** Arrow keys go from row to row; the tab key would visit every one of them. */
function moveBetweenRows(event: KeyboardEvent<HTMLElement>) {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-row-link]")];
  const next = links[links.indexOf(document.activeElement as HTMLElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function Pages({
  total,
  page,
  onChange,
}: {
  total: number;
  page: number;
  onChange: (page: number) => void;
}): ReactNode {
  const pages = Math.ceil(total / PAGE_SIZE);
  // Also where the total cannot be read.
  if (!(pages > 1)) return null;
  return (
    <footer className={table.pages}>
      <span>
        {count((page - 1) * PAGE_SIZE + 1)}–{count(Math.min(total, page * PAGE_SIZE))} of {count(total)}
      </span>
      <Pagination
        total={pages}
        value={page}
        onChange={onChange}
        size="sm"
        siblings={1}
        getControlProps={(control) => ({ "aria-label": `${control} page` })}
        getItemProps={(number) => ({ "aria-label": `Page ${number}` })}
      />
    </footer>
  );
}

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
