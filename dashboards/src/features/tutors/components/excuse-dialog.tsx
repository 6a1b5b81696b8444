import { Button, Modal, Textarea } from "@mantine/core";
import { useState } from "react";
import type { TutorEvent } from "../../../lib/api-types";
import { moment } from "../../../lib/format";
import { useExcuse, useUndoExcuse } from "../api/excuse";
import classes from "./excuse-dialog.module.css";

interface ExcuseDialogProps {
  /** The reschedule to excuse, or whose excuse to take back; null while the dialog is closed. */
  event: TutorEvent | null;
  onClose: () => void;
  onChanged: () => void;
}

export function ExcuseDialog({ event, onClose, onChanged }: ExcuseDialogProps) {
  return (
    <Modal
      opened={event !== null}
      onClose={onClose}
      title={event?.is_excused ? "Take back the excuse" : "Excuse this reschedule"}
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      {event && <Form key={event.session_id} event={event} onClose={onClose} onChanged={onChanged} />}
    </Modal>
  );
}

function Form({ event, onClose, onChanged }: ExcuseDialogProps & { event: TutorEvent }) {
  const [reason, setReason] = useState("");
  const excuse = useExcuse();
  const undo = useUndoExcuse();
  const done = {
    onSuccess: () => {
      onChanged();
      onClose();
    },
  };
  const submit = () =>
    event.is_excused
      ? undo.mutate(event.session_id, done)
      : excuse.mutate({ sessionId: event.session_id, reason: reason.trim() }, done);
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
        {event.subject ?? "Session"} of {moment(event.scheduled_time)}, rescheduled by the tutor.{" "}
        {event.is_excused
          ? "It will count against the tutor again."
          : "It stays visible, and no longer counts."}
      </p>
      {!event.is_excused && (
        <Textarea
          label="Reason"
          description="The next reader of this page will want to know."
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
          disabled={!event.is_excused && !reason.trim()}
        >
          {event.is_excused ? "Let it count" : "Excuse"}
        </Button>
      </div>
    </form>
  );
}
