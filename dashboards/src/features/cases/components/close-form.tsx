import { Radio, Textarea } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { CloseReason } from "../../../lib/api-types";
import { concernLabel } from "../../../lib/concerns";
import { caseNow, useChangeCase } from "../api/change-cases";
import { CLOSED_AS, choices, REASONS } from "../case-words";
import { CaseForm, type FormProps, LONGEST_TEXT } from "./case-form";
import classes from "./case-form.module.css";

/** Why the case is closed. */
export function CloseForm({ subject, onDone, onCancel }: FormProps) {
  const [reason, setReason] = useState<CloseReason | null>(subject.tutor.is_active === false ? "left" : null);
  const [text, setText] = useState("");
  const close = useChangeCase();
  const seen = caseNow(close.error) ?? subject;
  return (
    <CaseForm
      send="Close case"
      isPending={close.isPending}
      isDisabled={reason === null}
      error={close.error}
      onCancel={onCancel}
      onSend={() => {
        if (reason === null) return;
        const state = CLOSED_AS[reason];
        close.mutate(
          {
            seen,
            body: { state, reason, ...(text.trim() && { text: text.trim() }) },
            foreseen: { state, reason, queue: "closed" },
          },
          { onSuccess: () => onDone(`closed (${REASONS[reason]})`) },
        );
      }}
    >
      <Radio.Group
        label="Reason"
        value={reason}
        onChange={(chosen) => setReason(chosen as CloseReason)}
        required
      >
        <div className={classes.reasons}>
          {choices(REASONS).map(({ value, label }) => (
            <Radio key={value} value={value} label={label} />
          ))}
        </div>
      </Radio.Group>
      {subject.raised.length > 0 && (
        <p className={classes.hint}>
          Still raised: {subject.raised.map(({ concern }) => concernLabel(concern)).join(", ")}. A closed case
          does not end a concern.
        </p>
      )}
      {reason === "excused" && (
        <p className={classes.hint}>
          Closing a case excuses no sessions: they still count, and the concern stays.{" "}
          <Link to="/tutors/$tutorId" params={{ tutorId: subject.tutor.tutor_id }} hash="calendar">
            Excuse the days on the tutor’s page
          </Link>{" "}
          first. If no concern remains, tutorq asks you to close the case.
        </p>
      )}
      <Textarea
        label="Details"
        description="Helps the next coach"
        value={text}
        onChange={(changed) => setText(changed.currentTarget.value)}
        maxLength={LONGEST_TEXT}
        autosize
        minRows={2}
        maxRows={8}
      />
    </CaseForm>
  );
}
