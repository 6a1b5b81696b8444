import type { ConcernName, RaisedConcern } from "./api-types";
import { count, counted, decimal, percent, probability } from "./format";

/** Concerns by name, in the order in which they are listed, as people say them. */
const CONCERNS: Record<ConcernName, string> = {
  unreliable: "Unreliable",
  getting_worse: "Suddenly worse",
  no_shows: "No-shows",
  late_starts: "Late starts",
  loses_new_students: "Loses new students",
  low_ratings: "Low ratings",
};

export const CONCERN_NAMES = Object.keys(CONCERNS) as ConcernName[];

/** Of a concern that this page does not know yet, its name. */
export const concernLabel = (name: ConcernName): string => CONCERNS[name] ?? name;

/** Of a sudden change while the tutor is unreliable: both come from the same sessions. As in core/concerns.py. */
export const SUPERSEDED = "Counted under Unreliable";

/** What was counted: "12 of 45 sessions", "70 ratings". */
export function countedFor({
  concern,
  events,
  trials,
}: Pick<RaisedConcern, "concern" | "events" | "trials">): string {
  if (concern === "low_ratings") return counted(trials, "rating");
  return `${count(events)} of ${counted(trials, concern === "loses_new_students" ? "new student" : "session")}`;
}

/** How sure it is: "81% chance above 15%", of the true rate; of ratings "88% chance below 4.0". */
export function chanceOf({
  concern,
  probability: chance,
  threshold,
}: Pick<RaisedConcern, "concern" | "probability" | "threshold">): string {
  const limit =
    concern === "low_ratings" ? `below ${decimal(threshold)}` : `above ${percent(threshold, { digits: 0 })}`;
  return `${probability(chance)} chance ${limit}`;
}
