import { SegmentedControl, Skeleton } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { type Column, ROW_LINK, Table } from "../../../components/table";
import { Tile, Tiles } from "../../../components/tiles";
import type {
  ActionOutcomes,
  MonthOutcomes,
  OutcomeFigures,
  Outcomes,
  OwnerOutcomes,
} from "../../../lib/api-types";
import { count, counted, decimal, month, percent } from "../../../lib/format";
import { useOutcomes } from "../api/get-outcomes";
import { ACTIONS, CLOSED_AS, NO_CONTACT, REASONS, stateOf } from "../case-words";
import { DEFAULT_MONTHS, type OutcomesSearch, RANGES } from "../outcomes-search";
import type { TodaySearch } from "../today-search";
import { EffectPanel } from "./effect-panel";
import classes from "./outcomes-page.module.css";

/** What became of cases. Nowhere is before shown against after: flagged by chance, one improves by chance. */
export function OutcomesPage() {
  const { months = DEFAULT_MONTHS } = useSearch({ from: "/outcomes" });
  const navigate = useNavigate({ from: "/outcomes" });
  const outcomes = useOutcomes(months);
  return (
    <Page
      title="Outcomes"
      note="Results of the cases opened in these months"
      actions={
        <SegmentedControl
          size="xs"
          aria-label="Months"
          value={String(months)}
          onChange={(chosen) =>
            navigate({ search: { months: Number(chosen) as OutcomesSearch["months"] }, replace: true })
          }
          data={RANGES.map((range) => ({ value: String(range), label: `${range} months` }))}
        />
      }
    >
      <QueryBoundary query={outcomes} skeleton={<Skeleton height={480} radius={10} />}>
        {({ data }) =>
          data.all_cases.opened === 0 ? (
            <Panel>
              <EmptyState title="No cases in these months">
                tutorq opens a case when a concern is raised. This page counts the results.
              </EmptyState>
            </Panel>
          ) : (
            <Figures outcomes={data} />
          )
        }
      </QueryBoundary>
    </Page>
  );
}

function Figures({
  outcomes: { all_cases, reasons, by_month, by_owner, by_action },
}: {
  outcomes: Outcomes;
}) {
  // Every month is there, the newest first.
  const from = by_month.at(-1)?.month.slice(0, 7);
  return (
    <>
      <p className={classes.careful}>
        These figures do not prove that conversations help. A tutor flagged in a bad month often improves
        without one.
      </p>
      <Tiles label="All cases">
        <Tile label="Opened" figure={count(all_cases.opened)} />
        <Tile
          label="Closed"
          figure={count(all_cases.closed)}
          detail={`${counted(all_cases.opened - all_cases.closed, "case")} open`}
        />
        <Tile
          label="Median time to first contact"
          figure={days(all_cases.median_days_to_contact)}
          detail={`${counted(all_cases.contacted, "case")} contacted`}
        />
        <Tile
          label="Still raised after 30 days"
          figure={percent(all_cases.share_raised_after_30_days, { digits: 0, none: "–" })}
          detail={of(all_cases.raised_after_30_days, all_cases.known_after_30_days)}
        />
        <Tile
          label="Still raised after 90 days"
          figure={percent(all_cases.share_raised_after_90_days, { digits: 0, none: "–" })}
          detail={of(all_cases.raised_after_90_days, all_cases.known_after_90_days)}
        />
      </Tiles>
      <EffectPanel />
      <Panel title="Reasons for closing" flush>
        {reasons.length === 0 ? (
          <EmptyState title="No case is closed yet" />
        ) : (
          <Table
            label="Closed cases by reason"
            rows={reasons}
            keyOf={({ reason }) => reason}
            columns={[
              {
                header: "Reason",
                isRowHeader: true,
                phone: { row: 1, side: "start" },
                cell: ({ reason, cases }) => (
                  <Cases search={{ from, reason }} closed={cases}>
                    {REASONS[reason] ?? reason}
                  </Cases>
                ),
              },
              {
                header: "Closed as",
                phone: { row: 2, side: "start" },
                cell: ({ reason }) => stateOf({ state: CLOSED_AS[reason], reason }),
              },
              {
                header: "Cases",
                align: "right",
                phone: { row: 1, side: "end" },
                cell: ({ cases }) => count(cases),
              },
            ]}
          />
        )}
      </Panel>
      <Panel title="By month" note="Month of opening" flush>
        <Table
          label="By month"
          rows={by_month}
          keyOf={(row) => row.month}
          columns={columns<MonthOutcomes>(
            "Month",
            (row) => month(row.month),
            (row) => ({ from: row.month.slice(0, 7), to: row.month.slice(0, 7) }),
          )}
        />
      </Panel>
      <Panel title="By owner" note="Not a ranking: cases differ" flush>
        <Table
          label="By owner"
          rows={by_owner}
          keyOf={({ owner_id }) => owner_id ?? "nobody"}
          columns={columns<OwnerOutcomes>(
            "Owner",
            ({ owner_name }) => owner_name ?? "Nobody",
            ({ owner_id }) => ({ from, whose: owner_id ? `${owner_id}` : "nobody" }),
          )}
        />
      </Panel>
      <Panel title="By agreed action" note="Last agreed action; harder cases get stronger ones" flush>
        <Table
          label="By agreed action"
          rows={by_action}
          keyOf={({ action }) => action ?? "none"}
          columns={columns<ActionOutcomes>(
            "Action",
            ({ action }) => (action ? (ACTIONS[action] ?? action) : NO_CONTACT),
            ({ action }) => ({ from, action: action ?? "no_contact" }),
          )}
        />
      </Panel>
    </>
  );
}

