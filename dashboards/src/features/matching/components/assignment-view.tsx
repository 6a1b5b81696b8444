import { Button, Switch } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ConcernBadges } from "../../../components/concern-badges";
import { EmptyState } from "../../../components/empty-state";
import { ErrorState } from "../../../components/error-state";
import { Icon } from "../../../components/icons";
import { Pages } from "../../../components/pages";
import { Panel } from "../../../components/panel";
import { Risk } from "../../../components/risk";
import { type Column, Table } from "../../../components/table";
import type { AssignedPair, Assignment, AssignmentRequest, UnassignedStudent } from "../../../lib/api-types";
import { useIsLead } from "../../../lib/auth";
import { downloadCsv } from "../../../lib/csv";
import { count, counted, decimal, percent } from "../../../lib/format";
import { studentName, tutorName } from "../../../lib/person-name";
import { subjectOf } from "../../../lib/subjects";
import { useAssignment } from "../api/assignment";
import { AcceptAssignment } from "./accept-assignment";
import classes from "./assignment-view.module.css";

const PAGE_SIZE = 25;

/** All students at once: the assignment that loses the fewest, beside simpler ways. Nothing is stored unless accepted. */
export function AssignmentView() {
  const [isForNeedy, setForNeedy] = useState(true);
  const [isOfSubject, setOfSubject] = useState(true);
  const [isExploring, setExploring] = useState(false);
  const { mutate, data, variables, error, isPending } = useAssignment();
  const run = () =>
    mutate({
      needs_tutor: isForNeedy,
      require_subject: isOfSubject,
      exploration_share: isExploring ? 0.05 : 0,
    });
  return (
    <>
      <Panel>
        <div className={classes.form}>
          <p className={classes.what}>
            tutorq assigns students to free places so that the fewest are expected to leave after their first
            session. tutorq stores the assignment only when you accept it.
          </p>
          <Switch
            label="Only students who need a tutor"
            checked={isForNeedy}
            onChange={(event) => setForNeedy(event.currentTarget.checked)}
          />
          <Switch
            label="Only tutors of the student's subjects"
            checked={isOfSubject}
            onChange={(event) => setOfSubject(event.currentTarget.checked)}
          />
          <Switch
            label="Give 5% to tutors with little history"
            checked={isExploring}
            onChange={(event) => setExploring(event.currentTarget.checked)}
          />
          <Button onClick={run} loading={isPending} leftSection={<Icon name="wand" />}>
            Run the assignment
          </Button>
        </div>
      </Panel>
      {error && (
        <Panel>
          <ErrorState error={error} />
        </Panel>
      )}
      {!data && !error && (
        <Panel>
          <EmptyState icon="wand" title={isPending ? "Computing…" : "No assignment yet"}>
            tutorq compares each assignment with two simpler ways: each student in turn gets the best tutor
            left, or tutors are drawn at random.
          </EmptyState>
        </Panel>
      )}
      {data && variables && <Outcome key={data.plan_id} assignment={data} asked={variables} />}
    </>
  );
}

function Outcome({ assignment, asked }: { assignment: Assignment; asked: AssignmentRequest }) {
  const isLead = useIsLead();
  const { pairs, unassigned, students, tutors, seconds } = assignment;
  const reasons = new Map<UnassignedStudent["why"], number>();
  for (const { why } of unassigned) reasons.set(why, (reasons.get(why) ?? 0) + 1);
  return (
    <>
      <div className={classes.columns}>
        <Panel
          title="Students expected to leave"
          note={`${counted(pairs.length, "pair")} of ${counted(students, "student")} and ${counted(tutors, "tutor")}, in ${decimal(seconds)} s`}
        >
          <Comparison assignment={assignment} />
        </Panel>
        <Panel title="Without a tutor" note={counted(unassigned.length, "student")}>
          {unassigned.length === 0 ? (
            <p className={classes.what}>Every student has a tutor.</p>
          ) : (
            <ul className={classes.reasons}>
              {[...reasons].map(([why, students]) => (
                <li key={why}>
                  <strong>{count(students)}</strong> {WHY[why] ?? why}
                </li>
              ))}
            </ul>
          )}
        </Panel>
      </div>
      {isLead && pairs.length > 0 && <AcceptAssignment assignment={assignment} asked={asked} />}
      <Pairs pairs={pairs} />
      <LeftOver students={unassigned} />
    </>
  );
}

/** Behind a number of students. */
const WHY: Record<UnassignedStudent["why"], string> = {
  no_eligible_tutor: "have no tutor for their subjects",
  forbidden: "are barred from all their tutors",
  no_capacity: "have only full tutors",
  places_taken: "lost the last places to other students",
};

