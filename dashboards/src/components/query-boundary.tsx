import { Button } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useContext, useEffect, useState } from "react";
import { moment } from "../lib/format";
import { ApiProblem, problemOfFailure } from "../lib/problem";
import { ErrorState } from "./error-state";
import { Icon } from "./icons";
import { ErrorNotice } from "./notice";
import classes from "./query-boundary.module.css";
import { WayBack } from "./way-back";

const SLOW_AFTER_MS = 4_000;

export type QueryState<Data> = Pick<
  UseQueryResult<Data>,
  "data" | "error" | "errorUpdateCount" | "refetch" | "isFetching" | "isPlaceholderData" | "dataUpdatedAt"
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
  const [tries, setTries] = useState(0);
  const error = useLastError(query);
  const retry = (
    <Button
      size="xs"
      variant="default"
      onClick={() => query.refetch().finally(() => setTries((before) => before + 1))}
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
          <ErrorNotice
            action={retry}
            text={`${problemOfFailure(query.error).message} These figures are from ${moment(new Date(query.dataUpdatedAt).toISOString())}.`}
          />
        )}
        {children(query.data)}
      </>
    );
  }
  if (error) {
    // What is not there, or not for the reader, is the same the next time.
    const status = error instanceof ApiProblem ? error.status : 0;
    const action = status === 404 ? (wayBack ?? retry) : status === 403 ? wayBack : retry;
    return <ErrorState error={error} tries={tries} action={action} />;
  }
  return <Waiting skeleton={skeleton} />;
}

/** The error of a query, also while it is asked again: it would come and go with every poll, and be announced each time. */
function useLastError(query: QueryState<unknown>): Error | null {
  const [last, setLast] = useState(query.error);
  if (query.error && query.error !== last) setLast(query.error);
  const isAskedAgain = query.data === undefined && query.isFetching && query.errorUpdateCount > 0;
  return query.error ?? (isAskedAgain ? last : null);
}

function Waiting({ skeleton }: { skeleton: ReactNode }) {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div aria-busy="true" data-testid="loading">
      <output className={classes.slow}>{isSlow ? "The API is slow. Still waiting…" : ""}</output>
      {skeleton}
    </div>
  );
}
