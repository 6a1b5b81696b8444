import type { RiskStatus } from "../lib/api-types";
import type { IconName } from "./icons";
import { Tag, type TagProps } from "./tag";

/** How a tutor stands as a whole. */
export type Standing = "attention" | "watch" | "ok" | "insufficient_data";

export const STANDING: Record<Standing, TagProps & { icon: IconName }> = {
  attention: { label: "Needs attention", icon: "alert", tone: "high" },
  watch: { label: "Watch", icon: "eye", tone: "watch" },
  ok: { label: "Fine", icon: "check", tone: "ok" },
  insufficient_data: { label: "Too few sessions", icon: "dots", tone: "none" },
};

/** The gravest first. */
export const STANDINGS = Object.keys(STANDING) as Standing[];

/** Nobody is fine about whom any concern is raised, whatever is known of let-downs. */
export function standingOf(tutor: { attention: boolean; risk_status: RiskStatus }): Standing {
  if (tutor.attention || tutor.risk_status === "high_risk") return "attention";
  return tutor.risk_status;
}

/** A standing in word, sign and colour. One that this page does not know yet is shown by its name. */
export function StandingBadge({ tutor }: { tutor: { attention: boolean; risk_status: RiskStatus } }) {
  const standing = standingOf(tutor);
  return <Tag {...(STANDING[standing] ?? { label: standing, icon: "dots", tone: "none" })} />;
}
