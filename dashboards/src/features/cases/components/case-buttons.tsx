import { Button } from "@mantine/core";
import type { Case } from "../../../lib/api-types";
import { useIsLead } from "../../../lib/auth";
import type { CaseActions } from "../use-case-actions";
import { useMe, useWhyNot } from "../use-me";
import classes from "./case-buttons.module.css";
import type { Asked } from "./case-dialog";

interface CaseButtonsProps {
  subject: Case;
  today: string;
  actions: CaseActions;
  onAsk: (asked: Asked) => void;
  /** Only what comes next. */
  isShort?: boolean;
}

interface Step {
  label: string;
  run: () => void;
}

/** What can be done to a case, what comes next first; or why nothing can. */
export function CaseButtons({ subject, today, actions, onAsk, isShort = false }: CaseButtonsProps) {
  const me = useMe();
  const isLead = useIsLead();
  const whyNot = useWhyNot();
  if (!subject.may_change) return <p className={classes.why}>{whyNot}</p>;

  const ask = (what: "contact" | "snooze" | "note" | "close", label: string): Step => ({
    label,
    run: () => onAsk({ what, subject }),
  });
  const assign: Step = { label: "Assign", run: () => onAsk({ what: "assign", cases: [subject] }) };
  const take: Step = { label: "Take", run: () => me && actions.give(subject, me) };
  const giveBack: Step = { label: "Give back", run: () => actions.give(subject, null) };
  const contact = ask("contact", "Log contact");
  const note = ask("note", "Add note");
  const close = ask("close", "Close");
  const isSnoozed = subject.snoozed_until !== null && subject.snoozed_until > today;
  const snooze: Step = isSnoozed
    ? { label: "End snooze", run: () => actions.snooze(subject, null) }
    : ask("snooze", "Snooze");

  const isMine = me !== null && subject.owner?.person_id === me.person_id;
  const hands = [...(me && !isMine ? [take] : []), ...(isLead ? [assign] : isMine ? [giveBack] : [])];
  const steps = subject.closed_at
    ? [{ label: "Reopen", run: () => actions.reopen(subject) }, note]
    : subject.suggested_at
      ? [close, contact, snooze, ...hands, note]
      : subject.owner === null
        ? [...hands, contact, snooze, note, close]
        : [contact, snooze, ...hands, note, close];
  return (
    <div className={classes.buttons}>
      {(isShort ? steps.slice(0, 3) : steps).map(({ label, run }, index) => (
        <Button key={label} size="xs" variant={index === 0 ? "filled" : "default"} onClick={run}>
          {label}
        </Button>
      ))}
    </div>
  );
}
