import { useEffect, useState } from "react";
import type { Health } from "../lib/api-types";
import { ago, day } from "../lib/format";
import { useHealth } from "../lib/health";
import { useIsLive } from "../lib/live-context";
import { POLL_MS } from "../lib/query-client";
import classes from "./freshness.module.css";

const STALE_AFTER_SECONDS = 26 * 3600;

/** How fresh the figures are, and whether something behind them is not well. */
export function Freshness() {
  const { data, error, dataUpdatedAt } = useHealth();
  const now = useNow(5_000);
  const isLive = useIsLive();
  const { tone, short, full } = error
    ? { tone: "bad", short: "No connection", full: "tutorq cannot reach the API; figures may be old" }
    : outlook(data, (now - dataUpdatedAt) / 1000);
  // What needs words has them; all is well in three of them.
  const isBrief = isLive && tone === "ok";
  const rhythm = isLive
    ? "Changes appear as they happen"
    : `The page checks for changes every ${POLL_MS / 1000} seconds`;
  return (
    <div
      className={classes.freshness}
      data-tone={tone}
      data-live={isLive}
      title={`${full}. ${rhythm}.`}
      role="status"
      aria-live="off"
    >
      <span className={classes.dot} aria-hidden="true" />
      {isLive && !error && <span className={classes.live}>Live</span>}
      <span className={classes.full} hidden={isBrief}>
        {full}
      </span>
      <span className={classes.short} data-shown={isBrief}>
        {short}
      </span>
    </div>
  );
}

function outlook(health: Health | undefined, sinceAsked: number) {
  const publication = health?.checks.publication;
  if (!health || !publication) return { tone: "none", short: "", full: "" };
  if (publication.age_seconds === null || publication.age_seconds === undefined) {
    return { tone: "none", short: "No scores yet", full: "No scores are published yet" };
  }
  const age = publication.age_seconds + sinceAsked;
  const waiting = health.checks.unprocessed_changes.oldest_age_seconds;
  const short = ago(age);
  const full = `Scores as of ${day(publication.as_of)}, updated ${short}`;
  const daemon = health.checks.dagster_daemon.status;
  if (health.status === "failed")
    return { tone: "bad", short, full: `${full} · the database is not responding` };
  if (age > STALE_AFTER_SECONDS) return { tone: "bad", short, full };
  if (daemon !== "ok" && daemon !== "unknown")
    return { tone: "warn", short, full: `${full} · the scheduler is not running` };
  if (waiting) return { tone: "ok", short, full: `${full} · processing new data` };
  return { tone: "ok", short, full };
}

function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
