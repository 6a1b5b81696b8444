import { Checkbox, Textarea } from "@mantine/core";
import { useState } from "react";
import { useAddNote } from "../api/change-cases";
import { useMe } from "../use-me";
import { CaseForm, type FormProps, LONGEST_TEXT } from "./case-form";

/** Something to remember; for everybody, or for its author alone. */
export function NoteForm({ subject, onDone, onCancel }: FormProps) {
  const [text, setText] = useState("");
  const [isPrivate, setPrivate] = useState(false);
  const me = useMe();
  const add = useAddNote();
  return (
    <CaseForm
      send="Add note"
      isPending={add.isPending}
      isDisabled={!text.trim()}
      error={add.error}
      onCancel={onCancel}
      onSend={() =>
        add.mutate(
          { caseId: subject.case_id, note: { text: text.trim(), is_private: isPrivate } },
          { onSuccess: () => onDone("note added") },
        )
      }
    >
      <Textarea
        label="Note"
        value={text}
        onChange={(changed) => setText(changed.currentTarget.value)}
        maxLength={LONGEST_TEXT}
        autosize
        minRows={4}
        maxRows={12}
        data-autofocus
        required
      />
      {me && (
        <Checkbox
          label="Private: only you can read it"
          checked={isPrivate}
          onChange={(changed) => setPrivate(changed.currentTarget.checked)}
        />
      )}
    </CaseForm>
  );
}
