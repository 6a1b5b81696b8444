import type { ProbabilityBand } from "../../lib/api-types";
import { percent } from "../../lib/format";

type Band = Pick<
  ProbabilityBand,
  "probability_from" | "probability_to" | "above_share_expected" | "above_share_low" | "above_share_high"
>;

/** Said only where chance does not explain the difference, by the figures as they are shown. */
export function verdict(band: Band): "too high" | "too low" | undefined {
  const shown = (share: number) => Math.round(100 * share);
  const expected = shown(band.above_share_expected);
  if (expected > shown(band.above_share_high)) return "too high";
  if (expected < shown(band.above_share_low)) return "too low";
  return undefined;
}

/** An interval wider than this holds nearly every forecast. */
const WIDEST = 0.2;

/** Which chances to trust: those of bands with a narrow interval that holds the forecast. Bands with few checks are not named. */
export function trustworthy(bands: Band[]): string {
  const rangesOf = (wanted: ReturnType<typeof verdict>) =>
    ranges(
      bands.filter(
        (band) =>
          verdict(band) === wanted && (wanted || band.above_share_high - band.above_share_low <= WIDEST),
      ),
    );
  const [held, high, low] = [rangesOf(undefined), rangesOf("too high"), rangesOf("too low")];
  return [
    held ? `You can trust chances of ${held}.` : "No chance is proven right yet.",
    high && `Chances of ${high} were too high.`,
    low && `Chances of ${low} were too low.`,
  ]
    .filter(Boolean)
    .join(" ");
}

const whole = (share: number) => percent(share, { digits: 0 });

/** "0%–20% and 50%–60%": neighbours are one range. */
function ranges(bands: Band[]): string {
  const found: { from: number; to: number }[] = [];
  for (const { probability_from: from, probability_to: to } of bands) {
    const before = found.at(-1);
    if (before && Math.abs(before.to - from) < 1e-9) before.to = to;
    else found.push({ from, to });
  }
  const said = found.map(({ from, to }) => `${whole(from)}–${whole(to)}`);
  return said.length > 1 ? `${said.slice(0, -1).join(", ")} and ${said.at(-1)}` : (said[0] ?? "");
}
