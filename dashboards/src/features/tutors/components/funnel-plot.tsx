import { useNavigate } from "@tanstack/react-router";
import { type MouseEvent, memo, useMemo, useState } from "react";
import { STANDING, STANDINGS, type Standing, standingOf } from "../../../components/standing-badge";
import type { FunnelPoint } from "../../../lib/api-types";
import { concernLabel } from "../../../lib/concerns";
import { count, percent } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import {
  bandPath,
  HEIGHT,
  INNER,
  isDrawable,
  MARGIN,
  nearest,
  OUTER,
  rateOf,
  rateTicks,
  type Scale,
  scaleOf,
  sessionTicks,
  WIDTH,
} from "../funnel";
import classes from "./funnel-plot.module.css";

interface FunnelPlotProps {
  points: FunnelPoint[];
  /** The platform's rate, which the limits are about. */
  rate: number;
  threshold: number;
}

/**
 * Sessions against rates. All points of a standing are one path, so thousands cost no more than a few; the table beside
 * is what keyboards and screen readers use.
 */
export function FunnelPlot({ points, rate, threshold }: FunnelPlotProps) {
  const navigate = useNavigate();
  const drawable = useMemo(() => points.filter(isDrawable), [points]);
  const scale = useMemo(() => scaleOf(drawable), [drawable]);
  const [pointed, setPointed] = useState<FunnelPoint>();

  const find = (event: MouseEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const y = ((event.clientY - box.top) / box.height) * HEIGHT;
    return nearest(drawable, scale, x, y);
  };
  const open = (event: MouseEvent<SVGSVGElement>) => {
    const found = find(event);
    if (found) navigate({ to: "/tutors/$tutorId", params: { tutorId: found.tutor_id } });
  };
  const flagged = useMemo(() => points.filter((point) => standingOf(point) === "attention").length, [points]);
  return (
    <div className={classes.frame}>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the table beside leads to the same tutors */}
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        className={classes.plot}
        role="img"
        aria-label={`${count(points.length)} tutors by sessions and rate of let-downs; ${count(flagged)} need attention. The platform's rate is ${percent(rate)}.`}
        onMouseMove={(event) => setPointed(find(event))}
        onMouseLeave={() => setPointed(undefined)}
        onClick={open}
        data-pointing={pointed !== undefined}
      >
        <Frame scale={scale} rate={rate} threshold={threshold} />
        <Points points={drawable} scale={scale} />
        {pointed && (
          <circle
            cx={scale.x(pointed.sessions_90d)}
            cy={scale.y(rateOf(pointed))}
            r={7}
            className={classes.ring}
          />
        )}
      </svg>
      {pointed && <Tip point={pointed} scale={scale} />}
      <Legend />
    </div>
  );
}

const Frame = memo(function Frame({
  scale,
  rate,
  threshold,
}: {
  scale: Scale;
  rate: number;
  threshold: number;
}) {
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  return (
    <g>
      <path d={bandPath(scale, rate, OUTER)} className={classes.outer} />
      <path d={bandPath(scale, rate, INNER)} className={classes.inner} />
      {rateTicks(scale).map((tick) => (
        <g key={tick}>
          <line x1={MARGIN.left} x2={right} y1={scale.y(tick)} y2={scale.y(tick)} className={classes.grid} />
          <text x={MARGIN.left - 6} y={scale.y(tick) + 4} textAnchor="end">
            {percent(tick, { digits: 0 })}
          </text>
        </g>
      ))}
      {sessionTicks(scale).map((tick) => (
        <text key={tick} x={scale.x(tick)} y={bottom + 16} textAnchor="middle">
          {count(tick)}
        </text>
      ))}
      <text x={right} y={HEIGHT - 3} textAnchor="end">
        sessions in 90 days
      </text>
      <line x1={MARGIN.left} x2={right} y1={scale.y(rate)} y2={scale.y(rate)} className={classes.platform} />
      <line
        x1={MARGIN.left}
        x2={right}
        y1={scale.y(threshold)}
        y2={scale.y(threshold)}
        className={classes.threshold}
      />
    </g>
  );
});

/** A shape per standing, so that colour is not needed to tell them apart. */
const SHAPES: Record<Standing, { radius: number; path: (x: number, y: number, r: number) => string }> = {
  insufficient_data: { radius: 2, path: circle },
  ok: { radius: 2.6, path: circle },
  watch: { radius: 4.2, path: (x, y, r) => `M${x} ${y - r}L${x + r} ${y + r * 0.8}H${x - r}Z` },
  attention: { radius: 4.4, path: (x, y, r) => `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z` },
};

function circle(x: number, y: number, r: number): string {
  return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
}

const Points = memo(function Points({ points, scale }: { points: FunnelPoint[]; scale: Scale }) {
  // The gravest are drawn last, above the others.
  return STANDINGS.toReversed().map((standing) => {
    const { radius, path } = SHAPES[standing];
    const place = (value: number) => Number(value.toFixed(1));
    const drawn = points
      .filter((point) => standingOf(point) === standing)
      .map((point) => path(place(scale.x(point.sessions_90d)), place(scale.y(rateOf(point))), radius));
    return (
      <path
        key={standing}
        d={drawn.join("")}
        className={classes.points}
        data-tone={STANDING[standing].tone}
      />
    );
  });
});

function Tip({ point, scale }: { point: FunnelPoint; scale: Scale }) {
  const x = scale.x(point.sessions_90d) / WIDTH;
  const y = scale.y(rateOf(point)) / HEIGHT;
  const style = {
    left: x > 0.5 ? undefined : `calc(${x * 100}% + 12px)`,
    right: x > 0.5 ? `calc(${(1 - x) * 100}% + 12px)` : undefined,
    top: `calc(${y} * 100cqw * ${HEIGHT / WIDTH} - 20px)`,
  };
  return (
    <div className={classes.tip} style={style}>
      <strong>{tutorName(point)}</strong>
      <span>
        {percent(point.let_down_rate_90d)} of {count(point.sessions_90d)} sessions
      </span>
      <span>
        {point.concerns.length > 0
          ? point.concerns.map(concernLabel).join(", ")
          : STANDING[standingOf(point)]?.label}
      </span>
    </div>
  );
}

function Legend() {
  return (
    <ul className={classes.legend}>
      {STANDINGS.map((standing) => (
        <li key={standing}>
          <svg width={12} height={12} aria-hidden="true">
            <path
              d={SHAPES[standing].path(6, 6, SHAPES[standing].radius + 0.6)}
              className={classes.points}
              data-tone={STANDING[standing].tone}
            />
          </svg>
          {STANDING[standing].label}
        </li>
      ))}
      <li>
        <svg width={18} height={12} aria-hidden="true">
          <line x1={0} x2={18} y1={6} y2={6} className={classes.platform} />
        </svg>
        Platform
      </li>
      <li>
        <svg width={18} height={12} aria-hidden="true">
          <line x1={0} x2={18} y1={6} y2={6} className={classes.threshold} />
        </svg>
        Limit
      </li>
      <li>
        <span className={classes.swatch} data-band="inner" />
        95%
      </li>
      <li>
        <span className={classes.swatch} data-band="outer" />
        99.8% of chance
      </li>
    </ul>
  );
}
