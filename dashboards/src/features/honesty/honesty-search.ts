import { someText } from "../../lib/search-params";

export const VOLUMES = [0, 20, 60, 150] as const;

/** Which forecasts are looked at, as in the address. */
export interface HonestySearch {
  /** As in "2026-07". */
  month?: string;
  subject?: string;
  /** Where the band of sessions in 90 days begins. */
  volume?: (typeof VOLUMES)[number];
}

export const honestySearch = (raw: Record<string, unknown>): HonestySearch => ({
  month: /^[12]\d{3}-(0[1-9]|1[0-2])$/.test(String(raw.month)) ? String(raw.month) : undefined,
  subject: someText(raw.subject),
  volume: raw.volume === undefined ? undefined : VOLUMES.find((volume) => volume === Number(raw.volume)),
});

/** A band of sessions in 90 days: "under 20", "20–59", "150 or more". */
export function volumeLabel(from: number): string {
  const next = VOLUMES.find((volume) => volume > from);
  if (from === 0) return `under ${next}`;
  return next === undefined ? `${from} or more` : `${from}–${next - 1}`;
}
