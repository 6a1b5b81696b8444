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

const OUTCOMES: Record<Assigned["outcome"], string> = {
  assigned: "assigned",
  unchanged: "had this owner already",
  stale: "changed meanwhile",
  closed: "closed meanwhile",
  unknown: "not found",
  not_yours: "not yours to change",
};

/** "3 assigned to Ann Lee, 1 changed meanwhile" */
export function outcomeInWords(results: readonly Assigned[], owner: Owner | null): Said {
  const parts = (Object.keys(OUTCOMES) as Assigned["outcome"][]).flatMap((outcome) => {
    const cases = results.filter((result) => result.outcome === outcome).length;
    if (cases === 0) return [];
    const to = outcome === "assigned" ? ` to ${owner?.name ?? "nobody"}` : "";
    return [`${cases} ${OUTCOMES[outcome]}${to}`];
  });
  return { text: `${parts.join(", ")}.`, isGood: results.every(({ outcome }) => outcome === "assigned") };
}

/** Why nothing was changed: what somebody else did meanwhile, or else the problem. */
export function refusalInWords(error: Error): string {
  const changes = error instanceof ApiProblem ? error.members.changes : undefined;
  if (!Array.isArray(changes) || changes.length === 0) return problemOfFailure(error).message;
  const told = (changes as CaseEvent[]).toReversed().map(inOneLine);
  return `Meanwhile ${told.join("; ")}. Your change was not saved: look, and try again.`;
}

/** What is done to cases at once, without a form; and what came of it. */
export function useCaseActions() {
  const change = useChangeCase();
  const assignment = useAssignCases();
  const [said, say] = useState<Said | null>(null);

  const patch = (seen: Case, body: Omit<CasePatch, "version">, foreseen: Partial<Case>, done: string) =>
    change.mutate(
      { seen, body, foreseen },
      {
        onSuccess: () => say({ text: `${tutorName(seen.tutor)}: ${done}.`, isGood: true }),
        onError: (error) =>
          say({ text: `${tutorName(seen.tutor)}: ${refusalInWords(error)}`, isGood: false }),
      },
    );
  return {
    said,
    say,
    assign: (cases: Case[], owner: Owner | null) =>
      assignment.mutate(
        { cases, owner },
        {
          onSuccess: ({ data }) => say(outcomeInWords(data, owner)),
          onError: (error) => say({ text: refusalInWords(error), isGood: false }),
        },
      ),
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
        until ? `snoozed until ${day(until)}` : "the snooze has ended",
      ),
    setPriority: (seen: Case, priority: Case["priority"]) =>
      patch(seen, { priority }, { priority }, "the priority is changed"),
    setState: (seen: Case, state: Case["state"]) => patch(seen, { state }, { state }, "the state is changed"),
    setFollowUp: (seen: Case, due_on: string | null) =>
      patch(seen, { due_on }, { due_on }, due_on ? `follow-up on ${day(due_on)}` : "no follow-up"),
    reopen: (seen: Case) => patch(seen, { state: "new" }, {}, "reopened"),
  };
}

export type CaseActions = ReturnType<typeof useCaseActions>;
