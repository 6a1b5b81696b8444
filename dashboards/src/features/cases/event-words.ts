import type { CaseConcern, CaseEvent, CloseReason } from "../../lib/api-types";
import { concernLabel, countedFor } from "../../lib/concerns";
import { counted, day, decimal, moment, percent, words } from "../../lib/format";
import { withoutNumber } from "../../lib/person-name";
import { ACTIONS, CAUSES, CHANNELS, PRIORITIES, REASONS, STATES } from "./case-words";

interface Told {
  /** What happened, after the name of who did it. */
  title: string;
  /** Its figures, or what was agreed. */
  lines: string[];
  /** What somebody wrote. */
  text?: string;
}

interface Step {
  from: string | null;
  to: string | null;
}

const TITLES: Record<CaseEvent["kind"], string> = {
  opened: "opened the case",
  joined: "added a new concern",
  eased: "recorded the end of a concern",
  suggested: "recorded the end of the last concern",
  reopened: "reopened the case",
  changed: "changed the case",
  note: "wrote a note",
  contact: "contacted the tutor",
  withdrawn: "withdrew a contact logged by mistake",
  stand_in: "asked somebody to stand in",
  closed: "closed the case",
};

/** An event of a case as people tell it. */
export function told(event: CaseEvent): Told {
  const { kind, details, is_private, actor } = event;
  const text = typeof details.text === "string" ? details.text : undefined;
  const title = TITLES[kind] ?? words(kind);
  switch (kind) {
    case "opened":
      return { title, lines: figures(details.concerns), text };
    case "joined":
      return { title, lines: [...figures(details.concerns), ...moves(details)], text };
    case "eased":
    case "suggested":
      return {
        title,
        lines: [
          ...names(details.concerns).map((name) => `${name}: not raised any more`),
          ...list(details.taken_over).map(
            (each) => `${label((each as CaseConcern).concern)}: raised before, now counted on its own`,
          ),
          ...excuses(details),
        ],
        text,
      };
    case "reopened":
      return { title, lines: figures(details.concerns), text };
    case "changed":
      return { ...change(steps(details, actor)), text };
    case "note":
      return { title: is_private ? "wrote a private note" : title, lines: [], text };
    case "contact":
      return { title: event.corrects ? "corrected a contact" : title, lines: contact(event), text };
    case "stand_in":
      return standIn(details);
    case "closed":
      return {
        title,
        lines: [REASONS[details.reason as CloseReason] ?? words(String(details.reason))],
        text,
      };
    default:
      return { title, lines: [], text };
  }
}

