// @vitest-environment jsdom
import { expect, it } from "vitest";
import type { Assigned, Case, CaseEvent } from "../../lib/api-types";
import { day, shortDay } from "../../lib/format";
import { ApiProblem } from "../../lib/problem";
import { awaited, daysLater, harm, nothingRaised, stateOf } from "./case-words";
import { inOneLine, told } from "./event-words";
import { outcomeInWords, refusalInWords } from "./use-case-actions";

const TODAY = "2026-11-29";
const open = (changes: Partial<Case>): Case =>
  ({ due_on: null, snoozed_until: null, suggested_at: null, closed_at: null, ...changes }) as Case;

const event = (kind: CaseEvent["kind"], details: CaseEvent["details"], changes = {}): CaseEvent => ({
  event_id: 1,
  kind,
  happened_at: "2026-11-29T10:00:00Z",
  actor: "Ann Lee",
  person_id: 3,
  is_private: false,
  happened_on: null,
  corrects: null,
  corrected_by: null,
  details,
  ...changes,
});

it("says what is at risk", () => {
  expect(harm({ harm_sessions: 14.2, planned_sessions_7d: 72, harm_students: 39 })).toBe(
    "about 14 of 72 sessions at risk in 7 days, 39 students",
  );
  expect(harm({ harm_sessions: 0.2, planned_sessions_7d: 1, harm_students: 1 })).toBe(
    "less than 1 of 1 session at risk in 7 days, 1 student",
  );
  expect(harm({ harm_sessions: null, planned_sessions_7d: null, harm_students: null })).toBe(
    "no sessions at risk in 7 days",
  );
});

it("says what is awaited: the snooze before the follow-up, and late only when the day is over", () => {
  expect(awaited(open({ due_on: "2026-11-28" }), TODAY)).toEqual({
    words: `follow-up ${shortDay("2026-11-28")}`,
    isLate: true,
  });
  expect(awaited(open({ due_on: TODAY }), TODAY)).toEqual({ words: "follow-up today", isLate: false });
  expect(awaited(open({ due_on: TODAY, snoozed_until: "2026-12-02" }), TODAY)?.words).toBe(
    `snoozed until ${shortDay("2026-12-02")}`,
  );
  // A snooze that is over says nothing.
  expect(awaited(open({ snoozed_until: TODAY }), TODAY)).toBeNull();
  expect(awaited(open({ suggested_at: "2026-11-29T10:00:00Z" }), TODAY)?.words).toBe("close case?");
  expect(awaited(open({ due_on: TODAY, closed_at: "2026-11-29T10:00:00Z" }), TODAY)).toBeNull();
});

it("counts days over the end of a month and a change of the clock", () => {
  expect(daysLater("2026-10-24", 3)).toBe("2026-10-27");
  expect(daysLater("2026-12-28", 7)).toBe("2027-01-04");
});

it("calls nothing resolved that did not improve", () => {
  expect(stateOf({ state: "resolved", reason: "no_effect" })).toBe("Closed");
  expect(stateOf({ state: "resolved", reason: "improved" })).toBe("Resolved");
  expect(stateOf({ state: "monitoring", reason: null })).toBe("Monitoring");
});

it("names the excuses after which a concern is not raised any more", () => {
  const given = [{ sessions: 35, created_by: "Ann Lee (person 2)", reason: "flu" }];
  expect(told(event("eased", { concerns: ["getting_worse"], excuses: given })).lines).toEqual([
    "Suddenly worse: not raised any more",
    "35 sessions excused by Ann Lee: flu",
  ]);
  expect(told(event("suggested", { concerns: ["unreliable"] })).lines).toHaveLength(1);
});

it("says what a new concern moves, and that what takes over is not new", () => {
  const joined = {
    concerns: [{ concern: "low_ratings", events: null, trials: 281, raw_rate: 3.76 }],
    due_on: { from: "2026-12-15", to: "2026-12-01" },
    snoozed_until: { from: "2026-12-10", to: null },
  };
  expect(told(event("joined", joined)).lines.slice(1)).toEqual([
    `Follow-up moved from ${day("2026-12-15")} to ${day("2026-12-01")}: new concern Low ratings`,
    `Snooze until ${day("2026-12-10")} ended: new concern Low ratings`,
  ]);
  const eased = { concerns: ["unreliable"], taken_over: [{ concern: "getting_worse" }] };
  expect(told(event("eased", eased)).lines).toEqual([
    "Unreliable: not raised any more",
    "Suddenly worse: raised before, now counted on its own",
  ]);
});

it("names what a closed case was about, whatever is raised since", () => {
  const closed = { closed_at: "2026-10-23T10:00:00Z", suggested_at: null };
  expect(nothingRaised({ ...closed, concerns: ["unreliable", "no_shows"] })).toBe("Unreliable, No-shows");
  expect(nothingRaised({ ...closed, concerns: [] })).toBe("Opened manually");
});

