import { count } from "../../lib/format";

/** How many more students a tutor takes, in words. */
export function freePlaces(free: number | null): string {
  if (free === null) return "capacity unknown";
  return free === 0 ? "full" : `${count(free)} free`;
}
