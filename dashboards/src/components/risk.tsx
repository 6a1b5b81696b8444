import type { Match } from "../lib/api-types";
import { count, ordinal, probability as written } from "../lib/format";
import classes from "./risk.module.css";
import { Tag, type TagProps } from "./tag";

type RiskLevel = Match["risk_level"];

const RISK_LEVEL: Record<RiskLevel, TagProps> = {
  low: { label: "Low risk", icon: "check", tone: "ok" },
  medium: { label: "Medium risk", icon: "eye", tone: "watch" },
  high: { label: "High risk", icon: "alert", tone: "high" },
};

export interface RiskProps {
  /** Null where nothing is predicted. */
  level: RiskLevel | null;
  /** Left out where the page says it in words. */
  probability?: number | null;
  rank?: number | null;
  rankOf?: number;
  /** The figures below the badge, where there is no room beside it. */
  isStacked?: boolean;
}

/** A risk level in word, sign and colour, with its probability and rank: a list may be all of one level. */
export function Risk({ level, probability, rank, rankOf, isStacked = false }: RiskProps) {
  const look = level && RISK_LEVEL[level];
  if (!look) return <Tag tone="none" label="Not predicted" />;
  const figures = [
    probability !== undefined && written(probability, ""),
    rank && rankOf && `${ordinal(rank)} of ${count(rankOf)}`,
  ].filter(Boolean);
  return (
    <span className={classes.risk} data-stacked={isStacked}>
      <Tag {...look} />
      {figures.length > 0 && <span className={classes.figures}>{figures.join(" · ")}</span>}
    </span>
  );
}
