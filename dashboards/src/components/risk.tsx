import type { Match } from "../lib/api-types";
import { count, ordinal, probability as written } from "../lib/format";
import classes from "./risk.module.css";
import { Tag, type TagProps } from "./tag";

type RiskLevel = Match["risk_level"];

/**
 * Of what: that the tutor moves, cancels or misses a session; that the student leaves after the first one; that the
 * student misses a session; that the tutor stops teaching.
 */
type RiskOf = "let-down" | "leaving" | "no-show" | "stopping";

const RISK_LEVEL: Record<RiskLevel, Omit<TagProps, "label"> & { word: string }> = {
  low: { word: "Low", icon: "check", tone: "ok" },
  medium: { word: "Medium", icon: "eye", tone: "watch" },
  high: { word: "High", icon: "alert", tone: "high" },
};
const UNKNOWN: Record<RiskOf, string> = {
  "let-down": "No sessions yet",
  leaving: "Not predicted",
  "no-show": "No-show risk not predicted",
  stopping: "Not predicted",
};

export interface RiskProps {
  of: RiskOf;
  /** Null where nothing is predicted. */
  level: RiskLevel | null;
  /** Left out where the page says it in words. */
  probability?: number | null;
  rank?: number | null;
  rankOf?: number;
  /** The figures below the badge, where there is no room beside it. */
  isStacked?: boolean;
}

/** A risk by name, with its level in word, sign and colour, its probability and its rank. */
export function Risk({ of, level, probability, rank, rankOf, isStacked = false }: RiskProps) {
  const look = level && RISK_LEVEL[level];
  if (!look) return <Tag tone="none" label={UNKNOWN[of]} />;
  const { word, ...tag } = look;
  const figures = [
    probability !== undefined && written(probability, ""),
    rank && rankOf && `${ordinal(rank)} of ${count(rankOf)}`,
  ].filter(Boolean);
  return (
    <span className={classes.risk} data-stacked={isStacked}>
      <Tag {...tag} label={`${word} ${of} risk`} />
      {figures.length > 0 && <span className={classes.figures}>{figures.join(" · ")}</span>}
    </span>
  );
}
