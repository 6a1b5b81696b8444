import { TextInput } from "@mantine/core";
import { useCallback, useEffect, useRef, useState } from "react";
import type { CaseDetail } from "../../../lib/api-types";
import { day } from "../../../lib/format";

interface FollowUpFieldProps {
  subject: CaseDetail;
  isDisabled: boolean;
  onSave: (due_on: string | null) => void;
}

/** The day of the follow-up: saved with Enter or on leaving, put back with Escape; what cannot be is told here. */
export function FollowUpField({ subject, isDisabled, onSave }: FollowUpFieldProps) {
  const { due_on, today } = subject;
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const putBack = useCallback(() => {
    // Setting it also clears half a date, which no state of ours knows.
    if (field.current) field.current.value = due_on ?? "";
    setProblem(null);
  }, [due_on]);
  // What somebody else has set; nothing is put back while one types.
  useEffect(putBack, [putBack]);
  const save = () => {
    const input = field.current;
    if (!input) return;
    const wanted = input.value || null;
    if (input.validity.badInput) setProblem("Enter a complete date or clear the field");
    else if (wanted && wanted !== due_on && wanted < today) setProblem(`Choose ${day(today)} or later`);
    else {
      setProblem(null);
      if (wanted !== due_on) onSave(wanted);
    }
  };
  return (
    <TextInput
      ref={field}
      type="date"
      label="Follow-up on"
      min={today}
      defaultValue={due_on ?? ""}
      disabled={isDisabled}
      error={problem}
      onBlur={save}
      onKeyDown={(pressed) => {
        if (pressed.key === "Enter") save();
        if (pressed.key === "Escape") putBack();
      }}
    />
  );
}
