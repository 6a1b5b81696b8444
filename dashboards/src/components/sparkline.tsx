import { daysOfWeek, soFar } from "../lib/week";
import classes from "./sparkline.module.css";

const WIDTH = 88;
const HEIGHT = 24;
const MARGIN = 2.5;

interface SparklineProps {
  /** Fractions 0-1, oldest first; null where there was nothing to count. */
  values: readonly (number | null)[];
  /** What the line is, for those who do not see it. */
  label: string;
  /** The day up to which the last value counts. Dashed to it, unless its week is whole. */
  asOf?: string;
}

/** A trend without axes: gaps stay gaps, and all lines of a page share the scale 0 to 50%. */
export function Sparkline({ values, label, asOf }: SparklineProps) {
  const known = values.filter(Number.isFinite).length;
  if (known < 2) return <span className={classes.none}>too few weeks</span>;
  const step = (WIDTH - 2 * MARGIN) / (values.length - 1);
  const points = values.map((value, index) =>
    value !== null && Number.isFinite(value)
      ? [MARGIN + index * step, HEIGHT - MARGIN - Math.min(1, value / 0.5) * (HEIGHT - 2 * MARGIN)]
      : null,
  );
  const last = points.findLast((point) => point !== null);
  const [before, newest] = points.slice(-2);
  const partial = newest ? soFar(daysOfWeek(asOf)) : null;
  const words = partial ? `${label}; the last point is ${partial}` : label;
  return (
    <svg className={classes.sparkline} width={WIDTH} height={HEIGHT} role="img" aria-label={words}>
      {partial && <title>{`Dashed: ${partial}`}</title>}
      <line
        x1={MARGIN}
        x2={WIDTH - MARGIN}
        y1={HEIGHT - MARGIN}
        y2={HEIGHT - MARGIN}
        className={classes.base}
      />
      <path d={linePath(partial ? points.slice(0, -1) : points)} className={classes.line} />
      {partial && before && newest && (
        <path d={linePath([before, newest])} className={classes.line} strokeDasharray="2 2.5" />
      )}
      {last && (
        <circle cx={last[0]} cy={last[1]} r={2.5} className={classes.last} data-partial={partial !== null} />
      )}
    </svg>
  );
}

function linePath(points: (number[] | null)[]): string {
  return points
    .map((point, index) =>
      point ? `${points[index - 1] ? "L" : "M"}${point[0]?.toFixed(1)} ${point[1]?.toFixed(1)}` : "",
    )
    .join("");
}
