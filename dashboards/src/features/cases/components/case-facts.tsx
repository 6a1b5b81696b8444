import { Select } from "@mantine/core";
import { Panel } from "../../../components/panel";
import { Sparkline } from "../../../components/sparkline";
import type { CaseDetail, CaseState, Priority } from "../../../lib/api-types";
import { capitalised, day, dayOf, moment } from "../../../lib/format";
import { weeklyRange } from "../../../lib/let-downs";
import { tutorName } from "../../../lib/person-name";
import { age, choices, harm, PRIORITIES, STATES, stateOf } from "../case-words";
import type { CaseActions } from "../use-case-actions";
import classes from "./case-facts.module.css";
import { FollowUpField } from "./follow-up-field";

/** Which states people choose; the others follow from what is done. */
const CHOSEN: CaseState[] = ["contacted", "plan_agreed", "monitoring"];

/** How a case stands, and what of it can be changed in place. */
export function CaseFacts({ subject, actions }: { subject: CaseDetail; actions: CaseActions }) {
  const mayChange = subject.may_change && !subject.closed_at;
  const states = choices({ ...STATES, [subject.state]: stateOf(subject) }).filter(
    ({ value }) => value === subject.state || CHOSEN.includes(value),
  );
  return (
    <Panel title="Case">
      <div className={classes.fields}>
        <Select
          label="State"
          data={states}
          value={subject.state}
          allowDeselect={false}
          disabled={!mayChange}
          onChange={(state) =>
            state && state !== subject.state && actions.setState(subject, state as CaseState)
          }
        />
        <Select
          label="Priority"
          data={choices(PRIORITIES)}
          value={subject.priority}
          allowDeselect={false}
          disabled={!mayChange}
          onChange={(priority) =>
            priority && priority !== subject.priority && actions.setPriority(subject, priority as Priority)
          }
        />
        <FollowUpField
          subject={subject}
          isDisabled={!mayChange}
          onSave={(due_on) => actions.setFollowUp(subject, due_on)}
        />
      </div>
      <dl className={classes.facts}>
        <dt>Owner</dt>
        <dd>{subject.owner?.name ?? "Nobody"}</dd>
        <dt>Tutor’s coach</dt>
        <dd>{subject.coaches.map(({ name }) => name).join(", ") || "On no team"}</dd>
        <dt>Opened</dt>
        <dd>
          {moment(subject.opened_at)} by {subject.opened_by}
        </dd>
        {subject.reopened_at && (
          <>
            <dt>Reopened</dt>
            <dd>{moment(subject.reopened_at)}</dd>
          </>
        )}
        {subject.closed_at && (
          <>
            <dt>Closed</dt>
            <dd>
              {moment(subject.closed_at)}
              {subject.closed_by && ` by ${subject.closed_by}`}
            </dd>
          </>
        )}
        <dt>Age</dt>
        <dd>{capitalised(age(subject.age_days))}</dd>
        <dt>First contact</dt>
        <dd>{dayOf(subject.contacted_at, "None yet")}</dd>
        <dt>Snoozed until</dt>
        <dd>{day(subject.snoozed_until, "Not snoozed")}</dd>
        <dt>At risk</dt>
        <dd>{capitalised(harm(subject))}</dd>
        <dt>Let-downs, 12 weeks</dt>
        <dd>
          <Sparkline
            values={subject.weekly_let_down_rates}
            asOf={subject.as_of}
            label={`Let-downs of ${tutorName(subject.tutor)} in the last 12 weeks`}
          />{" "}
          {weeklyRange(subject.weekly_let_down_rates, subject.as_of)}
        </dd>
      </dl>
    </Panel>
  );
}
