import type { ReactNode } from "react";
import { Icon, type IconName } from "./icons";
import classes from "./notice.module.css";

interface NoticeProps {
  icon: IconName;
  children: ReactNode;
  action?: ReactNode;
}

/** A line above what is shown, about how it is. */
export function Notice({ icon, children, action }: NoticeProps) {
  return (
    <div className={classes.notice} role="status">
      <Icon name={icon} />
      <span>{children}</span>
      {action}
    </div>
  );
}
