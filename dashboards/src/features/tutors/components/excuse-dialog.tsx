import { Button, Checkbox, Modal, Textarea } from "@mantine/core";
import { useState } from "react";
import type { TutorEvent } from "../../../lib/api-types";
import { day, moment } from "../../../lib/format";
import { useExcuse, useUndoExcuse } from "../api/excuse";
import classes from "./excuse-dialog.module.css";

const WHAT: Record<TutorEvent["kind"], string> = {
  reschedule: "moved",
  no_show: "missed",
  tutor_cancellation: "cancelled by the tutor",
  low_rating: "rated low",
};

interface ExcuseDialogProps {
  tutorId: string;
  /** The session to excuse, or whose excuse to take back; null while the dialog is closed. */
  event: TutorEvent | null;
  onClose: () => void;
  onChanged: () => void;
}

export function ExcuseDialog({ tutorId, event, onClose, onChanged }: ExcuseDialogProps) {
  return (
    <Modal
      opened={event !== null}
      onClose={onClose}
      title={event?.is_excused ? "Take back the excuse" : "Excuse this session"}
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      {event && (
        <Form
          key={event.session_id}
          tutorId={tutorId}
          event={event}
          onClose={onClose}
          onChanged={onChanged}
        />
      )}
    </Modal>
  );
}

function Form({ tutorId, event, onClose, onChanged }: ExcuseDialogProps & { event: TutorEvent }) {
  const [reason, setReason] = useState("");
  const [isWholeDay, setWholeDay] = useState(false);
  const excuse = useExcuse();
  const undo = useUndoExcuse();
  const done = {
    onSuccess: () => {
      onChanged();
      onClose();
    },
  };
  const what = isWholeDay ? { tutorId, day: event.counted_on } : { sessionId: event.session_id };
  const submit = () =>
    event.is_excused ? undo.mutate(what, done) : excuse.mutate({ what, reason: reason.trim() }, done);
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
        {event.subject ?? "Session"} of {moment(event.scheduled_time)}, {WHAT[event.kind]}.{" "}
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
      <Checkbox
        label={`All that counts on ${day(event.counted_on)}`}
        checked={isWholeDay}
        onChange={(changed) => setWholeDay(changed.currentTarget.checked)}
      />
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