it("tells who was given the case by whom", () => {
  const handed = (from: string | null, to: string | null) =>
    inOneLine(event("changed", { owner_id: { from: 1, to: 2 }, owner: { from, to } }));
  expect(handed(null, "Ann Lee")).toBe("Ann Lee took the case");
  expect(handed(null, "Ben Ott")).toBe("Ann Lee gave the case to Ben Ott");
  expect(handed("Ann Lee", null)).toBe("Ann Lee gave the case back");
  expect(handed("Ben Ott", null)).toBe("Ann Lee took the case from Ben Ott");
});

it("leaves out that a case with an owner is assigned, and lists several changes", () => {
  const details = {
    owner: { from: null, to: "Ann Lee" },
    state: { from: "new", to: "assigned" },
    snoozed_until: { from: null, to: "2026-12-03" },
  };
  expect(told(event("changed", details))).toEqual({
    title: "changed the case",
    lines: ["took the case", `snoozed the case until ${day("2026-12-03")}`],
    text: undefined,
  });
});

it("tells figures of concerns, contacts without what nobody knows, and why a case was closed", () => {
  const concerns = [
    { concern: "unreliable", events: 12, trials: 45, raw_rate: 0.267 },
    { concern: "low_ratings", events: null, trials: 281, raw_rate: 3.76 },
  ];
  expect(told(event("opened", { concerns })).lines).toEqual([
    "Unreliable: 12 of 45 sessions, 27% at the time",
    "Low ratings: 281 ratings, 3.8 at the time",
  ]);
  const contact = {
    channel: "call",
    cause: "unknown",
    action: "other_times",
    follow_up_on: null,
    text: "Hm",
  };
  expect(told(event("contact", contact))).toEqual({
    title: "contacted the tutor",
    lines: ["Phone call", "Agreed: Other times"],
    text: "Hm",
  });
  expect(told(event("closed", { state: "resolved", reason: "improved" })).lines).toEqual([
    "The tutor improved",
  ]);
  expect(told(event("note", { text: "x" }, { is_private: true })).title).toBe("wrote a private note");
});

it("tells contacts of another day, corrections, withdrawals and stand-ins", () => {
  const contact = { channel: "call", action: "nothing" };
  expect(told(event("contact", contact, { happened_on: "2026-11-27" })).lines).toEqual([
    `Phone call on ${day("2026-11-27")}`,
    "Agreed: Nothing agreed",
  ]);
  expect(told(event("contact", contact, { corrects: 4 })).title).toBe("corrected a contact");
  expect(told(event("withdrawn", {}, { corrects: 4 })).title).toBe("withdrew a contact logged by mistake");
  const asked = { tutor_name: "Ben Ott", answer: "agreed", scheduled_time: "2026-12-02T15:00:00Z" };
  expect(inOneLine(event("stand_in", asked))).toMatch(/^Ann Lee noted that Ben Ott stands in \(Session of /);
});

it("names the field that is wrong", () => {
  const errors = [{ field: "happened_on", message: "must be today, 2026-11-29, or earlier" }];
  expect(refusalInWords(new ApiProblem(400, "The request is not valid", "", undefined, { errors }))).toBe(
    "Day: must be today, 2026-11-29, or earlier.",
  );
});

it("says of many cases which were not assigned", () => {
  const results = ["assigned", "stale", "assigned", "assigned"].map((outcome, index) => ({
    case_id: index,
    outcome,
    version: 2,
  })) as Assigned[];
  const owner = { person_id: 3, name: "Ann Lee", role: "coach", is_active: true } as const;
  const cases = results.map(({ case_id }) => ({
    case_id,
    tutor: { name: `Tutor ${case_id}`, external_id: null, tutor_id: "t" },
  })) as Case[];
  expect(outcomeInWords(results, owner, cases)).toEqual({
    text: "3 assigned to Ann Lee. Not assigned because someone else changed them: Tutor 1.",
    isGood: false,
  });
  expect(outcomeInWords(results.slice(2), null, cases)).toEqual({
    text: "2 assigned to nobody.",
    isGood: true,
  });
  const many = Array.from({ length: 7 }, (_, id) => ({
    case_id: id,
    outcome: "closed",
    version: 2,
  })) as Assigned[];
  expect(outcomeInWords(many, null, cases).text).toBe(
    "0 assigned to nobody. Already closed: Tutor 0, Tutor 1, Tutor 2, Tutor 3, case 4 and 2 more.",
  );
});

it("says who did what meanwhile, in the order in which it happened", () => {
  const changes = [
    event("contact", { channel: "call", action: "nothing" }),
    event("changed", { owner: { from: null, to: "Ann Lee" } }),
  ];
  const stale = new ApiProblem(409, "Somebody else has changed it", "", undefined, { changes });
  expect(refusalInWords(stale)).toBe(
    "Someone else changed the case: Ann Lee took the case; Ann Lee contacted the tutor (Phone call, Agreed: Nothing agreed). " +
      "Your change was not saved; check and try again.",
  );
  expect(refusalInWords(new ApiProblem(409, "Conflict", "It is closed; reopen it first."))).toBe(
    "Conflict. It is closed; reopen it first.",
  );
});
