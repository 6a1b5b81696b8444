import { Button, Modal } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { ErrorNotice } from "../../../components/notice";
import { useAddWebhook } from "../api/webhooks";
import { SecretOnce } from "./secret-once";
import { asBody, isComplete, WebhookFields } from "./webhook-fields";
import classes from "./webhook-form.module.css";

const NEW = { url: "", description: "", kinds: ["tutor.concern_raised", "tutor.concern_cleared"] };

/** A new webhook; then its secret, which is shown only here. */
export function AddWebhook({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const [draft, setDraft] = useState(NEW);
  const add = useAddWebhook();
  const secret = add.data?.secret;
  const close = () => {
    onClose();
    setDraft(NEW);
    add.reset();
  };
  const send = (event: FormEvent) => {
    event.preventDefault();
    add.mutate(asBody(draft));
  };
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      // The secret cannot be had again: a slip beside the dialog must not lose it.
      closeOnClickOutside={!secret}
      title={secret ? "Webhook added" : "Add webhook"}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {secret ? (
        <SecretOnce secret={secret} onDone={close} />
      ) : (
        <form className={classes.form} onSubmit={send}>
          <WebhookFields draft={draft} onChange={setDraft} />
          {add.error && <ErrorNotice text={add.error.message} />}
          <div className={classes.buttons}>
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={add.isPending} disabled={!isComplete(draft)}>
              Add webhook
            </Button>
          </div>
        </form>
      )}
    </Modal>
  );
}
