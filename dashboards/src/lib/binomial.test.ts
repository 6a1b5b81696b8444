import { describe, expect, it } from "vitest";
import { limits, rateQuantile } from "./binomial";

/** P(X <= k) of a binomial distribution, by its definition. */
function cumulative(k: number, n: number, rate: number): number {
  let sum = 0;
  for (let count = 0; count <= k; count += 1) {
    let ways = 1;
    for (let index = 1; index <= count; index += 1) ways = (ways * (n - count + index)) / index;
    sum += ways * rate ** count * (1 - rate) ** (n - count);
  }
  return sum;
}

describe("the limits of the funnel", () => {
  it.each([
    [20, 0.1, 0.975],
    [20, 0.1, 0.999],
    [50, 0.11, 0.025],
    [40, 0.5, 0.975],
  ])("of %i sessions at %d: the interpolated quantile lies between the counts around it", (n, rate, p) => {
    const count = rateQuantile(n, rate, p) * n;
    const above = Math.ceil(count - 1e-9);
    expect(cumulative(above, n, rate)).toBeGreaterThanOrEqual(p - 1e-9);
    expect(above === 0 ? 0 : cumulative(above - 1, n, rate)).toBeLessThanOrEqual(p + 1e-9);
  });

  it("narrow with the sessions, around the rate", () => {
    let width = 1;
    for (const n of [10, 40, 160, 640, 5_000]) {
      const { low, high } = limits(n, 0.1, 0.95);
      expect(low).toBeLessThan(0.1);
      expect(high).toBeGreaterThan(0.1);
      expect(high - low).toBeLessThan(width);
      width = high - low;
    }
    expect(width).toBeCloseTo(2 * 1.96 * Math.sqrt((0.1 * 0.9) / 5_000), 3);
  });

  it("never leave 0 to 1, nor fail where there is nothing to compute", () => {
    expect(limits(0, 0.1, 0.95)).toEqual({ low: 0, high: 0 });
    expect(limits(10, 0, 0.95)).toEqual({ low: 0, high: 0 });
    expect(limits(10, 1, 0.95)).toEqual({ low: 1, high: 1 });
    expect(limits(1, 0.9, 0.998).high).toBeLessThanOrEqual(1);
  });
});
