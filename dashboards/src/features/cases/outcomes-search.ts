export const RANGES = [3, 6, 12, 24] as const;
export const DEFAULT_MONTHS = 6;

/** How many months are looked at, as in the address. */
export interface OutcomesSearch {
  months?: (typeof RANGES)[number];
}

export const outcomesSearch = (raw: Record<string, unknown>): OutcomesSearch => ({
  months: RANGES.find((months) => months === Number(raw.months) && months !== DEFAULT_MONTHS),
});
