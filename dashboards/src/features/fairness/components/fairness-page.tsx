import { Skeleton } from "@mantine/core";
import { EmptyState } from "../../../components/empty-state";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { type Column, Table } from "../../../components/table";
import type { Fairness, FairnessGroup, FairnessPerson } from "../../../lib/api-types";
import { count, counted, percent } from "../../../lib/format";
import { asRead } from "../../../lib/sentences";
import { useFairness } from "../api/get-fairness";
import classes from "./fairness-page.module.css";

const DIMENSIONS = {
  all: "",
  subject: "Subject mostly taught",
  tenure: "Time since hiring",
  volume: "Sessions in 90 days",
  time_zone: "Time zone",
  age: "Age",
} as const satisfies Record<FairnessGroup["dimension"], string>;

/** Whether some groups of tutors are raised or excused more often than others. */
export function FairnessPage() {
  const fairness = useFairness();
  return (
    <Page title="Are tutors treated alike?" note="Each group against all others, updated nightly">
      <QueryBoundary query={fairness} skeleton={<Skeleton height={520} radius={10} />}>
        {({ data }) => <Groups known={data} />}
      </QueryBoundary>
    </Page>
  );
}

function Groups({ known }: { known: Fairness }) {
  return (
    <>
      <ul className={classes.sentences} aria-label="Summary">
        {known.sentences.map((sentence) => (
          <li key={sentence}>{asRead(sentence)}</li>
        ))}
      </ul>
      <p className={classes.about}>
        A difference is a question, not a verdict: groups may differ in what happened, and the figures do not
        say why. Check the sessions behind a difference before you change anything. Groups of fewer than{" "}
        {counted(known.least_tutors, "tutor")} are too few to say.
      </p>
      <Measure
        title="Tutors with a concern raised"
        note="Active tutors with enough sessions to judge"
        groups={known.raised}
        columns={RAISED}
        none="No tutor has enough sessions yet"
      />
      <Measure
        title="Sessions excused"
        note={`Share of sessions that tutors moved, cancelled or missed in ${counted(known.days, "day")}`}
        groups={known.excused}
        columns={EXCUSED}
        none="No tutor moved, cancelled or missed a session"
      />
      <Panel title="Excuses by person" note={`Sessions of the last ${counted(known.days, "day")}`} flush>
        {known.people.length === 0 ? (
          <EmptyState title="No session is excused" />
        ) : (
          <Table
            label="Excuses by person"
            rows={known.people}
            keyOf={({ person }) => person}
            columns={PERSON}
          />
        )}
      </Panel>
    </>
  );
}

interface MeasureProps {
  title: string;
  note: string;
  groups: FairnessGroup[];
  columns: Column<FairnessGroup>[];
  none: string;
}

function Measure({ title, note, groups, columns, none }: MeasureProps) {
  const shown = groups.filter(({ is_too_few }) => !is_too_few);
  return (
    <Panel title={title} note={note} flush>
      {groups.length === 0 ? (
        <EmptyState title={none} />
      ) : (
        shown.length > 0 && <Table label={title} rows={shown} keyOf={keyOf} columns={columns} isCompact />
      )}
      <TooFew groups={groups.filter(({ is_too_few }) => is_too_few)} />
    </Panel>
  );
}

const keyOf = ({ dimension, level }: FairnessGroup) => `${dimension} ${level}`;

/** Groups of which nothing is said, with their tutors. */
function TooFew({ groups }: { groups: FairnessGroup[] }) {
  const dimensions = [...new Set(groups.map(({ dimension }) => dimension))];
  if (groups.length === 0) return null;
  return (
    <dl className={classes.few} aria-label="Too few tutors">
      {dimensions.map((dimension) => (
        <div key={dimension}>
          <dt>Too few tutors · {DIMENSIONS[dimension] || "All"}</dt>
          <dd>
            {groups
              .filter((group) => group.dimension === dimension)
              .map(({ label, tutors }) => `${label} (${count(tutors)})`)
              .join(", ")}
          </dd>
        </div>
      ))}
    </dl>
  );
}

const group: Column<FairnessGroup> = {
  header: "Group",
  isRowHeader: true,
  width: "26%",
  overflow: "anywhere",
  phone: { row: 1, side: "start" },
  cell: ({ label }) => label,
  detail: ({ dimension }) => DIMENSIONS[dimension],
};
const others: Column<FairnessGroup> = {
  header: "All others",
  align: "right",
  phone: { row: 2, side: "end", isLabelled: true },
  cell: ({ other_share }) => percent(other_share, { none: "–" }),
};
const difference = {
  header: "Difference",
  align: "right",
  width: "16%",
  phone: { row: 4, side: "both" },
  cell: verdict,
} as const;
const shareAs = (header: string): Column<FairnessGroup> => ({
  header,
  align: "right",
  phone: { row: 2, side: "start", isLabelled: true },
  cell: shareOf,
  detail: ({ low, high }) => between(low, high),
});

const RAISED: Column<FairnessGroup>[] = [
  group,
  {
    header: "Tutors",
    align: "right",
    phone: { row: 1, side: "end", isLabelled: true },
    cell: ({ tutors }) => count(tutors),
  },
  shareAs("Raised"),
  others,
  {
    header: "Let-downs",
    align: "right",
    phone: { row: 3, side: "start", isLabelled: true },
    cell: ({ let_down_rate }) => percent(let_down_rate, { none: "–" }),
    detail: ({ other_let_down_rate }) =>
      other_let_down_rate !== null && `others ${percent(other_let_down_rate)}`,
  },
  difference,
];

const EXCUSED: Column<FairnessGroup>[] = [
  group,
  {
    header: "Sessions",
    align: "right",
    phone: { row: 1, side: "end", isLabelled: true },
    cell: ({ trials }) => count(trials),
    detail: ({ tutors }) => counted(tutors, "tutor"),
  },
  shareAs("Excused"),
  others,
  difference,
];

const PERSON: Column<FairnessPerson>[] = [
  {
    header: "Person",
    isRowHeader: true,
    width: "26%",
    overflow: "anywhere",
    phone: { row: 1, side: "start" },
    cell: ({ person }) => person,
  },
  {
    header: "Excused sessions",
    align: "right",
    width: "14%",
    phone: { row: 1, side: "end", isLabelled: true },
    cell: ({ excuses }) => count(excuses),
    detail: ({ tutors }) => counted(tutors, "tutor"),
  },
  {
    header: "Share of all excuses",
    align: "right",
    width: "18%",
    phone: { row: 2, side: "start", isLabelled: true },
    cell: ({ given_share }) => percent(given_share, { none: "–" }),
    detail: ({ given_low, given_high }) => between(given_low, given_high),
  },
  {
    header: "In an open case",
    align: "right",
    width: "16%",
    phone: { row: 2, side: "end", isLabelled: true },
    cell: shareOf,
    detail: ({ low, high, other_share }) =>
      [between(low, high), other_share !== null && `others ${percent(other_share)}`]
        .filter(Boolean)
        .join(" · "),
  },
  difference,
];

type Compared = Pick<FairnessGroup, "is_too_few" | "is_difference" | "share" | "q_value">;

function shareOf({ share }: Compared) {
  return percent(share, { none: "–" });
}

const between = (low: number | null, high: number | null): string | false =>
  low !== null && high !== null && `${percent(low)} to ${percent(high)}`;

function verdict({ is_too_few, is_difference, q_value }: Compared) {
  if (is_difference) return <span className={classes.difference}>More than chance</span>;
  const words = is_too_few ? "Too few tutors" : q_value === null ? "" : "May be chance";
  return <span className={classes.none}>{words}</span>;
}
