import type { ScoringSetting } from "../../lib/api-types";
import { counted, percent, trimmed } from "../../lib/format";

export type Value = ScoringSetting["value"];
/** Settings that are turned, by name. */
export type Changes = Record<string, Value>;

const CAUSES: Record<string, string> = {
  reschedules: "moved",
  cancellations: "cancelled",
  no_shows: "missed",
};
export const CAUSE_NAMES = Object.keys(CAUSES);
export const causeLabel = (cause: string): string => CAUSES[cause] ?? cause;

const NOUNS: Partial<Record<ScoringSetting["unit"], string>> = {
  days: "day",
  minutes: "minute",
  sessions: "session",
};

export const isSame = (one: Value, other: Value): boolean => String(one) === String(other);

/** A value as people write it: "15%", "30 days", "moved, missed". */
export function inWords(value: unknown, unit: ScoringSetting["unit"] | undefined): string {
  if (Array.isArray(value)) return value.map((cause) => causeLabel(String(cause))).join(", ");
  if (typeof value !== "number") return String(value);
  if (unit === "share") return percent(value, { digits: Number.isInteger(value * 100) ? 0 : 1 });
  const noun = unit && NOUNS[unit];
  return noun ? counted(value, noun) : trimmed(value);
}

/** What is turned away from what is in force. */
export function changesOf(settings: readonly ScoringSetting[], draft: Changes): Changes {
  const changed = settings.filter(({ name, value }) => name in draft && !isSame(draft[name] as Value, value));
  return Object.fromEntries(changed.map(({ name }) => [name, draft[name] as Value]));
}

/** What is wrong with settings taken together; null if nothing is. */
export function problemOf(settings: readonly ScoringSetting[], draft: Changes): string | null {
  const now = Object.fromEntries(settings.map(({ name, value }) => [name, draft[name] ?? value]));
  if (Number(now.watch_probability) > Number(now.high_risk_probability)) {
    return "“Keep down to” must not exceed “Raise from”.";
  }
  const weights = settings.filter(({ name }) => name.endsWith("_weight"));
  if (weights.length > 0 && weights.every(({ name }) => now[name] === 0))
    return "One weight must be above 0.";
  return null;
}
