import { beforeEach, describe, expect, it, vi } from "vitest";

beforeEach(() => {
  vi.resetModules();
  vi.unstubAllGlobals();
});

/** As in a browser of this language: the locale is read when the page is loaded. */
async function inBrowserOf(language: string) {
  vi.stubGlobal("navigator", { language });
  return { ...(await import("./format")), ...(await import("./locale")) };
}

describe("figures and days follow the browser", () => {
  it("de-DE", async () => {
    const page = await inBrowserOf("de-DE");
    expect(page.counted(1204, "session")).toBe("1.204 sessions");
    expect(page.percent(0.125)).toMatch(/^12,5\s%$/);
    expect(page.points(-0.043)).toBe("−4,3 pts");
    expect(page.probability(0.004)).toMatch(/^< 1\s%$/);
    expect(page.trimmed(0.12345)).toBe("0,12");
    expect(page.day("2026-01-31")).toBe("31. Jan. 2026");
    expect(page.hourOfDay(17)).toBe("17:00");
    expect(page.DECIMAL_SEPARATOR).toBe(",");
    expect(page.WEEKDAYS.map(({ name }) => name)).toEqual(["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"]);
  });

  it("en-US", async () => {
    const page = await inBrowserOf("en-US");
    expect(page.counted(1204, "session")).toBe("1,204 sessions");
    expect(page.percent(0.125)).toBe("12.5%");
    expect(page.day("2026-01-31")).toBe("Jan 31, 2026");
    expect(page.hourOfDay(17)).toMatch(/^05:00\sPM$/);
    expect(page.WEEKDAYS.map(({ day }) => day)).toEqual([7, 1, 2, 3, 4, 5, 6]);
    expect(page.WEEKDAYS[0]?.name).toBe("Sun");
  });

  it("ar-EG, whose weeks begin on Saturday", async () => {
    const page = await inBrowserOf("ar-EG");
    // Beside English words: no other digits.
    expect(page.count(1204)).toBe("1,204");
    expect(page.WEEKDAYS[0]?.day).toBe(6);
  });

  it("fa-IR, whose own calendar has another year", async () => {
    const page = await inBrowserOf("fa-IR");
    expect(page.day("2026-01-31")).toContain("2026");
    expect(page.day("2026-01-31")).toContain("31");
  });

  it("a language that is none is read as British English", async () => {
    const page = await inBrowserOf("en_US.UTF-8");
    expect(page.LOCALE).toMatch(/^en-GB\b/);
    expect(page.day("2026-01-31")).toBe("31 Jan 2026");
  });
});

it("nouns are English, whatever plurals the reader's language has", async () => {
  const { counted } = await inBrowserOf("pl-PL");
  expect([0, 1, 2, 5, 22].map((number) => counted(number, "session"))).toEqual([
    "0 sessions",
    "1 session",
    "2 sessions",
    "5 sessions",
    "22 sessions",
  ]);
});

it.each([
  ["en-US", 7],
  ["en-GB", 1],
  ["de-DE", 1],
  ["de", 1],
  ["en", 7],
  ["pt-BR", 7],
  ["pt-PT", 7],
  ["is-IS", 7],
  ["ar-EG", 6],
  ["fa-IR", 6],
  ["dv-MV", 5],
])("the first weekday of %s is %s, also in a browser that does not know", async (locale, day) => {
  const { firstWeekday, firstWeekdayOf } = await inBrowserOf(locale);
  expect(firstWeekday()).toBe(day);
  expect(firstWeekdayOf(new Intl.Locale(locale).maximize().region ?? "")).toBe(day);
});