/** Students whom the assignment gives nobody, each with the reason. */
function LeftOver({ students }: { students: UnassignedStudent[] }) {
  const [page, setPage] = useState(1);
  if (students.length === 0) return null;
  return (
    <Panel
      title="Students left over"
      flush
      actions={<ExportButton onClick={() => downloadCsv("left-over.csv", EXPORTED_LEFT_OVER, students)} />}
    >
      <Table
        label="Students left over"
        columns={LEFT_OVER_COLUMNS}
        rows={students.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)}
        keyOf={(student) => student.student_id}
        isCompact
      />
      <Pages total={students.length} pageSize={PAGE_SIZE} page={page} onChange={setPage} />
    </Panel>
  );
}

const LEFT_OVER_COLUMNS: Column<UnassignedStudent>[] = [
  {
    header: "Student",
    isRowHeader: true,
    phone: { row: 1, side: "start" },
    cell: (student) => (
      <Link to="/matching" search={{ student: student.student_id }} className={classes.student}>
        {studentName({ ...student, name: student.student_name })}
      </Link>
    ),
  },
  {
    header: "Subjects",
    phone: { row: 1, side: "end" },
    cell: ({ subjects }) => subjectOf(subjects, "No subject"),
  },
  { header: "Why", phone: { row: 2, side: "both" }, cell: ({ reason }) => reason },
];

const EXPORTED_LEFT_OVER = [
  "student_id",
  "external_id",
  "student_name",
  "subjects",
  "reason",
] as const satisfies readonly (keyof UnassignedStudent)[];

function ExportButton({ onClick }: { onClick: () => void }) {
  return (
    <Button size="xs" variant="default" leftSection={<Icon name="download" size={14} />} onClick={onClick}>
      Export CSV
    </Button>
  );
}

function Comparison({ assignment }: { assignment: Assignment }) {
  const { assigned, greedy, random } = assignment.expected_churn;
  const most = Math.max(...[assigned, greedy ?? 0, random ?? 0].filter(Number.isFinite), 0.001);
  const bars = [
    { label: "This assignment", value: assigned, isOurs: true },
    { label: "Each student in turn gets the best tutor left", value: greedy, isOurs: false },
    { label: "Tutors drawn at random", value: random, isOurs: false },
  ];
  return (
    <dl className={classes.bars}>
      {bars.map(({ label, value, isOurs }) => (
        <div key={label} className={classes.bar} data-ours={isOurs}>
          <dt>{label}</dt>
          <dd>
            <span className={classes.fill} style={{ width: `${((value ?? 0) / most) * 78}%` }} />
            <strong>{decimal(value, 1, "not comparable")}</strong>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Pairs({ pairs }: { pairs: AssignedPair[] }) {
  const [page, setPage] = useState(1);
  if (pairs.length === 0) return null;
  const shown = pairs.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);
  return (
    <Panel
      title="Pairs"
      flush
      actions={<ExportButton onClick={() => downloadCsv("assignment.csv", EXPORTED, pairs)} />}
    >
      <Table label="Pairs" columns={PAIR_COLUMNS} rows={shown} keyOf={(pair) => pair.student_id} isCompact />
      <Pages total={pairs.length} pageSize={PAGE_SIZE} page={page} onChange={setPage} />
    </Panel>
  );
}

const PAIR_COLUMNS: Column<AssignedPair>[] = [
  { header: "Student", cell: (pair) => studentName({ ...pair, name: pair.student_name }) },
  {
    header: "Tutor",
    cell: (pair) => tutorName({ ...pair, name: pair.tutor_name, external_id: null }),
    detail: (pair) => pair.tutor_concerns.length > 0 && <ConcernBadges concerns={pair.tutor_concerns} />,
  },
  {
    header: "Leaving risk",
    cell: (pair) => (
      <Risk
        of="leaving"
        level={pair.risk_level}
        probability={pair.churn_probability}
        rank={pair.rank}
        rankOf={pair.rank_of}
      />
    ),
  },
  {
    header: "Compatibility",
    cell: (pair) => percent(pair.compatibility_score, { digits: 0, none: "not known" }),
  },
  {
    header: "Why",
    phone: "hidden",
    cell: (pair) => <span className={classes.why}>{pair.reasons.join(" · ")}</span>,
  },
];

const EXPORTED = [
  "student_id",
  "student_name",
  "tutor_id",
  "tutor_name",
  "tutor_concerns",
  "churn_probability",
  "rank",
  "rank_of",
  "compatibility_score",
] as const satisfies readonly (keyof AssignedPair)[];
