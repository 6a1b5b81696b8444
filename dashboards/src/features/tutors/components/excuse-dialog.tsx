import { Button, Checkbox, Modal, Textarea } from "@mantine/core";
import { useState } from "react";
import { day } from "../../../lib/format";
import { useExcuse, useUndoExcuse } from "../api/excuse";
import type { ExcuseChange } from "../awaited";
import classes from "./excuse-dialog.module.css";

/** What can be excused, or its excuse taken back: a session, or all that counts on a day. */
export interface Excusable {
  title: string;
  /** What happened, in a few words. */
  about: string;
  what: { sessionId: string; countedOn: string } | { day: string };
  isExcused: boolean;
}

interface ExcuseDialogProps {
  tutorId: string;
  /** Null while the dialog is closed. */
  excusable: Excusable | null;
  onClose: () => void;
  onChanged: (change: ExcuseChange) => void;
}

export function ExcuseDialog({ tutorId, excusable, onClose, onChanged }: ExcuseDialogProps) {
  return (
    <Modal
      opened={excusable !== null}
      onClose={onClose}
      title={excusable?.isExcused ? "Undo excuse" : `Excuse ${excusable?.title ?? ""}`}
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      {excusable && (
        <Form
          key={JSON.stringify(excusable.what)}
          tutorId={tutorId}
          excusable={excusable}
          onClose={onClose}
          onChanged={onChanged}
        />
      )}
    </Modal>
  );
}

function Form({ tutorId, excusable, onClose, onChanged }: ExcuseDialogProps & { excusable: Excusable }) {
  const { about, what, isExcused } = excusable;
  const [reason, setReason] = useState("");
  const [isWholeDay, setWholeDay] = useState(false);
  const excuse = useExcuse();
  const undo = useUndoExcuse();
  const submit = () => {
    const wholeDay = "day" in what ? what.day : what.countedOn;
    const chosen = "day" in what || isWholeDay ? { tutorId, day: wholeDay } : { sessionId: what.sessionId };
    const done = {
      onSuccess: () => {
        onChanged({ ...chosen, isExcused: !isExcused });
        onClose();
      },
    };
    if (isExcused) undo.mutate(chosen, done);
    else excuse.mutate({ what: chosen, reason: reason.trim() }, done);
  };
  const error = excuse.error ?? undo.error;
  return (
    <form
      className={classes.form}
      onSubmit={(submitted) => {
        submitted.preventDefault();
        submit();
      }}
    >
      <p className={classes.what}>
        {about}. {consequence(isExcused, "day" in what || isWholeDay)}
      </p>
      {!isExcused && (
        <Textarea
          label="Reason"
          description="Shown to everyone who opens this page"
          placeholder="Storm: all schools were closed"
          value={reason}
          onChange={(changed) => setReason(changed.currentTarget.value)}
          maxLength={2000}
          autosize
          minRows={2}
          data-autofocus
          required
        />
      )}
      {"countedOn" in what && (
        <Checkbox
          classNames={{ body: classes.box }}
          label={`${isExcused ? "Undo all excuses of" : "Excuse all let-downs of"} ${day(what.countedOn)}`}
          checked={isWholeDay}
          onChange={(changed) => setWholeDay(changed.currentTarget.checked)}
        />
      )}
      {error && (
        <p role="alert" className={classes.error}>
          {error.message}
        </p>
      )}
      <div className={classes.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button
          type="submit"
          loading={excuse.isPending || undo.isPending}
          disabled={!isExcused && !reason.trim()}
        >
          {isExcused ? "Undo excuse" : "Excuse"}
        </Button>
      </div>
    </form>
  );
}

function consequence(isExcused: boolean, isDay: boolean): string {
  if (isExcused) return `${isDay ? "Its let-downs count" : "It counts"} as before.`;
  return isDay
    ? "Its let-downs stay visible but no longer count."
    : "It stays visible but no longer counts as a let-down.";
}
