import type { ConcernName, ConcernStatus } from "../lib/api-types";
import { concernLabel, SUPERSEDED } from "../lib/concerns";
import classes from "./concern-badges.module.css";
import type { IconName } from "./icons";
import { Tag, type TagProps } from "./tag";

/** The raised concerns about a tutor; nothing if there are none. */
export function ConcernBadges({ concerns }: { concerns: ConcernName[] }) {
  if (concerns.length === 0) return null;
  return (
    <span className={classes.badges}>
      {concerns.map((name) => (
        <Tag
          key={name}
          label={concernLabel(name)}
          icon={name === "getting_worse" ? "rise" : "alert"}
          tone="high"
        />
      ))}
    </span>
  );
}

const STATUS: Record<ConcernStatus, TagProps & { icon?: IconName }> = {
  raised: { label: "Raised", icon: "alert", tone: "high" },
  watch: { label: "Watch", icon: "eye", tone: "watch" },
  // No green tick: another concern may be raised.
  ok: { label: "Not raised", tone: "none" },
  insufficient_data: { label: "Too few to judge", icon: "dots", tone: "none" },
};

export function ConcernStatusBadge({ status, superseded }: { status: ConcernStatus; superseded: boolean }) {
  if (superseded) return <Tag label={SUPERSEDED} icon="dash" tone="none" />;
  return <Tag {...(STATUS[status] ?? { label: status, tone: "none" })} />;
}
