/** Sentences that the API makes: their words are English, as those of the page; their figures and days are the reader's. */

import { LOCALE } from "./locale";

const MONTHS = Array.from({ length: 12 }, (_, month) =>
  new Date(Date.UTC(2024, month)).toLocaleString("en", { month: "long", timeZone: "UTC" }),
);
/** "3 November 2026" and "3 November"; "1,204", "4.5" and "7.0%". No clock, no range of hours, no part of an id. */
const WRITTEN = new RegExp(
  `\\b(\\d{1,2}) (${MONTHS.join("|")})(?: (\\d{4}))?\\b|(?<![\\w.,:-])((?!0\\d)\\d{1,3}(?:,\\d{3})*(?:\\.(\\d+))?)(%?)(?![\\w:]|[.,-]\\d)`,
  "g",
);
const DAY = { day: "numeric", month: "long", timeZone: "UTC" } as const;

/** A sentence of the API with its days and figures as the reader writes them. */
export const asRead = (sentence: string): string =>
  sentence.replace(WRITTEN, (_, day, month, year, number, decimals = "", sign) => {
    if (month) {
      // Of a leap year, if of none.
      const date = new Date(Date.UTC(Number(year ?? 2024), MONTHS.indexOf(month), Number(day)));
      return date.toLocaleDateString(LOCALE, year ? { ...DAY, year: "numeric" } : DAY);
    }
    const value = Number(number.replaceAll(",", ""));
    const digits = { minimumFractionDigits: decimals.length, maximumFractionDigits: decimals.length };
    return sign
      ? (value / 100).toLocaleString(LOCALE, { style: "percent", ...digits })
      : value.toLocaleString(LOCALE, digits);
  });
