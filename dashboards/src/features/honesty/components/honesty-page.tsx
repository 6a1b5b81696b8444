import { Select, Skeleton } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { type Column, Table } from "../../../components/table";
import { Tile, Tiles } from "../../../components/tiles";
import type {
  Calibration,
  Honesty,
  MonthHonesty,
  SubjectHonesty,
  VolumeHonesty,
} from "../../../lib/api-types";
import { count, counted, decimal, month as monthOf, percent } from "../../../lib/format";
import { asRead } from "../../../lib/sentences";
import { subjectOf } from "../../../lib/subjects";
import { useCalibration } from "../api/get-calibration";
import { type HonestySearch, VOLUMES, volumeLabel } from "../honesty-search";
import { trustworthy } from "../verdict";
import classes from "./honesty-page.module.css";
import { ReliabilityCurve } from "./reliability-curve";

/** What was forecast of tutors, against what came in the 30 days after. */
export function HonestyPage() {
  const search = useSearch({ from: "/honesty" });
  const calibration = useCalibration(search);
  return (
    <Page
      title="Flag accuracy"
      note={noteOf(calibration.data?.data.months ?? [])}
      actions={<Filters search={search} known={calibration.data?.data} />}
    >
      <QueryBoundary query={calibration} skeleton={<Skeleton height={520} radius={10} />}>
        {({ data }) =>
          data.totals.forecasts === 0 ? (
            <Panel>
              <EmptyState title="No forecast is 30 days old yet">
                tutorq checks each forecast after 30 days.
              </EmptyState>
            </Panel>
          ) : (
            <Figures known={data} />
          )
        }
      </QueryBoundary>
    </Page>
  );
}

/** Of which months there are forecasts. */
function noteOf(months: string[]): string {
  const [first, last] = [months.at(0), months.at(-1)].map((day) => day && monthOf(day));
  const span = first && (first === last ? ` of ${first}` : ` from ${first} to ${last}`);
  return `Monday forecasts${span ?? ""}, each for 30 days`;
}

function Filters({ search, known }: { search: HonestySearch; known: Calibration | undefined }) {
  const navigate = useNavigate({ from: "/honesty" });
  const change = (changes: Partial<HonestySearch>) =>
    navigate({ search: (now) => ({ ...now, ...changes }), replace: true });
  const months = (known?.months ?? []).map((day) => ({ value: day.slice(0, 7), label: monthOf(day) }));
  return (
    <search className={classes.filters}>
      <Select
        aria-label="Month"
        placeholder="All months"
        clearable
        data={months}
        value={search.month ?? null}
        onChange={(chosen) => change({ month: chosen ?? undefined })}
      />
      <Select
        aria-label="Subject"
        placeholder="All subjects"
        clearable
        searchable
        data={(known?.subjects ?? []).filter(Boolean)}
        value={search.subject ?? null}
        onChange={(chosen) => change({ subject: chosen ?? undefined })}
        nothingFoundMessage="No such subject"
      />
      <Select
        aria-label="Sessions in 90 days"
        placeholder="Any volume"
        clearable
        data={VOLUMES.map((volume) => ({ value: String(volume), label: `${volumeLabel(volume)} sessions` }))}
        value={search.volume === undefined ? null : String(search.volume)}
        onChange={(chosen) =>
          change({ volume: chosen === null ? undefined : VOLUMES.find((each) => String(each) === chosen) })
        }
      />
    </search>
  );
}

