import { Button } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useContext, useEffect, useState } from "react";
import { moment } from "../lib/format";
import { ApiProblem, problemOfFailure } from "../lib/problem";
import { ErrorState } from "./error-state";
import { Icon } from "./icons";
import { Notice } from "./notice";
import classes from "./query-boundary.module.css";
import { WayBack } from "./way-back";

const SLOW_AFTER_MS = 4_000;

export type QueryState<Data> = Pick<
  UseQueryResult<Data>,
  "data" | "error" | "refetch" | "isFetching" | "isPlaceholderData" | "dataUpdatedAt"
>;

interface QueryBoundaryProps<Data> {
  query: QueryState<Data>;
  skeleton: ReactNode;
  children: (data: Data) => ReactNode;
}

/**
 * What a query has, or how it stands: a skeleton while it is first asked, the problem with a way to try again (or to the
 * list, if there is no such thing), and, if asking *again* failed, what is known with a word on how old it is.
 */
export function QueryBoundary<Data>({ query, skeleton, children }: QueryBoundaryProps<Data>) {
  const wayBack = useContext(WayBack);
  const retry = (
    <Button
      size="xs"
      variant="default"
      onClick={() => query.refetch()}
      loading={query.isFetching}
      leftSection={<Icon name="refresh" size={14} />}
    >
      Try again
    </Button>
  );
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
  if (query.error) {
    // What is not there is not there the next time, either.
    const isMissing = query.error instanceof ApiProblem && query.error.status === 404;
    return <ErrorState error={query.error} action={(isMissing && wayBack) || retry} />;
  }
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
