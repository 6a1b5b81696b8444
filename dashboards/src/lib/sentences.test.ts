import { beforeEach, describe, expect, it, vi } from "vitest";

beforeEach(() => {
  vi.resetModules();
  vi.unstubAllGlobals();
});

/** As in a browser of this language: the locale is read when the page is loaded. */
async function readIn(language: string) {
  vi.stubGlobal("navigator", { language });
  const { asRead } = await import("./sentences");
  // Before a percent sign, some languages have a blank that does not break.
  return (sentence: string) => asRead(sentence).replaceAll("\u00a0", " ");
}

/** As core/concerns.py, core/patterns.py and api/cases/words.py write them. */
const SENTENCES = [
  "Ends on 3 November 2026 if every session is held until then.",
  "The chance last reached 80% on 1 May 2026. Ends when this chance falls below 50%.",
  "suddenly worse since 29 February",
  "The tutor moved 1,204 of 12,900 sessions in 90 days, 9.3%. From now on, 8.0% to 9.9% is likely.",
  "12 ratings in 180 days, 4.0 on average. From now on, 3.9 to 4.1 is likely.",
  "suddenly worse: 7.0% → 30% in the last 30 days",
];

describe("days and figures in sentences follow the browser", () => {
  it("de-DE", async () => {
    expect(SENTENCES.map(await readIn("de-DE"))).toEqual([
      "Ends on 3. November 2026 if every session is held until then.",
      "The chance last reached 80 % on 1. Mai 2026. Ends when this chance falls below 50 %.",
      "suddenly worse since 29. Februar",
      "The tutor moved 1.204 of 12.900 sessions in 90 days, 9,3 %. From now on, 8,0 % to 9,9 % is likely.",
      "12 ratings in 180 days, 4,0 on average. From now on, 3,9 to 4,1 is likely.",
      "suddenly worse: 7,0 % → 30 % in the last 30 days",
    ]);
  });

  it("en-US", async () => {
    const read = await readIn("en-US");
    expect(read("Ends on 3 November 2026. suddenly worse since 3 November: 1,204 at 7.0%")).toBe(
      "Ends on November 3, 2026. suddenly worse since November 3: 1,204 at 7.0%",
    );
  });

  it("en-GB, in which they are written", async () => {
    expect(SENTENCES.map(await readIn("en-GB"))).toEqual(SENTENCES);
  });
});

it.each([
  "Session S-1,204 and tutor-0202 at 14:00 to 18:00",
  "From 14-18 on 2026-01-31, 20 of Maths1.5",
  "case 1204 of version 1.29.3",
  "9 of 10; 5 to 7",
  "GCSE 01: no pattern",
])("%s has nothing to be written anew", async (sentence) => {
  const read = await readIn("de-DE");
  expect(read(sentence)).toBe(sentence);
});
