import type { RiskStatus } from "../lib/api-types";
import { Icon, type IconName } from "./icons";
import classes from "./status-badge.module.css";

interface Look {
  label: string;
  icon: IconName;
  tone: Tone;
}

export type Tone = "high" | "watch" | "ok" | "none";

export const STATUS: Record<RiskStatus, Look> = {
  high_risk: { label: "High risk", icon: "alert", tone: "high" },
  watch: { label: "Watch", icon: "eye", tone: "watch" },
  ok: { label: "Fine", icon: "check", tone: "ok" },
  insufficient_data: { label: "Too few sessions", icon: "dots", tone: "none" },
};

/** The gravest first. */
export const STATUSES = Object.keys(STATUS) as RiskStatus[];

/** A status in word, sign and colour. A status that this page does not know yet is shown by its name. */
export function StatusBadge({ status }: { status: RiskStatus }) {
  const { label, icon, tone } = STATUS[status] ?? { label: status, icon: "dots", tone: "none" };
  return <Tag tone={tone} icon={icon} label={label} />;
}

export function Tag({ tone, icon, label }: { tone: Tone; icon?: IconName; label: string }) {
  return (
    <span className={classes.tag} data-tone={tone}>
      {icon && <Icon name={icon} size={13} />}
      {label}
    </span>
  );
}
