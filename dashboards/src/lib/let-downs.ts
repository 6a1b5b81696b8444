import { percent } from "./format";
import { daysOfWeek } from "./week";

const DID: Record<string, string> = { reschedules: "moved", cancellations: "cancelled", no_shows: "missed" };

/** What the settings count as a let-down: "moved, cancelled or missed". */
export const letDownsInWords = (counts: readonly string[]): string =>
  listed(counts.map((cause) => DID[cause] ?? cause));

const listed = (words: string[]) => new Intl.ListFormat("en-GB", { type: "disjunction" }).format(words);

/** The lowest and the highest whole week up to `asOf`: "2% to 46%"; nothing without two weeks that are known. */
export function weeklyRange(rates: readonly (number | null)[], asOf?: string): string {
  const whole = daysOfWeek(asOf) < 7 ? rates.slice(0, -1) : rates;
  const known = whole.filter((rate): rate is number => rate !== null && Number.isFinite(rate));
  if (known.length < 2) return "";
  const [low, high] = [Math.min(...known), Math.max(...known)].map((rate) => percent(rate, { digits: 0 }));
  return low === high ? `${low}` : `${low} to ${high}`;
}
