import { percent } from "../lib/format";
import classes from "./rate-interval.module.css";

/** The scale ends here; the few estimates above stand at its end. */
const SCALE_TO = 0.5;

interface RateIntervalProps {
  expected: number | null;
  low: number | null;
  high: number | null;
  /** The rate that should not be exceeded, drawn as a tick. */
  threshold?: number;
}

const at = (rate: number) => `${Math.min(1, Math.max(0, rate / SCALE_TO)) * 100}%`;

/** An estimated rate with the interval that holds it in nine of ten cases, on a scale that all rows share. */
export function RateInterval({ expected, low, high, threshold }: RateIntervalProps) {
  if (expected === null || low === null || high === null) return null;
  if (![expected, low, high].every(Number.isFinite)) return null;
  const said = `about ${percent(expected)}, in nine of ten cases between ${percent(low)} and ${percent(high)}`;
  return (
    <span className={classes.track} role="img" aria-label={said} title={said}>
      <span className={classes.band} style={{ left: at(low), right: `calc(100% - ${at(high)})` }} />
      {threshold !== undefined && <span className={classes.threshold} style={{ left: at(threshold) }} />}
      <span
        className={classes.dot}
        style={{ left: at(expected) }}
        data-above={threshold !== undefined && low > threshold}
      />
    </span>
  );
}
