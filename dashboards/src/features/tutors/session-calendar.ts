import type { IconName } from "../../components/icons";
import type { Tone } from "../../components/tag";
import type { Outcome, SessionDay } from "../../lib/api-types";
import { count, counted } from "../../lib/format";
import { firstWeekday } from "../../lib/locale";

const DAY_MS = 86_400_000;
export const CALENDAR_DAYS = 90;

interface Look {
  label: string;
  tone: Tone;
  icon?: IconName;
}

/** The gravest first; a sign for each that is more than "as planned", so that colour is not needed. */
export const OUTCOMES: Record<Outcome, Look> = {
  missed: { label: "missed by the tutor", tone: "high", icon: "cross" },
  cancelled: { label: "cancelled by the tutor", tone: "high", icon: "ban" },
  moved: { label: "moved by the tutor", tone: "watch", icon: "move" },
  late: { label: "started late", tone: "watch", icon: "clock" },
  excused: { label: "excused", tone: "none", icon: "dash" },
  other: { label: "not held, but not by the tutor", tone: "none", icon: "person" },
  held: { label: "held as planned", tone: "ok" },
};

interface Cell {
  date: string;
  /** Absent on days without sessions. */
  day?: SessionDay;
}

interface Week {
  start: string;
  /** Seven days; null beyond the range. */
  cells: (Cell | null)[];
}

const written = (time: number) => new Date(time).toISOString().slice(0, 10);

/** The days up to `asOf`, in whole weeks that begin with a weekday: 1 is Monday, 7 is Sunday. */
export function weeksOf(
  days: readonly SessionDay[],
  asOf: string,
  length = CALENDAR_DAYS,
  weekday = firstWeekday(),
): Week[] {
  const known = new Map(days.map((day) => [day.day, day]));
  const last = Date.parse(asOf);
  const first = last - (length - 1) * DAY_MS;
  if (Number.isNaN(last)) return [];
  const daysBefore = (new Date(first).getUTCDay() - weekday + 7) % 7;
  const weeks: Week[] = [];
  for (let start = first - daysBefore * DAY_MS; start <= last; start += 7 * DAY_MS) {
    const cells = Array.from({ length: 7 }, (_, place) => {
      const time = start + place * DAY_MS;
      if (time < first || time > last) return null;
      const date = written(time);
      return { date, day: known.get(date) };
    });
    weeks.push({ start: written(start), cells });
  }
  return weeks;
}

/** "6 sessions: 5 cancelled by the tutor, 1 held as planned" */
export function dayInWords({ sessions, outcomes }: SessionDay): string {
  const parts = outcomes.map(
    (each) => `${count(each.sessions)} ${OUTCOMES[each.outcome]?.label ?? each.outcome}`,
  );
  return `${counted(sessions, "session")}: ${parts.join(", ")}`;
}

const LET_DOWNS: ReadonlySet<Outcome> = new Set(["missed", "cancelled", "moved"]);

/** The gravest outcome of a day, and how many sessions had it; of what the tutor did not hold, all kinds together. */
export function gravest({ outcomes }: SessionDay): { outcome: Outcome; sessions: number } | undefined {
  const [worst] = outcomes;
  if (!worst || !LET_DOWNS.has(worst.outcome)) return worst;
  const sessions = outcomes
    .filter(({ outcome }) => LET_DOWNS.has(outcome))
    .reduce((sum, each) => sum + each.sessions, 0);
  return { outcome: worst.outcome, sessions };
}

/** Why, if a reason was given: "sick day" for illness. */
export function dayWithReason(reason: string | null): string {
  if (reason === null) return "day";
  if (/^(sick|ill)/.test(reason)) return "sick day";
  return `day (${reason.replaceAll("_", " ")})`;
}
