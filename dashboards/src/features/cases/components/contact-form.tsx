import { Select, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import type { AgreedAction, Case, Cause, Channel } from "../../../lib/api-types";
import { day } from "../../../lib/format";
import { caseNow, useLogContact } from "../api/change-cases";
import { ACTIONS, CAUSES, CHANNELS, choices, daysLater } from "../case-words";
import { useMe } from "../use-me";
import { CaseForm, type FormProps, LONGEST_TEXT } from "./case-form";
import classes from "./case-form.module.css";

const FOLLOW_UP_DAYS = 14;

/** What was said with the tutor, what was agreed, and when to look again. */
export function ContactForm({ subject, today, onDone, onCancel }: FormProps) {
  const [channel, setChannel] = useState<Channel>("call");
  const [cause, setCause] = useState<Cause>("unknown");
  const [action, setAction] = useState<AgreedAction>("nothing");
  const [text, setText] = useState("");
  const [followUp, setFollowUp] = useState(daysLater(today, FOLLOW_UP_DAYS));
  const me = useMe();
  const log = useLogContact();
  const seen: Case = caseNow(log.error) ?? subject;
  return (
    <CaseForm
      send="Log contact"
      isPending={log.isPending}
      error={log.error}
      onCancel={onCancel}
      onSend={() =>
        log.mutate(
          {
            seen,
            body: { channel, cause, action, text: text.trim() || null, follow_up_on: followUp || null },
            foreseen: {
              owner: seen.owner ?? me,
              due_on: followUp || null,
              snoozed_until: null,
              queue: followUp ? "waiting" : "due",
            },
          },
          {
            onSuccess: () =>
              onDone(followUp ? `contact logged, follow-up on ${day(followUp)}` : "contact logged"),
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
        <Select
          label="Cause, as the tutor sees it"
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
          min={today}
          value={followUp}
          onChange={(changed) => setFollowUp(changed.currentTarget.value)}
        />
      </div>
      <Textarea
        label="Note"
        description="Everybody who can see the case reads it."
        value={text}
        onChange={(changed) => setText(changed.currentTarget.value)}
        maxLength={LONGEST_TEXT}
        autosize
        minRows={3}
        maxRows={10}
      />
    </CaseForm>
  );
}
