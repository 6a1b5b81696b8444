import { Link } from "@tanstack/react-router";
import { Notice } from "../../../components/notice";
import { count, counted } from "../../../lib/format";
import { useWaiting } from "../api/appeals";
import classes from "./waiting.module.css";

/** In the navigation: how many appeals are open. */
export function WaitingCount() {
  const open = useWaiting().data?.open ?? 0;
  if (open === 0) return null;
  return (
    <span className={classes.count}>
      {open}
      <span className={classes.hidden}> open</span>
    </span>
  );
}

/** On Today: that appeals wait for a decision. */
export function WaitingNotice() {
  const waiting = useWaiting().data;
  if (!waiting?.open) return null;
  return (
    <Notice
      icon={waiting.overdue ? "alert" : "inbox"}
      action={
        <Link to="/appeals" className={classes.link}>
          View appeals
        </Link>
      }
    >
      {counted(waiting.open, "appeal")} open{waiting.overdue > 0 && `, ${count(waiting.overdue)} overdue`}
    </Notice>
  );
}
