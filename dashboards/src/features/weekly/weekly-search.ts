/** Which week is shown, as in the address: "2026-W47". Without one, the last whole week. */
interface WeeklySearch {
  week?: string;
}

const WEEK = /^\d{4}-W\d{2}$/;

export const weeklySearch = (raw: Record<string, unknown>): WeeklySearch => ({
  week: typeof raw.week === "string" && WEEK.test(raw.week) ? raw.week : undefined,
});
