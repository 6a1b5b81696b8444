/** Addresses as people write them, `?risk=watch&page=2`: plain text, and nothing for what is not set. */

const DAY_MS = 86_400_000;

export function parseQuery(query: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(query));
}

export function writeQuery(search: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  // A comma between statuses needs no escape, and reads better.
  const text = query.toString().replaceAll("%2C", ",");
  return text ? `?${text}` : "";
}

/** A whole number from `from` on; undefined for everything else. */
export function wholeNumber(value: unknown, from: number): number | undefined {
  const number = Number(value);
  return Number.isInteger(number) && number >= from && number <= 1_000_000 ? number : undefined;
}

export function oneOf<Choice extends string>(value: unknown, choices: readonly Choice[]): Choice | undefined {
  return choices.find((choice) => choice === value);
}

export function someText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, 200) : undefined;
}

/** A calendar day, as 2026-01-31. */
export function someDay(value: unknown): string | undefined {
  const text = someText(value);
  return text && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00`))
    ? text
    : undefined;
}

/** A month, as 2026-01. */
export function someMonth(value: unknown): string | undefined {
  return someDay(`${value}-01`)?.slice(0, -3);
}

/** The first day of a month, or of a later one, as 2026-01-01. */
export function firstOf(month: string, later = 0): string {
  const date = new Date(`${month}-01T00:00:00Z`);
  date.setUTCMonth(date.getUTCMonth() + later);
  return date.toISOString().slice(0, 10);
}

/** A time zone that this browser knows, as Europe/Vienna. */
export function someZone(value: unknown): string | undefined {
  const zone = someText(value);
  try {
    return zone && new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** The first moment of a day of the reader's zone, or of another one; `later` is the number of days after it. */
export function beginningOf(date: string, later?: number, zone?: string): string;
export function beginningOf(date: string | undefined, later?: number, zone?: string): string | undefined;
export function beginningOf(date: string | undefined, later = 0, zone?: string): string | undefined {
  if (!date) return undefined;
  const moment = new Date(zone ? `${date}T00:00:00Z` : `${date}T00:00:00`);
  if (!zone) {
    moment.setDate(moment.getDate() + later);
    return moment.toISOString();
  }
  const midnight = moment.getTime() + later * DAY_MS;
  // What the clock is ahead of UTC at one moment, and at the one that follows from it: it may change in between.
  const guess = midnight - aheadAt(midnight, zone);
  return new Date(midnight - aheadAt(guess, zone)).toISOString();
}

/** By how much the clocks of a zone are ahead of UTC, in ms. */
function aheadAt(moment: number, zone: string): number {
  const clock = new Date(moment).toLocaleString("sv-SE", { timeZone: zone });
  return Date.parse(`${clock.replace(" ", "T")}Z`) - moment;
}

/** The day of a moment in a zone, or in the reader's, as 2026-01-31. */
export const dateIn = (moment: string, zone?: string): string =>
  new Date(moment).toLocaleDateString("sv-SE", { timeZone: zone });
