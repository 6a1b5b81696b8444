import { Checkbox, TextInput } from "@mantine/core";
import { KINDS, type Kind } from "../event-kinds";
import classes from "./webhook-form.module.css";

interface WebhookDraft {
  url: string;
  description: string;
  kinds: string[];
}

export const isComplete = ({ url, kinds }: WebhookDraft): boolean => url.trim() !== "" && kinds.length > 0;

/** The draft as the API takes it. */
export const asBody = ({ url, description, kinds }: WebhookDraft) => ({
  url: url.trim(),
  description: description.trim() || null,
  kinds: kinds as Kind[],
});

interface WebhookFieldsProps {
  draft: WebhookDraft;
  onChange: (draft: WebhookDraft) => void;
  /** Of the address that is kept, and stays unless another is entered. */
  host?: string;
}

/** Where events go, what for, and which. */
export function WebhookFields({ draft, onChange, host }: WebhookFieldsProps) {
  return (
    <>
      <TextInput
        label="Address"
        description={host && `An address at ${host} is stored. Enter another to replace it.`}
        placeholder="https://example.org/hooks/tutorq"
        value={draft.url}
        onChange={(changed) => onChange({ ...draft, url: changed.currentTarget.value })}
        inputMode="url"
        maxLength={2000}
        required={host === undefined}
        data-autofocus
      />
      <TextInput
        label="Description"
        value={draft.description}
        onChange={(changed) => onChange({ ...draft, description: changed.currentTarget.value })}
        maxLength={200}
      />
      <Checkbox.Group label="Events" value={draft.kinds} onChange={(kinds) => onChange({ ...draft, kinds })}>
        <div className={classes.kinds}>
          {Object.entries(KINDS).map(([kind, label]) => (
            <Checkbox key={kind} value={kind} label={label} />
          ))}
        </div>
      </Checkbox.Group>
    </>
  );
}
