import { percent } from "../lib/format";
import classes from "./rate-interval.module.css";

/** Unless another is asked for, the scale ends here; the few estimates above stand at its end. */
const RATES = { from: 0, to: 0.5 };

interface RateIntervalProps {
  expected: number | null;
  low: number | null;
  high: number | null;
  /** The limit, drawn as a tick. */
  threshold?: number;
  scale?: { from: number; to: number };
  write?: (value: number) => string;
}

/** An estimate with the interval that holds it in nine of ten cases, on a scale that all rows share. */
export function RateInterval(props: RateIntervalProps) {
  const { expected, low, high, threshold, scale = RATES, write = percent } = props;
  if (expected === null || low === null || high === null) return null;
  if (![expected, low, high].every(Number.isFinite)) return null;
  const at = (value: number) =>
    `${Math.min(1, Math.max(0, (value - scale.from) / (scale.to - scale.from))) * 100}%`;
  const limit = threshold === undefined ? "" : `; the limit is ${write(threshold)}`;
  const said = `about ${write(expected)}, 90% likely between ${write(low)} and ${write(high)}${limit}`;
  return (
    <span className={classes.track} role="img" aria-label={said} title={said}>
      <span className={classes.band} style={{ left: at(low), right: `calc(100% - ${at(high)})` }} />
      {threshold !== undefined && <span className={classes.threshold} style={{ left: at(threshold) }} />}
      <span className={classes.dot} style={{ left: at(expected) }} />
    </span>
  );
}