const days = (value: number | null): string => (value === null ? "–" : `${decimal(value)} days`);
/** How much stands behind a share. */
const of = (some: number, all: number): string =>
  all === 0 ? "no case is old enough yet" : `${count(some)} of ${counted(all, "case")}`;

interface CasesProps {
  search: TodaySearch;
  /** How many of them are closed. */
  closed: number;
  children: string;
}

/** Leads to the cases that a row counts: to the closed ones, if there are any; else to where open ones are. */
function Cases({ search, closed, children }: CasesProps) {
  const open = search.action && search.action !== "no_contact" ? "waiting" : undefined;
  return (
    <Link to="/" search={{ whose: "all", queue: closed > 0 ? "closed" : open, ...search }} {...ROW_LINK}>
      {children}
    </Link>
  );
}

const columns = <Row extends OutcomeFigures>(
  header: string,
  nameOf: (row: Row) => string,
  searchOf: (row: Row) => TodaySearch,
): Column<Row>[] => [
  {
    header,
    isRowHeader: true,
    width: "24%",
    phone: { row: 1, side: "start" },
    cell: (row) =>
      row.opened === 0 ? (
        nameOf(row)
      ) : (
        <Cases search={searchOf(row)} closed={row.closed}>
          {nameOf(row)}
        </Cases>
      ),
  },
  {
    header: "Opened",
    align: "right",
    phone: { row: 1, side: "end", isLabelled: true },
    cell: ({ opened }) => count(opened),
  },
  {
    header: "Closed",
    align: "right",
    phone: { row: 2, side: "end", isLabelled: true },
    cell: ({ closed }) => count(closed),
  },
  {
    header: "To first contact",
    align: "right",
    phone: { row: 2, side: "start", isLabelled: true },
    cell: ({ median_days_to_contact }) => days(median_days_to_contact),
  },
  {
    header: "Raised after 30 days",
    align: "right",
    phone: { row: 3, side: "both", isLabelled: true },
    cell: (row) => percent(row.share_raised_after_30_days, { digits: 0, none: "–" }),
    detail: (row) => row.known_after_30_days > 0 && of(row.raised_after_30_days, row.known_after_30_days),
  },
  {
    header: "Raised after 90 days",
    align: "right",
    phone: { row: 4, side: "both", isLabelled: true },
    cell: (row) => percent(row.share_raised_after_90_days, { digits: 0, none: "–" }),
    detail: (row) => row.known_after_90_days > 0 && of(row.raised_after_90_days, row.known_after_90_days),
  },
];
