import type { ReactNode } from "react";
import { problemOfFailure } from "../lib/problem";
import { Icon } from "./icons";
import classes from "./state.module.css";

/** A problem in place of what it kept from being shown. */
export function ErrorState({ error, action }: { error: Error; action?: ReactNode }) {
  const problem = problemOfFailure(error);
  return (
    <div className={classes.state} role="alert">
      <span className={classes.icon} data-tone="high">
        <Icon name="alert" size={20} />
      </span>
      <strong>{problem.title}</strong>
      <p>{problem.detail}</p>
      {problem.requestId && <code>request {problem.requestId}</code>}
      {action}
    </div>
  );
}
