import { STANDINGS, standingOf } from "../../components/standing-badge";
import type { FunnelPoint } from "../../lib/api-types";
import { limits } from "../../lib/binomial";

/** Sizes in the coordinates of the drawing. */
export const WIDTH = 480;
export const HEIGHT = 400;
export const MARGIN = { top: 10, right: 14, bottom: 34, left: 42 };
const REACH = 18;

/** Shares of tutors that chance alone keeps within the limits when all have the platform's rate. */
export const INNER = 0.95;
export const OUTER = 0.998;

export interface Scale {
  /** Most sessions, and the highest rate, that are drawn. */
  sessionsTo: number;
  rateTo: number;
  x: (sessions: number) => number;
  y: (rate: number) => number;
}

/**
 * Places on the drawing. Sessions grow with their square root: most tutors have few, and limits narrow with the root.
 */
export function scaleOf(points: readonly FunnelPoint[]): Scale {
  const readable = points.filter(isDrawable);
  const sessionsTo = Math.max(20, ...readable.map((point) => point.sessions_90d));
  const rateTo = Math.min(1, Math.max(0.3, Math.ceil(Math.max(0, ...readable.map(rateOf)) * 10) / 10));
  const width = WIDTH - MARGIN.left - MARGIN.right;
  const height = HEIGHT - MARGIN.top - MARGIN.bottom;
  return {
    sessionsTo,
    rateTo,
    x: (sessions) => MARGIN.left + Math.sqrt(sessions / sessionsTo) * width,
    y: (rate) => MARGIN.top + (1 - Math.min(rate, rateTo) / rateTo) * height,
  };
}

export const rateOf = (point: FunnelPoint): number => point.let_down_rate_90d ?? 0;

export function isDrawable({ sessions_90d, let_down_rate_90d }: FunnelPoint): boolean {
  return Number.isFinite(sessions_90d) && let_down_rate_90d !== null && Number.isFinite(let_down_rate_90d);
}

/** In the order in which the arrow keys go: those first that need attention, and of these who lets down most often. */
export function gravestFirst(points: readonly FunnelPoint[]): FunnelPoint[] {
  const gravity = (point: FunnelPoint) => STANDINGS.indexOf(standingOf(point));
  return points.toSorted((one, other) => gravity(one) - gravity(other) || rateOf(other) - rateOf(one));
}

const PAGE = 10;

/** The place to which a key leads from another one; undefined for keys that lead nowhere. */
export function nextPlace(key: string, place: number, length: number): number | undefined {
  const places: Record<string, number> = {
    ArrowRight: place + 1,
    ArrowDown: place + 1,
    ArrowLeft: place - 1,
    ArrowUp: place - 1,
    PageDown: place + PAGE,
    PageUp: place - PAGE,
    Home: 0,
    End: length - 1,
  };
  const next = places[key];
  return next === undefined ? undefined : Math.min(Math.max(next, 0), length - 1);
}

/** The band between the limits, as a closed path. */
export function bandPath(scale: Scale, rate: number, inside: number): string {
  const steps = sessionSteps(scale.sessionsTo).map((sessions) => ({
    sessions,
    ...limits(sessions, rate, inside),
  }));
  const place = (sessions: number, value: number) =>
    `${scale.x(sessions).toFixed(1)} ${scale.y(value).toFixed(1)}`;
  const upper = steps.map(({ sessions, high }) => place(sessions, high));
  const lower = steps.map(({ sessions, low }) => place(sessions, low)).reverse();
  return `M${[...upper, ...lower].join("L")}Z`;
}

/** Close to one another where the limits bend, and no more than a few dozen: the quantiles are sums. */
function sessionSteps(to: number): number[] {
  const count = 60;
  const steps = Array.from({ length: count + 1 }, (_, index) =>
    Math.max(1, Math.round((index / count) ** 2 * to)),
  );
  return [...new Set(steps)];
}

/** The point nearest to a place on the drawing, if it is within reach. */
export function nearest(
  points: readonly FunnelPoint[],
  scale: Scale,
  x: number,
  y: number,
): FunnelPoint | undefined {
  let found: FunnelPoint | undefined;
  let least = REACH ** 2;
  for (const point of points) {
    const distance = (scale.x(point.sessions_90d) - x) ** 2 + (scale.y(rateOf(point)) - y) ** 2;
    if (distance < least) {
      least = distance;
      found = point;
    }
  }
  return found;
}

/** Round numbers of sessions that stand far enough from one another. */
export function sessionTicks({ sessionsTo, x }: Scale): number[] {
  const ticks: number[] = [];
  for (const sessions of [0, 5, 10, 20, 50, 100, 200, 400, 800, 1600, 3200, 6400]) {
    if (sessions > sessionsTo) break;
    if (ticks.length === 0 || x(sessions) - x(ticks.at(-1) ?? 0) >= 34) ticks.push(sessions);
  }
  return ticks;
}

export function rateTicks({ rateTo }: Scale): number[] {
  const step = rateTo > 0.6 ? 0.2 : 0.1;
  return Array.from({ length: Math.floor(rateTo / step + 1e-9) + 1 }, (_, index) => index * step);
}
