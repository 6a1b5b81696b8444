import { describe, expect, it } from "vitest";
import { markUnreadable } from "./unreadable-numbers";

describe("what should be a number", () => {
  it("and is none becomes NaN, and is named; null stays where the API allows it", () => {
    const answer = {
      data: [
        { name: "12", external_id: "7", sessions_90d: "41", let_down_rate_90d: null, quality_score: 71.5 },
      ],
      meta: { total: null },
    };
    expect([...markUnreadable(answer)].sort()).toEqual(["sessions_90d", "total"]);
    expect(answer).toEqual({
      data: [
        {
          name: "12",
          external_id: "7",
          sessions_90d: Number.NaN,
          let_down_rate_90d: null,
          quality_score: 71.5,
        },
      ],
      meta: { total: Number.NaN },
    });
  });

  it("and is one is left alone", () => {
    expect(markUnreadable({ data: { sessions_90d: 0, risk_probability: 1 } }).size).toBe(0);
  });
});
