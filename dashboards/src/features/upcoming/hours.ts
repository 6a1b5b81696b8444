/** Today's sessions by hour: what a column is made from, and what it says in words. */

import type { SessionCounts, SessionHour } from "../../lib/api-types";
import { count, counted, hourOfDay } from "../../lib/format";

/** From the foot of a column to its top. */
export const KINDS: readonly { kind: keyof SessionCounts; label: string; isPlanned: boolean }[] = [
  { kind: "let_down", label: "Let down by tutor", isPlanned: false },
  { kind: "other", label: "Called off otherwise", isPlanned: false },
  { kind: "held", label: "Held", isPlanned: false },
  { kind: "high", label: "Planned, high risk", isPlanned: true },
  { kind: "medium", label: "Planned, medium risk", isPlanned: true },
  { kind: "low", label: "Planned, low risk", isPlanned: true },
  { kind: "unknown", label: "Planned, tutor not known", isPlanned: true },
];

const NONE: SessionCounts = { let_down: 0, other: 0, held: 0, high: 0, medium: 0, low: 0, unknown: 0 };

/** Every hour from the first to the last one with sessions, also those without. */
export function everyHour(hours: readonly SessionHour[]): SessionHour[] {
  const [first, last] = [hours[0], hours.at(-1)];
  if (!first || !last) return [];
  const known = new Map(hours.map((each) => [each.hour, each]));
  return Array.from({ length: last.hour - first.hour + 1 }, (_, place) => {
    const hour = first.hour + place;
    return known.get(hour) ?? { hour, ...NONE };
  });
}

export const sessionsIn = (counts: SessionCounts): number =>
  KINDS.reduce((sum, { kind }) => sum + counts[kind], 0);

const plannedIn = ({ high, medium, low, unknown }: SessionCounts) => high + medium + low + unknown;

/** "17:00: 186 sessions; 25 planned, high risk; …" */
export function hourInWords(hour: SessionHour): string {
  const parts = KINDS.filter(({ kind }) => hour[kind] > 0).map(
    ({ kind, label }) => `${count(hour[kind])} ${label.toLowerCase()}`,
  );
  return [`${hourOfDay(hour.hour)}: ${counted(sessionsIn(hour), "session")}`, ...parts].join("; ");
}

export function dayInWords(totals: SessionCounts, hours: readonly SessionHour[]): string {
  const planned = plannedIn(totals);
  const gone = totals.let_down + totals.other;
  const riskiest = hours.reduce<SessionHour | undefined>(
    (most, hour) => (hour.high > (most?.high ?? 0) ? hour : most),
    undefined,
  );
  const risk =
    planned === 0
      ? "No more sessions are planned for this day"
      : `${count(totals.high)} of ${counted(planned, "planned session")} with a high let-down risk`;
  const peak =
    riskiest && totals.high > 1 ? `, most at ${hourOfDay(riskiest.hour)} (${count(riskiest.high)})` : "";
  const others = [
    totals.held > 0 && `${count(totals.held)} held`,
    gone > 0 && `${count(gone)} called off or missed, ${count(totals.let_down)} by tutors`,
  ].filter(Boolean);
  return `${risk}${peak}.${others.length > 0 ? ` ${others.join("; ")}.` : ""}`;
}
