const DID: Record<string, string> = { reschedules: "moved", cancellations: "cancelled", no_shows: "missed" };

/** What the settings count as a let-down: "moved, cancelled or missed". */
export const letDownsInWords = (counts: readonly string[]): string =>
  listed(counts.map((cause) => DID[cause] ?? cause));

const listed = (words: string[]) => new Intl.ListFormat("en-GB", { type: "disjunction" }).format(words);