/** In one line, for a notice: "Ann Lee snoozed the case until 3 Dec 2026". */
export function inOneLine(event: CaseEvent): string {
  const { title, lines } = told(event);
  return `${event.actor} ${title}${lines.length > 0 ? ` (${lines.join(", ")})` : ""}`;
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const names = (value: unknown): string[] => list(value).map((name) => label(String(name)));
const label = (name: string): string => concernLabel(name as CaseConcern["concern"]);

/** "35 sessions excused by Ann Lee: flu" */
const excuses = ({ excuses: given }: CaseEvent["details"]): string[] =>
  list(given).map((each) => {
    const { sessions, created_by, reason } = each as { sessions: number; created_by: string; reason: string };
    return `${counted(sessions, "session")} excused by ${withoutNumber(created_by)}: ${reason}`;
  });

/** "Unreliable: 12 of 45 sessions, 27% at the time" */
const figures = (value: unknown): string[] =>
  list(value).map((each) => {
    const concern = each as CaseConcern;
    const isRating = concern.concern === "low_ratings";
    const rate = isRating
      ? decimal(concern.raw_rate, 1, "")
      : percent(concern.raw_rate, { digits: 0, none: "" });
    return [`${label(concern.concern)}: ${countedFor(concern)}`, rate]
      .filter(Boolean)
      .join(", ")
      .concat(" at the time");
  });

/** What a new concern changes besides: "Follow-up moved from 15 Dec 2026 to 1 Dec 2026: new concern Low ratings" */
function moves(details: CaseEvent["details"]): string[] {
  const why = `new concern ${list(details.concerns)
    .map((each) => label((each as CaseConcern).concern))
    .join(", ")}`;
  const [due, snooze] = [step(details, "due_on"), step(details, "snoozed_until")];
  const found: string[] = [];
  if (due?.to) {
    const moved = due.from ? `moved from ${day(due.from)} to` : "set to";
    found.push(`Follow-up ${moved} ${day(due.to)}: ${why}`);
  }
  if (snooze?.from) found.push(`Snooze until ${day(snooze.from)} ended: ${why}`);
  return found;
}

function step(details: CaseEvent["details"], name: string): Step | undefined {
  const value = details[name];
  return typeof value === "object" && value !== null && "to" in value ? (value as Step) : undefined;
}

/** One step is the title; of several, each has a line. */
function change(taken: string[]): Told {
  const [only, ...others] = taken;
  return only !== undefined && others.length === 0
    ? { title: only, lines: [] }
    : { title: TITLES.changed, lines: taken };
}

/** What was changed, each in words that go on from the name of who did it. */
function steps(details: CaseEvent["details"], actor: string): string[] {
  const found: string[] = [];
  const [owner, state, snooze] = ["owner", "state", "snoozed_until"].map((name) => step(details, name));
  const [due, priority] = ["due_on", "priority"].map((name) => step(details, name));
  if (owner) found.push(handed(owner, actor));
  // With an owner, a new case is assigned, which goes without saying.
  const isSaid = owner && (state?.to === "assigned" || state?.to === "new");
  if (state?.to && !isSaid) found.push(`set the state to ${lower(STATES, state.to)}`);
  if (snooze) found.push(snooze.to ? `snoozed the case until ${day(snooze.to)}` : "ended the snooze");
  if (due) found.push(due.to ? `set the follow-up to ${day(due.to)}` : "cancelled the follow-up");
  if (priority?.to) found.push(`set the priority to ${lower(PRIORITIES, priority.to)}`);
  return found;
}

function handed({ from, to }: Step, actor: string): string {
  if (to === actor) return "took the case";
  if (to !== null) return `gave the case to ${to}`;
  return from === actor ? "gave the case back" : `took the case from ${from}`;
}

const lower = (labels: Record<string, string>, code: string): string => (labels[code] ?? code).toLowerCase();

const ANSWERS: Record<string, (name: string) => string> = {
  asked: (name) => `asked ${name} to stand in`,
  agreed: (name) => `noted that ${name} stands in`,
  declined: (name) => `noted that ${name} cannot stand in`,
};

function standIn(details: CaseEvent["details"]): Told {
  const name = typeof details.tutor_name === "string" ? details.tutor_name : "a tutor";
  const about = ANSWERS[String(details.answer)];
  return {
    title: about ? about(name) : TITLES.stand_in,
    lines: [`Session of ${moment(String(details.scheduled_time))}`],
  };
}

/** The day of a contact, as in 2026-01-31. */
export const contactDay = ({ happened_on, happened_at }: CaseEvent): string =>
  happened_on ?? happened_at.slice(0, 10);

/** What was said and agreed, and when, without what nobody knows. */
function contact({ details, happened_on }: CaseEvent): string[] {
  const of = (labels: Record<string, string>, value: unknown) =>
    labels[String(value)] ?? words(String(value));
  return [
    [of(CHANNELS, details.channel), happened_on && `on ${day(happened_on)}`].filter(Boolean).join(" "),
    details.cause && details.cause !== "unknown" ? `Cause: ${of(CAUSES, details.cause)}` : "",
    details.action ? `Agreed: ${of(ACTIONS, details.action)}` : "",
    typeof details.follow_up_on === "string" ? `Follow-up on ${day(details.follow_up_on)}` : "",
  ].filter(Boolean);
}
