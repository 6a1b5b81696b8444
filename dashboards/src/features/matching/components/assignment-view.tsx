import { Button, Pagination, Switch } from "@mantine/core";
import { useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { ErrorState } from "../../../components/error-state";
import { Icon } from "../../../components/icons";
import { Panel } from "../../../components/panel";
import { RiskLevelBadge } from "../../../components/risk-level-badge";
import table from "../../../components/table.module.css";
import type { AssignedPair, Assignment } from "../../../lib/api-types";
import { csv, download } from "../../../lib/csv";
import { count, counted, decimal, percent } from "../../../lib/format";
import { studentName, tutorName } from "../../../lib/person-name";
import { useAssignment } from "../api/assignment";
import classes from "./assignment-view.module.css";

const PAGE_SIZE = 25;

/** All students at once: the assignment that loses the fewest, beside simpler ways. Nothing is stored. */
export function AssignmentView() {
  const [isOfSubject, setOfSubject] = useState(true);
  const [isExploring, setExploring] = useState(false);
  const { mutate, data, error, isPending } = useAssignment();
  const run = () =>
    mutate({
      require_subject: isOfSubject,
      exploration_share: isExploring ? 0.05 : 0,
    });
  return (
    <>
      <Panel>
        <div className={classes.form}>
          <p className={classes.what}>
            Gives every active student a tutor within the free places of each, so that as few as possible are
            expected to leave after their first session. It proposes; nothing is stored.
          </p>
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
          <EmptyState icon="wand" title={isPending ? "Working it out…" : "No assignment yet"}>
            It is compared with giving each student the best tutor left, one after the other, and with chance.
          </EmptyState>
        </Panel>
      )}
      {data && <Outcome key={data.seconds} assignment={data} />}
    </>
  );
}

function Outcome({ assignment }: { assignment: Assignment }) {
  const { pairs, unassigned, students, tutors, seconds } = assignment;
  const reasons = new Map<string, number>();
  for (const { reason } of unassigned) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
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
            <p className={classes.what}>Every student has one.</p>
          ) : (
            <ul className={classes.reasons}>
              {[...reasons].map(([reason, students]) => (
                <li key={reason}>
                  <strong>{count(students)}</strong> {reason}
                </li>
              ))}
            </ul>
          )}
        </Panel>
      </div>
      <Pairs pairs={pairs} />
    </>
  );
}

function Comparison({ assignment }: { assignment: Assignment }) {
  const { assigned, greedy, random } = assignment.expected_churn;
  const most = Math.max(...[assigned, greedy ?? 0, random ?? 0].filter(Number.isFinite), 0.001);
  const bars = [
    { label: "This assignment", value: assigned, isOurs: true },
    { label: "Greedy: the best tutor left, one by one", value: greedy, isOurs: false },
    { label: "Chance", value: random, isOurs: false },
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
      actions={
        <Button
          size="xs"
          variant="default"
          leftSection={<Icon name="download" size={14} />}
          onClick={() => exportPairs(pairs)}
        >
          Export CSV
        </Button>
      }
    >
      <table className={`${table.table} ${classes.table}`}>
        <thead>
          <tr>
            <th scope="col">Student</th>
            <th scope="col">Tutor</th>
            <th scope="col">Risk</th>
            <th scope="col">Fit</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((pair) => (
            <tr key={pair.student_id}>
              <td>{studentName({ ...pair, name: pair.student_name })}</td>
              <td>{tutorName({ ...pair, name: pair.tutor_name, external_id: null })}</td>
              <td>
                <div className={classes.risk}>
                  <RiskLevelBadge level={pair.risk_level} />
                  {percent(pair.churn_probability, { digits: 0 })}
                </div>
              </td>
              <td>{percent(pair.compatibility_score, { digits: 0, none: "not known" })}</td>
              <td className={classes.why}>{pair.reasons.join(" · ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {pairs.length > PAGE_SIZE && (
        <div className={classes.pages}>
          <Pagination
            size="sm"
            total={Math.ceil(pairs.length / PAGE_SIZE)}
            value={page}
            onChange={setPage}
            getControlProps={(control) => ({ "aria-label": `${control} page` })}
            getItemProps={(number) => ({ "aria-label": `Page ${number}` })}
          />
        </div>
      )}
    </Panel>
  );
}

function exportPairs(pairs: AssignedPair[]) {
  const header = [
    "student_id",
    "student_name",
    "tutor_id",
    "tutor_name",
    "churn_probability",
    "compatibility_score",
  ] as const;
  download(
    "assignment.csv",
    csv(
      header,
      pairs.map((pair) => header.map((name) => pair[name])),
    ),
    "text/csv;charset=utf-8",
  );
}
