import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { Icon } from "../../../components/icons";
import { useGeneration, useStartGeneration } from "../api/generation";
import classes from "./generate-button.module.css";

const SAID = {
  queued: "Waiting to start…",
  running: "Predicting pairs…",
  succeeded: "Predictions are up to date.",
  failed: "The run failed. Open Dagster for the reason.",
  cancelled: "The run was cancelled.",
};

/** Has pairs predicted anew, all or the best of each student, and follows the run. */
export function GenerateButton() {
  const client = useQueryClient();
  const start = useStartGeneration();
  const generation = useGeneration(start.data?.run_id);
  const status = generation.data?.status;
  const isUnderWay =
    start.isPending ||
    (start.data !== undefined && (status === undefined || status === "queued" || status === "running"));
  useEffect(() => {
    if (status === "succeeded") client.invalidateQueries({ queryKey: ["matching"] });
  }, [status, client]);
  const problem = start.error ?? generation.error;
  return (
    <>
      <output className={classes.said}>{problem ? problem.message : status && SAID[status]}</output>
      <Button
        size="xs"
        variant="default"
        leftSection={<Icon name="refresh" size={14} />}
        loading={isUnderWay && !problem}
        onClick={() => start.mutate()}
      >
        Predict all again
      </Button>
    </>
  );
}
