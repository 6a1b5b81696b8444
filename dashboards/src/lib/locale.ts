/** Where the reader is from: the words of the page are English, its figures and days are written as the reader does. */

/**
 * The browser's locale, with the months of the API's days and digits that read well beside English words. Some browsers
 * name a language that is none.
 */
export const LOCALE = (() => {
  const written = { calendar: "gregory", numberingSystem: "latn" };
  try {
    return new Intl.Locale(navigator.language, written).toString();
  } catch {
    return new Intl.Locale("en-GB", written).toString();
  }
})();

/** Regions whose weeks do not begin on Monday, from CLDR's weekData, for browsers that do not know. */
const FIRST_WEEKDAYS: Record<number, string> = {
  5: "MV",
  6: "AF BH DJ DZ EG IQ IR JO KW LY OM QA SD SY",
  7:
    "AG AS BD BR BS BT BW BZ CA CO DM DO ET GT GU HK HN ID IL IN IS JM JP KE KH KR LA MH MM MO MT MX MZ NI NP PA PE PH " +
    "PK PR PT PY SA SG SV TH TT TW UM US VE VI WS YE ZA ZW",
};

interface WeekInfo {
  firstDay: number;
}
/** Newer than the types of Intl; older browsers have a property instead of the method. */
type WithWeeks = Intl.Locale & { getWeekInfo?: () => WeekInfo; weekInfo?: WeekInfo };

/** The day that weeks begin with: 1 is Monday, 7 is Sunday. */
export function firstWeekday(locale = LOCALE): number {
  const known: WithWeeks = new Intl.Locale(locale);
  const info = known.getWeekInfo?.() ?? known.weekInfo;
  return info?.firstDay ?? firstWeekdayOf(known.maximize().region ?? "");
}

export function firstWeekdayOf(region: string): number {
  const [day] =
    Object.entries(FIRST_WEEKDAYS).find(([, regions]) => regions.split(" ").includes(region)) ?? [];
  return Number(day ?? 1);
}

/** Between the whole and the fraction of a number, for inputs that take one. */
export const DECIMAL_SEPARATOR =
  new Intl.NumberFormat(LOCALE).formatToParts(0.5).find(({ type }) => type === "decimal")?.value ?? ".";

const WEEKDAY = new Intl.DateTimeFormat(LOCALE, { weekday: "short", timeZone: "UTC" });

/** The seven days of a week as the reader orders and names them; `day` is 1 on Monday to 7 on Sunday. */
export const WEEKDAYS: readonly { day: number; name: string }[] = Array.from({ length: 7 }, (_, place) => {
  const day = ((firstWeekday() - 1 + place) % 7) + 1;
  // 1 January 2024 was a Monday.
  return { day, name: WEEKDAY.format(Date.UTC(2024, 0, day)) };
});
