import { Button, Modal, Textarea } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { ErrorNotice } from "../../../components/notice";
import type { ScoringSetting, SettingChange, WhatIfDetail } from "../../../lib/api-types";
import { useApply } from "../api/what-if";
import { DifferenceList } from "./difference-list";
import classes from "./what-if-page.module.css";

interface ApplyDialogProps {
  isOpen: boolean;
  question: WhatIfDetail;
  changed: Record<string, SettingChange>;
  settings: readonly ScoringSetting[];
  onClose: () => void;
}

/** The step that does change something: asked again, with a word on why. */
export function ApplyDialog({ isOpen, question, changed, settings, onClose }: ApplyDialogProps) {
  const [note, setNote] = useState("");
  const apply = useApply();
  const send = (event: FormEvent) => {
    event.preventDefault();
    apply.mutate(
      { changes: question.changes, note: note.trim() || null },
      { onSuccess: () => [setNote(""), onClose()] },
    );
  };
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title="Apply these settings?"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <form className={classes.form} onSubmit={send}>
        <DifferenceList changed={changed} settings={settings} />
        <p className={classes.note}>
          The next run scores all tutors with these settings, then updates cases, mail and webhooks. The audit
          log records who applied them.
        </p>
        <Textarea
          label="Why"
          description="For the history and the audit log"
          maxLength={500}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
        {apply.error && <ErrorNotice text={apply.error.message} />}
        <div className={classes.buttons}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={apply.isPending}>
            Apply settings
          </Button>
        </div>
      </form>
    </Modal>
  );
}
