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
  return (
    <Page title="This page cannot be shown">
      <ErrorState
        error={
          error instanceof ApiProblem
            ? error
            : new ApiProblem(0, "Something went wrong in the page", String(error))
        }
        action={
          <Button size="xs" variant="default" onClick={again}>
            Try again
          </Button>
        }
      />
    </Page>
  );
}

export function NotFound() {
  const wayBack = useContext(WayBack);
  return (
    <Page title="No such page">
      <EmptyState
        icon="search"
        title="There is nothing at this address"
        action={wayBack ?? <WayBackButton to="/" label="Today" />}
      />
    </Page>
  );
}
