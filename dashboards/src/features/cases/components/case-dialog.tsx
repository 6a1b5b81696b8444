import { Modal } from "@mantine/core";
import type { Case, CaseEvent } from "../../../lib/api-types";
import { tutorName } from "../../../lib/person-name";
import type { CaseActions } from "../use-case-actions";
import { AssignForm } from "./assign-form";
import { CloseForm } from "./close-form";
import { ContactForm } from "./contact-form";
import { NoteForm } from "./note-form";
import { SnoozeForm } from "./snooze-form";

/** What is to be done, and to which cases. */
export type Asked =
  | { what: "assign"; cases: Case[] }
  | { what: "contact" | "snooze" | "note" | "close"; subject: Case }
  | { what: "correct"; subject: Case; event: CaseEvent };

const TITLES: Record<Asked["what"], string> = {
  assign: "Assign",
  contact: "Log contact",
  correct: "Correct contact",
  snooze: "Snooze",
  note: "Add note",
  close: "Close case",
};

interface CaseDialogProps {
  /** Null while it is closed. */
  asked: Asked | null;
  today: string;
  actions: CaseActions;
  onClose: () => void;
  /** Somebody was chosen whom cases are given to. */
  onAssigned?: () => void;
  /** It is gone from the page. */
  onClosed?: () => void;
}

/** The form for what is to be done to a case. */
export function CaseDialog({ asked, onClosed, ...others }: CaseDialogProps) {
  return (
    <Modal
      opened={asked !== null}
      onClose={others.onClose}
      onExitTransitionEnd={onClosed}
      title={asked && titleOf(asked)}
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      {asked && <Form asked={asked} {...others} />}
    </Modal>
  );
}

function Form({ asked, today, actions, onClose, onAssigned }: CaseDialogProps & { asked: Asked }) {
  if (asked.what === "assign") {
    const { cases } = asked;
    const choose: Parameters<typeof AssignForm>[0]["onChoose"] = (owner) => {
      const [only] = cases;
      if (cases.length === 1 && only) actions.give(only, owner);
      else actions.assign(cases, owner);
      onAssigned?.();
      onClose();
    };
    return <AssignForm cases={cases} onChoose={choose} onCancel={onClose} />;
  }
  const { subject } = asked;
  if (asked.what === "snooze") {
    const choose = (until: string) => {
      actions.snooze(subject, until);
      onClose();
    };
    return <SnoozeForm today={today} onChoose={choose} />;
  }
  const done = (words: string) => {
    actions.say({ text: `${tutorName(subject.tutor)}: ${words}.`, isGood: true });
    onClose();
  };
  if (asked.what === "correct") {
    return (
      <ContactForm subject={subject} today={today} wrong={asked.event} onDone={done} onCancel={onClose} />
    );
  }
  const WhatForm = { contact: ContactForm, note: NoteForm, close: CloseForm }[asked.what];
  return <WhatForm subject={subject} today={today} onDone={done} onCancel={onClose} />;
}

const titleOf = (asked: Asked): string =>
  asked.what === "assign" ? TITLES.assign : `${TITLES[asked.what]}: ${tutorName(asked.subject.tutor)}`;
