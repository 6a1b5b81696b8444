import { describe, expect, it } from "vitest";
import type { FunnelPoint } from "../../lib/api-types";
import {
  bandPath,
  gravestFirst,
  isDrawable,
  nearest,
  nextPlace,
  rateTicks,
  scaleOf,
  sessionTicks,
} from "./funnel";

const point = (sessions: number, rate: number | null, id = "a"): FunnelPoint => ({
  tutor_id: id,
  external_id: null,
  name: null,
  risk_status: "ok",
  attention: false,
  concerns: [],
  sessions_90d: sessions,
  let_down_rate_90d: rate,
});

describe("the funnel", () => {
  it("finds the point under the mouse, and none where there is none", () => {
    const points = [point(10, 0.1, "a"), point(90, 0.4, "b")];
    const scale = scaleOf(points);
    expect(nearest(points, scale, scale.x(90) + 3, scale.y(0.4) - 3)?.tutor_id).toBe("b");
    expect(nearest(points, scale, scale.x(40), scale.y(0.3))).toBeUndefined();
  });

  it("has those first that need attention, and of these who lets down most often", () => {
    const points = [
      point(10, 0.1, "fine"),
      { ...point(10, 0.2, "often"), attention: true },
      point(10, 0.9, "fine, though often"),
      { ...point(10, 0.3, "oftener"), attention: true },
    ];
    const ids = gravestFirst(points).map(({ tutor_id }) => tutor_id);
    expect(ids).toEqual(["oftener", "often", "fine, though often", "fine"]);
  });

  it("is gone through by keys, which stop at its ends", () => {
    expect(nextPlace("ArrowRight", 3, 30)).toBe(4);
    expect(nextPlace("ArrowUp", 0, 30)).toBe(0);
    expect(nextPlace("PageDown", 25, 30)).toBe(29);
    expect(nextPlace("Home", 25, 30)).toBe(0);
    expect(nextPlace("End", 0, 30)).toBe(29);
    expect(nextPlace("Tab", 3, 30)).toBeUndefined();
  });

  it("leaves out what cannot be read", () => {
    expect(isDrawable(point(5, null))).toBe(false);
    expect(isDrawable(point(Number.NaN, 0.2))).toBe(false);
    expect(isDrawable(point(5, 0))).toBe(true);
  });

  it("draws limits for thousands of sessions as a short path without gaps", () => {
    const path = bandPath(scaleOf([point(6_000, 0.2)]), 0.11, 0.95);
    expect(path).not.toContain("NaN");
    expect(path.split("L").length).toBeLessThan(130);
  });

  it("has ticks that stay within the drawing", () => {
    const scale = scaleOf([point(37, 0.83)]);
    expect(Math.max(...sessionTicks(scale))).toBeLessThanOrEqual(37);
    expect(Math.max(...rateTicks(scale))).toBeLessThanOrEqual(scale.rateTo + 1e-9);
    expect(scale.rateTo).toBe(0.9);
  });
});
