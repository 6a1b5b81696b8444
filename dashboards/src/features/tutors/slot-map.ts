import type { Slot } from "../../lib/api-types";

/** From this rate on a cell is darker by a step; with few sessions a rate says little. */
const STEPS = [0.1, 0.2, 0.35];
const FEW_SESSIONS = 4;

/** All hours from the first to the last one with sessions. */
export function hoursOf(slots: Slot[]): number[] {
  const known = slots.map(({ hour }) => hour);
  const first = Math.min(...known);
  return slots.length === 0
    ? []
    : Array.from({ length: Math.max(...known) - first + 1 }, (_, i) => first + i);
}

export const inSlot = (slots: Slot[], weekday: number, hour: number): Slot | undefined =>
  slots.find((slot) => slot.weekday === weekday && slot.hour === hour);

/** How dark a cell is: 0 (few sessions, or a low rate) to 3. */
export function toneOf({ sessions, let_downs }: Slot): number {
  if (sessions < FEW_SESSIONS) return 0;
  return STEPS.filter((step) => let_downs / sessions >= step).length;
}
