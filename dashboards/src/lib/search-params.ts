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
