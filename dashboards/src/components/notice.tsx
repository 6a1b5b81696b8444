import type { ReactNode } from "react";
import { Icon, type IconName } from "./icons";
import classes from "./notice.module.css";

interface NoticeProps {
  icon: IconName;
  /** Good news; else it is something to look at. */
  isGood?: boolean;
  children: ReactNode;
  action?: ReactNode;
}

/** A line above what is shown, about how it is. */
export function Notice({ icon, isGood = false, children, action }: NoticeProps) {
  return (
    <div className={classes.notice} data-good={isGood} role="status">
      <Icon name={icon} />
      <span>{children}</span>
      {action}
    </div>
  );
}
