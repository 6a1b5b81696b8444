import { useState } from "react";
import type { Assigned, Case, CaseEvent, CasePatch, Owner } from "../../lib/api-types";
import { day } from "../../lib/format";
import { tutorName } from "../../lib/person-name";
import { ApiProblem, problemOfFailure } from "../../lib/problem";
import { owned, useAssignCases, useChangeCase } from "./api/change-cases";
import { inOneLine } from "./event-words";

/** What to tell the reader of what they have just done. */
export interface Said {
  text: string;
  isGood: boolean;
}

/** Of what was not assigned; of what was, the sentence says to whom. */
const OUTCOMES: Record<Exclude<Assigned["outcome"], "assigned">, string> = {
  unchanged: "Already had this owner",
  stale: "Not assigned because someone else changed them",
  closed: "Already closed",
  unknown: "Not found",
  not_yours: "Not yours to change",
};
const MOST_NAMES = 5;

/** "3 assigned to Ann Lee. Not assigned because someone else changed them: Ada Novak." */
export function outcomeInWords(
  results: readonly Assigned[],
  owner: Owner | null,
  cases: readonly Case[],
): Said {
  const names = new Map(cases.map(({ case_id, tutor }) => [case_id, tutorName(tutor)]));
  const assigned = results.filter(({ outcome }) => outcome === "assigned").length;
  const others = (Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[]).flatMap((outcome) => {
    const left = results.filter((result) => result.outcome === outcome);
    if (left.length === 0) return [];
    const named = left.slice(0, MOST_NAMES).map(({ case_id }) => names.get(case_id) ?? `case ${case_id}`);
    const more = left.length > MOST_NAMES ? ` and ${left.length - MOST_NAMES} more` : "";
    return [`${OUTCOMES[outcome]}: ${named.join(", ")}${more}.`];
  });
  return {
    text: [`${assigned} assigned to ${owner?.name ?? "nobody"}.`, ...others].join(" "),
    isGood: others.length === 0,
  };
}

const FIELDS: Record<string, string> = {
  due_on: "Follow-up on",
  follow_up_on: "Follow-up on",
  happened_on: "Day",
  snoozed_until: "Snooze until",
  owner_id: "Owner",
  reason: "Reason",
  text: "Note",
};

/** Why nothing was changed: what somebody else did meanwhile, or which field is wrong, or else the problem. */
export function refusalInWords(error: Error): string {
  const { changes, errors } = error instanceof ApiProblem ? error.members : {};
  if (Array.isArray(changes) && changes.length > 0) {
    const told = (changes as CaseEvent[]).toReversed().map(inOneLine);
    return `Someone else changed the case: ${told.join("; ")}. Your change was not saved; check and try again.`;
  }
  if (Array.isArray(errors) && errors.length > 0) {
    return errors.map(({ field, message }) => `${FIELDS[field] ?? field}: ${message}.`).join(" ");
  }
  return problemOfFailure(error).message;
}

/** What is done to cases at once, without a form; and what came of it. `onLeft`: which of many were not assigned. */
export function useCaseActions(onLeft?: (left: number[]) => void) {
  const change = useChangeCase();
  const assignment = useAssignCases();
  const [said, say] = useState<Said | null>(null);

  const patch = (seen: Case, body: Omit<CasePatch, "version">, foreseen: Partial<Case>, done: string) => {
    say(null);
    change.mutate(
      { seen, body, foreseen },
      {
        onSuccess: () => say({ text: `${tutorName(seen.tutor)}: ${done}.`, isGood: true }),
        onError: (error) =>
          say({ text: `${tutorName(seen.tutor)}: ${refusalInWords(error)}`, isGood: false }),
      },
    );
  };
  return {
    said,
    say,
    assign: (cases: Case[], owner: Owner | null) => {
      say(null);
      assignment.mutate(
        { cases, owner },
        {
          onSuccess: ({ data }) => {
            say(outcomeInWords(data, owner, cases));
            onLeft?.(data.filter(({ outcome }) => outcome === "stale").map(({ case_id }) => case_id));
          },
          onError: (error) => {
            say({ text: refusalInWords(error), isGood: false });
            onLeft?.(cases.map(({ case_id }) => case_id));
          },
        },
      );
    },
    give: (seen: Case, owner: Owner | null) =>
      patch(
        seen,
        { owner_id: owner?.person_id ?? null },
        owned(seen, owner),
        owner ? `assigned to ${owner.name}` : "assigned to nobody",
      ),
    snooze: (seen: Case, until: string | null) =>
      patch(
        seen,
        { snoozed_until: until },
        { snoozed_until: until, ...(until && { queue: "waiting" }) },
        until ? `snoozed until ${day(until)}` : "snooze ended",
      ),
    setPriority: (seen: Case, priority: Case["priority"]) =>
      patch(seen, { priority }, { priority }, "priority changed"),
    setState: (seen: Case, state: Case["state"]) => patch(seen, { state }, { state }, "state changed"),
    setFollowUp: (seen: Case, due_on: string | null) =>
      patch(seen, { due_on }, { due_on }, due_on ? `follow-up on ${day(due_on)}` : "no follow-up"),
    reopen: (seen: Case) => patch(seen, { state: "new" }, {}, "reopened"),
  };
}

export type CaseActions = ReturnType<typeof useCaseActions>;