function Figures({ known }: { known: Calibration }) {
  const { totals } = known;
  return (
    <>
      <ul className={classes.sentences} aria-label="Summary">
        {known.reliability.length > 0 && <li>{trustworthy(known.reliability)}</li>}
        <li>Only let-downs are checked; other concerns are not yet measured.</li>
        {known.sentences.map((sentence) => (
          <li key={sentence}>{asRead(sentence)}</li>
        ))}
        {totals.noted_later > 0 && (
          <li>
            {totals.noted_later === totals.forecasts
              ? "All forecasts were"
              : `${count(totals.noted_later)} of ${counted(totals.forecasts, "forecast")} ${totals.noted_later === 1 ? "was" : "were"}`}{" "}
            computed afterwards, from the data of their day.
          </li>
        )}
      </ul>
      <Tiles label="All forecasts">
        <Tile
          label="Flags that were right"
          figure={share(totals.right_share)}
          detail={against(totals.right_share_expected, totals.raised, "check")}
        />
        <Tile
          label="Above the limit, not flagged"
          figure={share(totals.missed_share)}
          detail={`${count(totals.missed)} of ${counted(totals.judged - totals.raised, "check")}`}
        />
        <Tile
          label="Outcomes within the range"
          figure={share(totals.coverage)}
          detail={against(totals.coverage_expected, totals.forecasts, "forecast")}
        />
        <Tile
          label={`Rises above ${share(known.risk_threshold)} flagged within 30 days`}
          figure={share(totals.flagged_share)}
          detail={flagged(totals)}
        />
      </Tiles>
      <Panel title="Forecasts and outcomes" note="Tutors with at least 20 sessions">
        {known.reliability.length === 0 ? (
          <EmptyState title="No tutor had 20 sessions" />
        ) : (
          <ReliabilityCurve bands={known.reliability} threshold={known.risk_threshold} />
        )}
      </Panel>
      <Panel title="By month" flush>
        <Table
          label="By month"
          rows={known.by_month}
          keyOf={(row) => row.month}
          columns={columns<MonthHonesty>("Month", (row) => monthOf(row.month))}
        />
      </Panel>
      <Panel title="By subject" note="Main subject of the tutor" flush>
        <Table
          label="By subject"
          rows={known.by_subject}
          keyOf={({ subject }) => subject}
          columns={columns<SubjectHonesty>("Subject", ({ subject }) => subjectOf(subject, "No subject"))}
        />
      </Panel>
      <Panel title="By volume" note="Sessions of the tutor in 90 days" flush>
        <Table
          label="By volume"
          rows={known.by_volume}
          keyOf={({ sessions_from }) => sessions_from}
          columns={columns<VolumeHonesty>("Sessions", ({ sessions_from }) => volumeLabel(sessions_from))}
        />
      </Panel>
    </>
  );
}

const share = (value: number | null): string => percent(value, { digits: 0, none: "–" });
/** What it should have been, and how much stands behind it. */
const against = (expected: number | null, all: number, noun: string): string =>
  expected === null ? `no ${noun}s` : `${share(expected)} forecast · ${counted(all, noun)}`;

const flagged = ({ rises, rises_flagged, days_to_flag }: Honesty): string =>
  [
    rises === 0 ? "no rises" : `${count(rises_flagged)} of ${counted(rises, "rise")}`,
    days_to_flag !== null && `after ${decimal(days_to_flag)} days on average`,
  ]
    .filter(Boolean)
    .join(", ");

const columns = <Row extends Honesty>(header: string, nameOf: (row: Row) => string): Column<Row>[] => [
  { header, isRowHeader: true, width: "22%", phone: { row: 1, side: "start" }, cell: nameOf },
  {
    header: "Forecasts",
    align: "right",
    phone: { row: 1, side: "end", isLabelled: true },
    cell: ({ forecasts }) => count(forecasts),
  },
  {
    header: "Within range",
    align: "right",
    phone: { row: 2, side: "start", isLabelled: true },
    cell: ({ coverage }) => share(coverage),
    detail: ({ coverage_expected }) => `${share(coverage_expected)} forecast`,
  },
  {
    header: "Flags right",
    align: "right",
    phone: { row: 2, side: "end", isLabelled: true },
    cell: ({ right_share }) => share(right_share),
    detail: ({ raised, right_share_expected }) => raised > 0 && `${share(right_share_expected)} forecast`,
  },
  {
    header: "False alarms",
    align: "right",
    phone: { row: 3, side: "start", isLabelled: true },
    cell: ({ false_alarm_share }) => share(false_alarm_share),
    detail: ({ raised }) => raised > 0 && `of ${counted(raised, "check")}`,
  },
  {
    header: "Not flagged, above",
    align: "right",
    phone: { row: 3, side: "end", isLabelled: true },
    cell: ({ missed_share }) => share(missed_share),
  },
  {
    header: "Days to flag",
    align: "right",
    phone: { row: 4, side: "both", isLabelled: true },
    cell: ({ days_to_flag }) => (days_to_flag === null ? "–" : decimal(days_to_flag)),
    detail: ({ rises, rises_flagged }) => rises > 0 && `${rises_flagged} of ${rises} flagged`,
  },
];
