import type { RiskStatus } from "../lib/api-types";
import type { IconName } from "./icons";
import { Tag, type TagProps } from "./tag";

export const STATUS: Record<RiskStatus, TagProps & { icon: IconName }> = {
  high_risk: { label: "High risk", icon: "alert", tone: "high" },
  watch: { label: "Watch", icon: "eye", tone: "watch" },
  ok: { label: "Fine", icon: "check", tone: "ok" },
  insufficient_data: { label: "Too few sessions", icon: "dots", tone: "none" },
};

/** The gravest first. */
export const STATUSES = Object.keys(STATUS) as RiskStatus[];

/** A status in word, sign and colour. A status that this page does not know yet is shown by its name. */
export function StatusBadge({ status }: { status: RiskStatus }) {
  return <Tag {...(STATUS[status] ?? { label: status, icon: "dots", tone: "none" })} />;
}
