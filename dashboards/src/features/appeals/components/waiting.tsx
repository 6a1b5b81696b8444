import { Link } from "@tanstack/react-router";
import { Notice } from "../../../components/notice";
import { useIsLead } from "../../../lib/auth";
import { count, counted } from "../../../lib/format";
import { useWaiting } from "../api/appeals";
import classes from "./waiting.module.css";

/** In the navigation, for who may decide: how many appeals are open. */
export function WaitingCount() {
  const open = useWaiting().data?.open ?? 0;
  const mayDecide = useIsLead();
  if (!mayDecide || open === 0) return null;
  return (
    <span className={classes.count}>
      {open}
      <span className={classes.hidden}> open</span>
    </span>
  );
}

/** On Today, for who may decide: that appeals wait for a decision. */
export function WaitingNotice() {
  const waiting = useWaiting().data;
  const mayDecide = useIsLead();
  if (!mayDecide || !waiting?.open) return null;
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
