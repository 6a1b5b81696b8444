/** Figures, days and moments as people read them. Days are the API's calendar days; moments are in the reader's zone. */

import { LOCALE } from "./locale";

export const UNREADABLE = "unreadable";

type Figure = number | null | undefined;

function shown(value: Figure, none: string, write: (value: number) => string): string {
  if (value === null || value === undefined) return none;
  return Number.isFinite(value) ? write(value) : UNREADABLE;
}

const fixed = (number: number, digits: number) =>
  number.toLocaleString(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const share = (fraction: number, digits: number) =>
  fraction.toLocaleString(LOCALE, {
    style: "percent",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });

/** A fraction 0-1 as a percentage; `none` where there is no data, which is not the same as 0%. */
export function percent(value: Figure, { digits = 1, none = "no sessions" } = {}): string {
  return shown(value, none, (fraction) => share(fraction, digits));
}

/** A probability, without pretending to certainty: "> 99%". */
export function probability(value: Figure, none = "not rated"): string {
  return shown(value, none, (fraction) => {
    if (fraction > 0.99) return `> ${share(0.99, 0)}`;
    return fraction < 0.01 ? `< ${share(0.01, 0)}` : share(fraction, 0);
  });
}

/** How well two people fit; that nobody knows, too. */
export const compatible = (score: Figure): string =>
  score === null ? "compatibility unknown" : `${percent(score, { digits: 0 })} compatible`;

/** A difference of fractions in percentage points, with its sign. */
export function points(value: Figure, none = "–"): string {
  return shown(value, none, (fraction) => `${difference(fraction * 100)} pts`);
}

/** A difference with its sign; what is written as zero has "±". */
export function difference(value: number, digits = 1): string {
  return `${signOf(value, 0.5 / 10 ** digits)}${fixed(Math.abs(value), digits)}`;
}

export function count(value: Figure, none = "–"): string {
  return shown(value, none, (number) => number.toLocaleString(LOCALE));
}

/** Of English, which the nouns are: the reader's own language may have other forms. */
const PLURALS = new Intl.PluralRules("en");
const ORDINALS = new Intl.PluralRules("en", { type: "ordinal" });
const SUFFIX: Partial<Record<Intl.LDMLPluralRule, string>> = { one: "st", two: "nd", few: "rd" };

/** A place in an order: "1st", "112th". */
export function ordinal(value: Figure, none = "–"): string {
  return shown(value, none, (number) => `${count(number)}${SUFFIX[ORDINALS.select(number)] ?? "th"}`);
}

/** A count with its noun: "1 session", "1,204 sessions". */
export function counted(value: Figure, one: string, many = `${one}s`): string {
  return shown(
    value,
    `no ${many}`,
    (number) => `${count(number)} ${PLURALS.select(number) === "one" ? one : many}`,
  );
}

/** An expected number, not finer than it is known: "about 14", "less than 1". */
export function about(value: Figure, none = "–"): string {
  return shown(value, none, (number) =>
    number < 0.5 ? "less than 1" : `about ${count(Math.round(number))}`,
  );
}

export function decimal(value: Figure, digits = 1, none = "–"): string {
  return shown(value, none, (number) => fixed(number, digits));
}

/** A number without more digits than it needs. */
export function trimmed(value: Figure, none = "not known"): string {
  return shown(value, none, (number) => number.toLocaleString(LOCALE, { maximumFractionDigits: 2 }));
}

function signOf(value: number, zero: number): string {
  if (Math.abs(value) <= zero) return "±";
  return value > 0 ? "+" : "−";
}

const DAY = new Intl.DateTimeFormat(LOCALE, {
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});
const DAY_OF_MOMENT = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric" });
const SHORT_DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", timeZone: "UTC" });
const MONTH = new Intl.DateTimeFormat(LOCALE, { month: "long", year: "numeric", timeZone: "UTC" });
const MOMENT = new Intl.DateTimeFormat(LOCALE, {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});

const SHORT_MOMENT = new Intl.DateTimeFormat(LOCALE, {
  weekday: "short",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const HOUR = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
const WEEKDAY = new Intl.DateTimeFormat(LOCALE, {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
});

function dated(value: string | null | undefined, none: string, format: Intl.DateTimeFormat): string {
  if (!value) return none;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? UNREADABLE : format.format(date);
}

/** A calendar day ("2026-01-31"), whatever the reader's zone. */
export const day = (value: string | null | undefined, none = "–"): string => dated(value, none, DAY);
export const shortDay = (value: string | null | undefined, none = "–"): string =>
  dated(value, none, SHORT_DAY);
/** The month of a calendar day. */
export const month = (value: string | null | undefined, none = "–"): string => dated(value, none, MONTH);
/** The reader's zone, in which moments are written; each page names it once. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
/** A moment in the reader's zone. */
export const moment = (value: string | null | undefined, none = "–"): string => dated(value, none, MOMENT);
/** The same for what is near: with its weekday, without the year. */
export const shortMoment = (value: string | null | undefined, none = "–"): string =>
  dated(value, none, SHORT_MOMENT);
/** The time of day of a moment, in the reader's zone. */
export const clock = (value: string | null | undefined, none = "–"): string => dated(value, none, CLOCK);
/** The day of a moment in the reader's zone. */
export const dayOf = (value: string | null | undefined, none = "–"): string =>
  dated(value, none, DAY_OF_MOMENT);
/** An hour 0-23 of the marketplace's day. */
export const hourOfDay = (hour: number): string => HOUR.format(Date.UTC(2024, 0, 1, hour));
/** The day of a moment in the reader's zone, with its weekday. */
export const weekday = (value: string | null | undefined, none = "–"): string => dated(value, none, WEEKDAY);

/** How long ago, in the largest unit that says enough. */
export function ago(seconds: number): string {
  if (!Number.isFinite(seconds)) return UNREADABLE;
  if (seconds < 10) return "just now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${counted(Math.round(seconds / 86_400), "day")} ago`;
}

/** Hours of notice, rounded down as in mails and on the tutor's own page (`notice` in reports/render.py). */
export function notice(hours: Figure): string {
  return shown(hours, "not known", (value) => {
    if (value < 0) return "after the start";
    if (value < 1) return "less than 1 h";
    return value < 48 ? `${Math.floor(value)} h` : counted(Math.floor(value / 24), "day");
  });
}

/** A code of the data as words: "low_rating" -> "Low rating". */
export function words(code: string | null | undefined, none = "not given"): string {
  if (!code) return none;
  return capitalised(code.replaceAll("_", " "));
}

export const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
