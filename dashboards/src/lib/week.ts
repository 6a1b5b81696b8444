/** How much of the newest week there is. Days are the API's calendar days, and weeks begin on Monday. */

import { shortDay } from "./format";

const DAY_MS = 86_400_000;

/** Days of the week of `asOf` up to it, 1 on Monday to 7 on Sunday; of no day it counts as whole. */
export function daysOfWeek(asOf: string | undefined): number {
  if (!asOf) return 7;
  return new Date(`${asOf}T00:00:00Z`).getUTCDay() || 7;
}

/** Days that have passed of the week that begins on `weekStart`: 7 when it is over by `asOf`. */
export function daysSoFar(weekStart: string, asOf: string): number {
  return Math.min(7, Math.round((Date.parse(asOf) - Date.parse(weekStart)) / DAY_MS) + 1);
}

const later = (day: string, days: number): string =>
  new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);

/** First and last of the 7 days after a day: "2 Dec to 8 Dec". */
export const daysAfter = (last: string): string =>
  `${shortDay(later(last, 1))} to ${shortDay(later(last, 7))}`;

/** "this week so far, 3 of 7 days"; nothing of a whole week. */
export const soFar = (days: number): string | null =>
  days < 7 ? `this week so far, ${days} of 7 days` : null;
