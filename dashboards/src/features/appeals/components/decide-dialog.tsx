import { Button, Modal, Textarea } from "@mantine/core";
import { useState } from "react";
import type { AppealDetail, DecisionPost } from "../../../lib/api-types";
import { tutorName } from "../../../lib/person-name";
import { useDecide, usePreview } from "../api/appeals";
import { type Choices, decisionOf, firstChoices, isComplete } from "../choices";
import classes from "./decide-dialog.module.css";
import { RemedyField } from "./remedy-field";

type Decision = DecisionPost["decision"];
const LONGEST_ANSWER = 2000;
const WORDS = { granted: "Grant", declined: "Decline" } as const;

interface DecideDialogProps {
  appeal: AppealDetail;
  /** Null while it is closed. */
  decision: Decision | null;
  onClose: () => void;
}

/** The decision with its reasons, and the mail that the tutor gets. */
export function DecideDialog({ appeal, decision, onClose }: DecideDialogProps) {
  return (
    <Modal
      opened={decision !== null}
      onClose={onClose}
      // A slip beside the dialog must not lose the reasons.
      closeOnClickOutside={false}
      title={decision && `${WORDS[decision]}: ${tutorName(appeal.tutor)}`}
      closeButtonProps={{ "aria-label": "Close" }}
      size="lg"
      centered
    >
      {decision && <Form appeal={appeal} decision={decision} onClose={onClose} />}
    </Modal>
  );
}

function Form({ appeal, decision, onClose }: DecideDialogProps & { decision: Decision }) {
  const sessions = appeal.concern ? appeal.candidates : appeal.appealed;
  const [answer, setAnswer] = useState("");
  const [choices, setChoices] = useState<Choices>(() => firstChoices(sessions, appeal.concern !== null));
  const decide = useDecide();
  const preview = usePreview();
  const isGrant = decision === "granted";
  const wanted = {
    appealId: appeal.appeal_id,
    decision: { decision, answer: answer.trim(), sessions: isGrant ? decisionOf(choices) : [] },
  };
  const isReady =
    answer.trim() !== "" && (!isGrant || isComplete(choices, sessions, appeal.concern !== null));
  const error = decide.error ?? preview.error;
  return (
    <form
      className={classes.form}
      onSubmit={(submitted) => {
        submitted.preventDefault();
        decide.mutate(wanted, { onSuccess: onClose });
      }}
    >
      {isGrant && sessions.length > 0 && (
        <fieldset className={classes.sessions}>
          <legend className={classes.legend}>What changes</legend>
          {sessions.map((session) => (
            <RemedyField
              key={session.session_id}
              session={session}
              choice={choices[session.session_id] ?? { remedy: "none" }}
              onChange={(choice) => {
                preview.reset();
                setChoices((before) => ({ ...before, [session.session_id]: choice }));
              }}
            />
          ))}
        </fieldset>
      )}
      {isGrant && appeal.concern && (
        <p className={classes.hint}>Correct ratings and returning students in the source system.</p>
      )}
      <Textarea
        label="Answer to the tutor"
        description="Explain why. The tutor receives this text unchanged."
        value={answer}
        onChange={(changed) => {
          preview.reset();
          setAnswer(changed.currentTarget.value);
        }}
        maxLength={LONGEST_ANSWER}
        autosize
        minRows={3}
        maxRows={10}
        data-autofocus
        required
      />
      {preview.data && (
        <section aria-label="Mail preview" className={classes.preview}>
          <strong>{preview.data.subject}</strong>
          <span className={classes.to}>
            {preview.data.recipient ?? "No e-mail address; the tutor’s page shows the answer."}
          </span>
          <pre className={classes.mail}>{preview.data.text}</pre>
        </section>
      )}
      {error && (
        <p role="alert" className={classes.problem}>
          {error.message}
        </p>
      )}
      <div className={classes.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button
          variant="default"
          disabled={!isReady}
          loading={preview.isPending}
          onClick={() => preview.mutate(wanted)}
        >
          Preview mail
        </Button>
        <Button type="submit" disabled={!isReady} loading={decide.isPending}>
          {WORDS[decision]}
        </Button>
      </div>
    </form>
  );
}
