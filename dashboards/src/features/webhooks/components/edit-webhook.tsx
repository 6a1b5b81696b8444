import { Button, Modal } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { ErrorNotice } from "../../../components/notice";
import type { WebhookEndpoint } from "../../../lib/api-types";
import { useChangeWebhook } from "../api/webhooks";
import { asBody, WebhookFields } from "./webhook-fields";
import classes from "./webhook-form.module.css";

interface EditWebhookProps {
  webhook: WebhookEndpoint;
  isOpen: boolean;
  onClose: () => void;
}

export function EditWebhook({ isOpen, onClose, webhook }: EditWebhookProps) {
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title="Edit webhook"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <EditForm webhook={webhook} onClose={onClose} />
    </Modal>
  );
}

/** Made anew whenever the dialog opens, from what is stored then. */
function EditForm({ webhook, onClose }: Omit<EditWebhookProps, "isOpen">) {
  const [draft, setDraft] = useState({
    url: "",
    description: webhook.description ?? "",
    kinds: webhook.kinds as string[],
  });
  const change = useChangeWebhook(webhook.endpoint_id);
  const send = (event: FormEvent) => {
    event.preventDefault();
    // The address is not shown again; an empty field leaves it as it is.
    const { url, ...others } = asBody(draft);
    change.mutate(url ? { url, ...others } : others, { onSuccess: onClose });
  };
  return (
    <form className={classes.form} onSubmit={send}>
      <WebhookFields draft={draft} onChange={setDraft} host={webhook.host} />
      {change.error && <ErrorNotice text={change.error.message} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={change.isPending} disabled={draft.kinds.length === 0}>
          Save
        </Button>
      </div>
    </form>
  );
}
