import { Link, useNavigate } from "@tanstack/react-router";
import {
  type ComponentProps,
  type KeyboardEvent,
  type MouseEvent,
  memo,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { STANDING, STANDINGS, type Standing, standingOf } from "../../../components/standing-badge";
import type { FunnelPoint } from "../../../lib/api-types";
import { concernLabel } from "../../../lib/concerns";
import { count, counted, percent } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import {
  bandPath,
  gravestFirst,
  HEIGHT,
  INNER,
  isDrawable,
  MARGIN,
  nearest,
  nextPlace,
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
 * Sessions against rates. All points of a standing are one path, so thousands cost no more than a few. Links are there
 * only for the tutor that is pointed at and for the one that has the keyboard: arrow keys go through all of them.
 */
export function FunnelPlot({ points, rate, threshold }: FunnelPlotProps) {
  const navigate = useNavigate();
  const drawable = useMemo(() => gravestFirst(points.filter(isDrawable)), [points]);
  const scale = useMemo(() => scaleOf(drawable), [drawable]);
  const [pointed, setPointed] = useState<FunnelPoint>();
  const [place, setPlace] = useState(0);
  const [isFocused, setFocused] = useState(false);
  const link = useRef<HTMLAnchorElement>(null);
  const isMoving = useRef(false);

  const reached = Math.min(place, drawable.length - 1);
  const current = drawable[reached];
  const currentId = current?.tutor_id;
  // Each tutor is a link of its own, so that screen readers tell of it when the focus gets there.
  // biome-ignore lint/correctness/useExhaustiveDependencies: after the link has become another one
  useLayoutEffect(() => {
    if (isMoving.current) link.current?.focus();
    isMoving.current = false;
  }, [currentId]);

  const onKeyDown = (event: KeyboardEvent) => {
    const next = nextPlace(event.key, reached, drawable.length);
    if (next === undefined) return;
    event.preventDefault();
    isMoving.current = next !== reached;
    setPlace(next);
  };
  const find = (event: MouseEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const y = ((event.clientY - box.top) / box.height) * HEIGHT;
    return nearest(drawable, scale, x, y);
  };
  // Fingers do not point before they tap.
  const tap = (event: MouseEvent<HTMLElement>) => {
    const found = event.target instanceof HTMLAnchorElement ? undefined : find(event);
    if (found) navigate({ to: "/tutors/$tutorId", params: { tutorId: found.tutor_id } });
  };
  const flagged = useMemo(() => points.filter((point) => standingOf(point) === "attention").length, [points]);
  const shown = pointed ?? (isFocused ? current : undefined);
  return (
    <div className={classes.frame}>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: its links are what keyboards use */}
      <section
        className={classes.field}
        aria-label="Tutors on the plot"
        onMouseMove={(event) => setPointed(find(event))}
        onMouseLeave={() => setPointed(undefined)}
        onClick={tap}
      >
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          className={classes.plot}
          role="img"
          aria-label={`${count(points.length)} tutors by sessions and rate of let-downs; ${counted(flagged, "tutor needs", "tutors need")} attention. The platform's rate is ${percent(rate)}.`}
        >
          <Frame scale={scale} rate={rate} threshold={threshold} />
          <Points points={drawable} scale={scale} />
        </svg>
        {current && (
          <PointLink
            key={current.tutor_id}
            ref={link}
            point={current}
            scale={scale}
            place={`${count(reached + 1)} of ${count(drawable.length)}`}
            onKeyDown={onKeyDown}
            onFocus={() => setFocused(true)}
            onBlur={() => setFocused(false)}
          />
        )}
        {pointed && pointed !== current && (
          <PointLink key={pointed.tutor_id} point={pointed} scale={scale} tabIndex={-1} />
        )}
      </section>
      {shown && <Tip point={shown} scale={scale} />}
      <Legend />
    </div>
  );
}

interface PointLinkProps extends Omit<ComponentProps<"a">, "href"> {
  point: FunnelPoint;
  scale: Scale;
  /** Among all, for who goes through them. */
  place?: string;
}

/** A ring around a tutor's point, as large as a finger, which leads to the tutor. */
function PointLink({ point, scale, place, ...link }: PointLinkProps) {
  const { left, top } = onFrame(point, scale);
  return (
    <Link
      {...link}
      to="/tutors/$tutorId"
      params={{ tutorId: point.tutor_id }}
      className={classes.point}
      style={{ left: `${left * 100}%`, top: `calc(${top} * 100cqw)` }}
      aria-label={[`${tutorName(point)}: ${figuresOf(point)}, ${standingInWords(point)}`, place]
        .filter(Boolean)
        .join(". ")}
    />
  );
}

/** Where a point is, as shares of the frame's width. */
const onFrame = (point: FunnelPoint, scale: Scale) => ({
  left: scale.x(point.sessions_90d) / WIDTH,
  top: scale.y(rateOf(point)) / WIDTH,
});

const figuresOf = (point: FunnelPoint) =>
  `${percent(point.let_down_rate_90d)} of ${counted(point.sessions_90d, "session")}`;

const standingInWords = (point: FunnelPoint) =>
  point.concerns.length > 0
    ? point.concerns.map(concernLabel).join(", ")
    : (STANDING[standingOf(point)]?.label ?? "");

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
  const { left, top } = onFrame(point, scale);
  const style = {
    left: left > 0.5 ? undefined : `calc(${left * 100}% + 22px)`,
    right: left > 0.5 ? `calc(${(1 - left) * 100}% + 22px)` : undefined,
    top: `calc(${top} * 100cqw - 20px)`,
  };
  return (
    <div className={classes.tip} style={style}>
      <strong>{tutorName(point)}</strong>
      <span>{figuresOf(point)}</span>
      <span>{standingInWords(point)}</span>
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
        {percent(INNER, { digits: 0 })} range
      </li>
      <li>
        <span className={classes.swatch} data-band="outer" />
        {percent(OUTER)} range
      </li>
    </ul>
  );
}
