import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { useContext } from "react";
import { EmptyState } from "../components/empty-state";
import { ErrorState } from "../components/error-state";
import { Page } from "../components/page";
import { WayBack } from "../components/way-back";
import { ApiProblem } from "../lib/problem";
import { WayBackButton } from "./way-back-button";

/** A page that failed: the rest of the application goes on. */
export function PageProblem({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const client = useQueryClient();
  const again = () => {
    client.resetQueries();
    reset();
    router.invalidate();
  };
  const problem =
    error instanceof ApiProblem ? error : new ApiProblem(0, "The page hit an error", String(error));
  return (
    <Page title="This page failed to load">
      <ErrorState
        error={problem}
        action={
          problem.status !== 403 && (
            <Button size="xs" variant="default" onClick={again}>
              Try again
            </Button>
          )
        }
      />
    </Page>
  );
}

export function NotFound() {
  const wayBack = useContext(WayBack);
  return (
    <Page title="Page not found">
      <EmptyState
        icon="search"
        title="No page has this address"
        action={wayBack ?? <WayBackButton to="/" label="Today" />}
      />
    </Page>
  );
}
