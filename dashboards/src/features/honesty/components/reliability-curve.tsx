import { type Column, Table } from "../../../components/table";
import type { ProbabilityBand } from "../../../lib/api-types";
import { count, percent } from "../../../lib/format";
import { verdict } from "../verdict";
import classes from "./reliability-curve.module.css";

const SIZE = 300;
const MARGIN = { left: 44, bottom: 34, top: 10, right: 20 };
const WIDTH = SIZE + MARGIN.left + MARGIN.right;
const HEIGHT = SIZE + MARGIN.top + MARGIN.bottom;
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const x = (share: number) => MARGIN.left + share * SIZE;
const y = (share: number) => MARGIN.top + (1 - share) * SIZE;

interface ReliabilityCurveProps {
  bands: ProbabilityBand[];
  threshold: number;
}

/** Shares that were forecast to be above the limit against those that were: on the diagonal, forecasts are right. */
export function ReliabilityCurve({ bands, threshold }: ReliabilityCurveProps) {
  // A figure that is no number is shown as unreadable in the table, and has no point.
  const points = bands
    .filter((band) =>
      [
        band.above_share_expected,
        band.above_share,
        band.above_share_low,
        band.above_share_high,
        band.judged,
      ].every(Number.isFinite),
    )
    .map((band) => ({
      band,
      at: [x(band.above_share_expected), y(band.above_share)] as const,
      ends: [y(band.above_share_low), y(band.above_share_high)] as const,
    }));
  const most = Math.max(...points.map(({ band }) => band.judged));
  const limit = percent(threshold, { digits: 0 });
  return (
    <div className={classes.both}>
      <figure className={classes.figure}>
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          role="img"
          aria-label={`Forecast and actual shares above ${limit}, as in the table`}
        >
          {TICKS.map((tick) => (
            <g key={tick} className={classes.tick}>
              <line x1={x(tick)} y1={y(0)} x2={x(tick)} y2={y(1)} />
              <line x1={x(0)} y1={y(tick)} x2={x(1)} y2={y(tick)} />
              <text x={x(tick)} y={y(0) + 14} textAnchor="middle">
                {percent(tick, { digits: 0 })}
              </text>
              <text x={x(0) - 6} y={y(tick) + 4} textAnchor="end">
                {percent(tick, { digits: 0 })}
              </text>
            </g>
          ))}
          <line className={classes.right} x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
          <polyline className={classes.line} points={points.map(({ at }) => at.join(",")).join(" ")} />
          {points.map(({ band, at: [left, top], ends: [low, high] }) => (
            <g key={band.probability_from}>
              <line className={classes.interval} x1={left} y1={low} x2={left} y2={high} />
              <circle
                className={classes.point}
                cx={left}
                cy={top}
                r={3 + 6 * Math.sqrt(band.judged / most)}
              />
            </g>
          ))}
          <text className={classes.axis} x={x(0.5)} y={HEIGHT - 4} textAnchor="middle">
            Forecast share above {limit}
          </text>
        </svg>
        <figcaption>
          Vertical axis: actual share above {limit}. Bars show the 95% interval. On the dashed line, forecasts
          match outcomes. Chances here are for a 30-day rate. Tutor pages show chances for the true rate.
        </figcaption>
      </figure>
      <div className={classes.table}>
        <Table
          label="By forecast chance"
          rows={bands}
          keyOf={({ probability_from }) => probability_from}
          columns={COLUMNS}
          isCompact
        />
      </div>
    </div>
  );
}

const whole = (share: number) => percent(share, { digits: 0 });
const COLUMNS: Column<ProbabilityBand>[] = [
  {
    header: "Forecast chance",
    isRowHeader: true,
    cell: ({ probability_from, probability_to }) => `${whole(probability_from)}–${whole(probability_to)}`,
  },
  { header: "Checks", align: "right", cell: ({ judged }) => count(judged) },
  {
    header: "Expected above",
    align: "right",
    cell: (band) => whole(band.above_share_expected),
    detail: verdict,
  },
  {
    header: "Actually above",
    align: "right",
    cell: (band) => whole(band.above_share),
    detail: ({ above_share_low, above_share_high }) => `${whole(above_share_low)}–${whole(above_share_high)}`,
  },
];
