import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { Icon } from "../../../components/icons";
import type { Queue } from "../../../lib/api-types";
import { prefetchCase } from "../api/get-case";
import { keepWorklist, neighbours, placeInWords, readWorklist } from "../worklist";
import classes from "./case-nav.module.css";
import { Key } from "./keys-help";

/** Where a case stands in the list that the reader came from, and how to go on in it. */
export function useCaseNav(caseId: number) {
  const list = readWorklist();
  const navigate = useNavigate();
  const goTo = (id: number | undefined) => {
    if (id === undefined) return;
    // In place of this one: back leads to the list.
    navigate({ to: "/cases/$caseId", params: { caseId: String(id) }, replace: true });
  };
  return { list, neighbours: neighbours(list, caseId), goTo };
}

interface CaseNavProps {
  caseId: number;
  /** Where the case is; unknown until it is read. */
  queue: Queue | undefined;
}

/** "3 of 48 in To do", with the ones before and after it. */
export function CaseNav({ caseId, queue }: CaseNavProps) {
  const client = useQueryClient();
  const { list, neighbours: known } = useCaseNav(caseId);
  const next = known?.next;
  useEffect(() => {
    const left = readWorklist();
    if (left?.ids.includes(caseId)) keepWorklist({ ...left, current: caseId });
    if (next !== undefined) prefetchCase(client, next);
  }, [caseId, next, client]);
  if (!list || !known) return null;
  return (
    <nav className={classes.nav} aria-label="Cases in this list">
      <span className={classes.place}>{placeInWords(known, list.queue, queue)}</span>
      <Step id={known.previous} label="Previous case" name="k" />
      <Step id={known.next} label="Next case" name="j" />
    </nav>
  );
}

interface StepProps {
  id: number | undefined;
  label: string;
  /** Its key. */
  name: string;
}

function Step({ id, label, name }: StepProps) {
  if (id === undefined) {
    return (
      <Button size="xs" variant="default" disabled>
        {label}
      </Button>
    );
  }
  return (
    <Button
      size="xs"
      variant="default"
      aria-keyshortcuts={name}
      renderRoot={(props) => <Link to="/cases/$caseId" params={{ caseId: String(id) }} replace {...props} />}
    >
      {label}
      <span className={classes.key} aria-hidden="true">
        <Key name={name} />
      </span>
    </Button>
  );
}

/** What to do after something was done to a case. */
export function NextCase({ caseId }: { caseId: number }) {
  const { neighbours: known } = useCaseNav(caseId);
  if (!known) return null;
  return known.next === undefined ? (
    <span className={classes.place}>That was the last case in the list.</span>
  ) : (
    <Button
      size="compact-sm"
      variant="white"
      rightSection={<Icon name="move" size={13} />}
      renderRoot={(props) => (
        <Link to="/cases/$caseId" params={{ caseId: String(known.next) }} replace {...props} />
      )}
    >
      Go to the next case
    </Button>
  );
}
