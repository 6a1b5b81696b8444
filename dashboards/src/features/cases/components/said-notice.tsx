import { CloseButton } from "@mantine/core";
import type { ReactNode } from "react";
import { Icon } from "../../../components/icons";
import type { Said } from "../use-case-actions";
import classes from "./said-notice.module.css";

interface SaidNoticeProps {
  said: Said | null;
  onClose: () => void;
  /** What to do next. */
  action?: ReactNode;
}

/**
 * What came of the last thing that the reader did, at the lower edge of the window, wherever they have scrolled to. The
 * region is there all the time, so that screen readers announce what comes into it.
 */
export function SaidNotice({ said, onClose, action }: SaidNoticeProps) {
  return (
    <div className={classes.region} role="status">
      {said && (
        <div className={classes.said} data-good={said.isGood}>
          <Icon name={said.isGood ? "check" : "alert"} />
          <span className={classes.text}>{said.text}</span>
          {action}
          <CloseButton size={24} aria-label="Dismiss message" onClick={onClose} />
        </div>
      )}
    </div>
  );
}
