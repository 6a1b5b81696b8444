/**
 * Limits of a funnel plot: within them, a tutor who lets down exactly as often as the platform lands with the given
 * probability, by chance alone. Quantiles of the binomial distribution, interpolated between whole counts so that the
 * limits are smooth (Spiegelhalter 2005, "Funnel plots for comparing institutional performance", A.1.1).
 */

/** The rate (0-1) below which a share `p` of samples of `n` sessions lies when the true rate is `rate`. */
export function rateQuantile(n: number, rate: number, p: number): number {
  if (n <= 0 || rate <= 0) return 0;
  if (rate >= 1) return 1;
  const odds = Math.log(rate) - Math.log1p(-rate);
  let logMass = n * Math.log1p(-rate);
  let below = 0;
  for (let k = 0; k <= n; k += 1) {
    const mass = Math.exp(logMass);
    if (below + mass >= p) {
      const exact = k - (below + mass - p) / mass;
      return Math.min(1, Math.max(0, exact / n));
    }
    below += mass;
    logMass += Math.log((n - k) / (k + 1)) + odds;
  }
  return 1;
}

/** The lower and upper limit that enclose a share `inside` of tutors at the platform's rate. */
export function limits(n: number, rate: number, inside: number): { low: number; high: number } {
  const tail = (1 - inside) / 2;
  return { low: rateQuantile(n, rate, tail), high: rateQuantile(n, rate, 1 - tail) };
}
