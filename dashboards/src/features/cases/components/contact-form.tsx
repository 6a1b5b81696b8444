import { Button, Select, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import type { AgreedAction, Case, CaseEvent, Cause, Channel } from "../../../lib/api-types";
import { day } from "../../../lib/format";
import { caseNow, useLogContact, useWithdrawContact } from "../api/change-cases";
import { ACTIONS, CAUSES, CHANNELS, choices, daysLater } from "../case-words";
import { contactDay } from "../event-words";
import { useMe } from "../use-me";
import { CaseForm, type FormProps, LONGEST_TEXT } from "./case-form";
import classes from "./case-form.module.css";

const FOLLOW_UP_DAYS = 14;
const LONGEST_AGO_DAYS = 365;

interface ContactFormProps extends FormProps {
  /** A contact that was noted wrongly: this one is to take its place. */
  wrong?: CaseEvent;
}

/** What the form says at first: what was noted before, if that is to be corrected. */
function beginning({ subject, today, wrong }: ContactFormProps) {
  const said = (wrong?.details ?? {}) as Partial<Record<string, string>>;
  return {
    channel: (said.channel ?? "call") as Channel,
    cause: (said.cause ?? "unknown") as Cause,
    action: (said.action ?? "nothing") as AgreedAction,
    text: said.text ?? "",
    happenedOn: wrong ? contactDay(wrong) : today,
    followUp: wrong ? (subject.due_on ?? "") : daysLater(today, FOLLOW_UP_DAYS),
  };
}

/** What was said with the tutor and when, what was agreed, and when to look again. */
export function ContactForm(props: ContactFormProps) {
  const { subject, today, wrong, onDone, onCancel } = props;
  const [first] = useState(() => beginning(props));
  const [channel, setChannel] = useState(first.channel);
  const [cause, setCause] = useState(first.cause);
  const [action, setAction] = useState(first.action);
  const [text, setText] = useState(first.text);
  const [happenedOn, setHappenedOn] = useState(first.happenedOn);
  const [followUp, setFollowUp] = useState(first.followUp);
  const me = useMe();
  const log = useLogContact();
  const seen: Case = caseNow(log.error) ?? subject;
  const isSameFollowUp = wrong && followUp === first.followUp;
  return (
    <CaseForm
      send={wrong ? "Save correction" : "Log contact"}
      isPending={log.isPending}
      error={log.error}
      onCancel={onCancel}
      onSend={() =>
        log.mutate(
          {
            seen,
            body: {
              channel,
              cause,
              action,
              text: text.trim() || null,
              happened_on: happenedOn,
              ...(!isSameFollowUp && { follow_up_on: followUp || null }),
              ...(wrong && { corrects: wrong.event_id }),
            },
            foreseen: wrong
              ? {}
              : {
                  owner: seen.owner ?? me,
                  due_on: followUp || null,
                  snoozed_until: null,
                  queue: followUp ? "waiting" : "due",
                },
          },
          {
            onSuccess: () => {
              if (wrong) onDone("contact corrected");
              else onDone(followUp ? `contact logged, follow-up on ${day(followUp)}` : "contact logged");
            },
          },
        )
      }
    >
      <div className={classes.pair}>
        <Select
          label="Channel"
          data={choices(CHANNELS)}
          value={channel}
          onChange={(chosen) => setChannel((chosen as Channel) ?? channel)}
          allowDeselect={false}
          data-autofocus
        />
        <TextInput
          type="date"
          label="Date of contact"
          min={daysLater(today, -LONGEST_AGO_DAYS)}
          max={today}
          value={happenedOn}
          onChange={(changed) => setHappenedOn(changed.currentTarget.value)}
          required
        />
        <Select
          label="Cause, according to the tutor"
          data={choices(CAUSES)}
          value={cause}
          onChange={(chosen) => setCause((chosen as Cause) ?? cause)}
          allowDeselect={false}
        />
        <Select
          label="Agreed"
          data={choices(ACTIONS)}
          value={action}
          onChange={(chosen) => setAction((chosen as AgreedAction) ?? action)}
          allowDeselect={false}
        />
        <TextInput
          type="date"
          label="Follow-up on"
          // What was agreed on before may be over by now.
          min={isSameFollowUp ? undefined : today}
          value={followUp}
          onChange={(changed) => setFollowUp(changed.currentTarget.value)}
        />
      </div>
      <Textarea
        label="Note"
        description="Visible to everyone who can view the case"
        value={text}
        onChange={(changed) => setText(changed.currentTarget.value)}
        maxLength={LONGEST_TEXT}
        autosize
        minRows={3}
        maxRows={10}
      />
      {wrong && <Withdraw subject={seen} wrong={wrong} onDone={onDone} />}
    </CaseForm>
  );
}

interface WithdrawProps {
  subject: Case;
  wrong: CaseEvent;
  onDone: (done: string) => void;
}

/** For what was noted at the wrong tutor. */
function Withdraw({ subject, wrong, onDone }: WithdrawProps) {
  const withdraw = useWithdrawContact(wrong.event_id);
  const seen = caseNow(withdraw.error) ?? subject;
  return (
    <p className={classes.about}>
      Logged by mistake, or for another tutor?{" "}
      <Button
        size="compact-xs"
        variant="default"
        loading={withdraw.isPending}
        onClick={() => withdraw.mutate({ seen, body: {} }, { onSuccess: () => onDone("contact withdrawn") })}
      >
        Withdraw this contact
      </Button>
      {withdraw.error && <span role="alert"> {withdraw.error.message}</span>}
    </p>
  );
}
