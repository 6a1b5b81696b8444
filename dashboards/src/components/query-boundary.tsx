import { Button } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { moment } from "../lib/format";
import { problemOfFailure } from "../lib/problem";
import { Icon, type IconName } from "./icons";
import classes from "./loaded.module.css";

const SLOW_AFTER_MS = 4_000;

interface LoadedProps<Data> {
  query: Pick<UseQueryResult<Data>, "data" | "error" | "refetch" | "isFetching" | "dataUpdatedAt">;
  skeleton: ReactNode;
  children: (data: Data) => ReactNode;
}

/**
 * What a query has, or how it stands: a skeleton while it is first asked, the problem with a way to try again, and, if
 * asking *again* failed, what is known with a word on how old it is.
 */
export function Loaded<Data>({ query, skeleton, children }: LoadedProps<Data>) {
  const retry = <Retry onRetry={() => query.refetch()} isBusy={query.isFetching} />;
  if (query.data !== undefined) {
    return (
      <>
        {query.error && (
          <Notice icon="alert" action={retry}>
            {problemOfFailure(query.error).message} This is as of{" "}
            {moment(new Date(query.dataUpdatedAt).toISOString())}.
          </Notice>
        )}
        {children(query.data)}
      </>
    );
  }
  if (query.error) return <ProblemState error={query.error} action={retry} />;
  return <Waiting skeleton={skeleton} />;
}

function Waiting({ skeleton }: { skeleton: ReactNode }) {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div aria-busy="true" data-testid="loading">
      <output className={classes.slow}>{isSlow ? "The API is slow to answer. Still waiting…" : ""}</output>
      {skeleton}
    </div>
  );
}

export function Retry({ onRetry, isBusy }: { onRetry: () => void; isBusy: boolean }) {
  return (
    <Button
      size="xs"
      variant="default"
      onClick={onRetry}
      loading={isBusy}
      leftSection={<Icon name="refresh" size={14} />}
    >
      Try again
    </Button>
  );
}

/** A problem in place of what it kept from being shown. */
export function ProblemState({ error, action }: { error: Error; action?: ReactNode }) {
  const problem = problemOfFailure(error);
  return (
    <div className={classes.state} role="alert">
      <span className={classes.problemIcon}>
        <Icon name="alert" size={20} />
      </span>
      <strong>{problem.title}</strong>
      <p>{problem.detail}</p>
      {problem.requestId && <code>request {problem.requestId}</code>}
      {action}
    </div>
  );
}

/** Nothing to show, and why that is. */
export function EmptyState({ icon = "inbox", title, children, action }: EmptyStateProps) {
  return (
    <div className={classes.state}>
      <span className={classes.emptyIcon}>
        <Icon name={icon} size={20} />
      </span>
      <strong>{title}</strong>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

interface EmptyStateProps {
  icon?: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** A line above what is shown, about how it is. */
export function Notice({
  icon,
  children,
  action,
}: {
  icon: IconName;
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className={classes.notice} role="status">
      <Icon name={icon} />
      <span>{children}</span>
      {action}
    </div>
  );
}
