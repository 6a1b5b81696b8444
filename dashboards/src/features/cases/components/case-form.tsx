import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import type { Case } from "../../../lib/api-types";
import { refusalInWords } from "../use-case-actions";
import classes from "./case-form.module.css";

export const LONGEST_TEXT = 4000;

/** What every form about one case is given. */
export interface FormProps {
  subject: Case;
  today: string;
  /** It is saved; in a few words, what. */
  onDone: (done: string) => void;
  onCancel: () => void;
}

interface CaseFormProps {
  /** On the button that sends it. */
  send: string;
  isPending?: boolean;
  isDisabled?: boolean;
  error?: Error | null;
  onSend: () => void;
  onCancel: () => void;
  children: ReactNode;
}

/** A form in a dialog. What was typed stays when it is refused; the reason stands above the buttons. */
export function CaseForm({ send, isPending, isDisabled, error, onSend, onCancel, children }: CaseFormProps) {
  return (
    <form
      className={classes.form}
      onSubmit={(submitted) => {
        submitted.preventDefault();
        onSend();
      }}
    >
      {children}
      {error && (
        <p role="alert" className={classes.problem}>
          {refusalInWords(error)}
        </p>
      )}
      <div className={classes.actions}>
        <Button variant="default" onClick={onCancel}>
          Cancel
        </Button>
        <Button type="submit" loading={isPending} disabled={isDisabled}>
          {send}
        </Button>
      </div>
    </form>
  );
}
