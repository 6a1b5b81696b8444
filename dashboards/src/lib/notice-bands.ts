import type { NoticeBand } from "./api-types";
import { trimmed } from "./format";

type Hours = Pick<NoticeBand, "from_hours" | "to_hours">;

/** From so many hours on, days are easier to read. */
const DAYS_FROM_HOURS = 48;

/** A range of notice in as few characters as an axis has room for: "after", "0–3 h", "12–24 h", "2–3 d", "7+ d". */
export function noticeLabel({ from_hours: from, to_hours: to }: Hours): string {
  if (from === null) return "after";
  const inDays = from >= DAYS_FROM_HOURS;
  const written = (hours: number) => trimmed(inDays ? hours / 24 : hours);
  const unit = inDays ? "d" : "h";
  return to === null ? `${written(from)}+ ${unit}` : `${written(from)}–${written(to)} ${unit}`;
}

/** The band with which notice is no longer short: the limit is where it begins. */
export function limitOf<Band extends Hours & { is_short: boolean }>(
  bands: readonly Band[],
): string | undefined {
  const first = bands.find(({ is_short }) => !is_short);
  return first && noticeLabel(first);
}
