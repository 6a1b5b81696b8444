/** Addresses as people write them, `?risk=watch&page=2`: plain text, and nothing for what is not set. */

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

/** The first moment of a day of the reader's zone; `later` is the number of days after it. */
export function beginningOf(date: string | undefined, later = 0): string | undefined {
  if (!date) return undefined;
  const moment = new Date(`${date}T00:00:00`);
  moment.setDate(moment.getDate() + later);
  return moment.toISOString();
}
