import type { ReactNode } from "react";
import { Alert } from "./alert";
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
      <div className={classes.text}>{children}</div>
      {action}
    </div>
  );
}

/** The same, about what went wrong. */
export function ErrorNotice({ text, action }: { text: string; action?: ReactNode }) {
  return (
    <div className={classes.notice}>
      <Icon name="alert" />
      <Alert text={text} className={classes.text} />
      {action}
    </div>
  );
}
