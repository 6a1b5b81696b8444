import type { Match } from "../lib/api-types";
import { Tag, type TagProps } from "./tag";

export type RiskLevel = Match["risk_level"];

const RISK_LEVEL: Record<RiskLevel, TagProps> = {
  low: { label: "Low risk", icon: "check", tone: "ok" },
  medium: { label: "Medium risk", icon: "eye", tone: "watch" },
  high: { label: "High risk", icon: "alert", tone: "high" },
};

/** A risk level in word, sign and colour; nothing where nothing is predicted. */
export function RiskLevelBadge({ level }: { level: RiskLevel | null }) {
  const look = level && RISK_LEVEL[level];
  return look ? <Tag {...look} /> : <Tag tone="none" label="Not predicted" />;
}
