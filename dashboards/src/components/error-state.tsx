import type { ReactNode } from "react";
import { problemOfFailure } from "../lib/problem";
import { Alert } from "./alert";
import { Icon } from "./icons";
import classes from "./state.module.css";

interface ErrorStateProps {
  error: Error;
  action?: ReactNode;
  /** Counts the reader's own tries: what comes of each is announced, also if it is the same again. */
  tries?: number;
}

/** A problem in place of what it kept from being shown. */
export function ErrorState({ error, action, tries }: ErrorStateProps) {
  const problem = problemOfFailure(error);
  return (
    <div className={classes.state}>
      <span className={classes.icon} data-tone="high">
        <Icon name="alert" size={20} />
      </span>
      <Alert key={tries} text={problem.message} className={classes.said}>
        <strong>{problem.title}</strong>
        <p>{problem.detail}</p>
        {problem.members.needs_role !== undefined && <p>Ask an admin for access.</p>}
      </Alert>
      {problem.requestId && <code>request {problem.requestId}</code>}
      {action}
    </div>
  );
}
