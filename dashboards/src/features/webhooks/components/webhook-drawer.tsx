import { Button, Drawer, Modal } from "@mantine/core";
import { useState } from "react";
import { ErrorNotice, Notice } from "../../../components/notice";
import { Tag } from "../../../components/tag";
import type { WebhookEndpoint } from "../../../lib/api-types";
import { moment } from "../../../lib/format";
import {
  useChangeWebhook,
  useDeleteWebhook,
  useDelivery,
  useRenewSecret,
  useTestWebhook,
} from "../api/webhooks";
import { standing, standingDetail } from "../standing";
import { Deliveries } from "./deliveries";
import { EditWebhook } from "./edit-webhook";
import { SecretOnce } from "./secret-once";
import classes from "./webhook-drawer.module.css";

interface WebhookDrawerProps {
  webhook: WebhookEndpoint | undefined;
  page: number;
  onPage: (page: number | undefined) => void;
  onClose: () => void;
}

/** One webhook: its state, what can be done with it, and what became of each delivery. */
export function WebhookDrawer({ webhook, page, onPage, onClose }: WebhookDrawerProps) {
  return (
    <Drawer
      opened={webhook !== undefined}
      onClose={onClose}
      position="right"
      size="xl"
      title={webhook?.description ?? "Webhook"}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {webhook && (
        <div className={classes.parts}>
          <Standing key={webhook.endpoint_id} webhook={webhook} onGone={onClose} />
          <Deliveries webhook={webhook} page={page} onPage={onPage} />
        </div>
      )}
    </Drawer>
  );
}

/** What came of a test: it is on its way for some seconds. */
function TestResult({ webhook, deliveryId }: { webhook: WebhookEndpoint; deliveryId: string }) {
  const test = useDelivery(webhook.endpoint_id, deliveryId).data?.data;
  if (test?.state === "sent") {
    return (
      <Notice icon="check" isGood>
        The test arrived: HTTP {test.answer_code}.
      </Notice>
    );
  }
  if (test && ["failed", "unknown", "suppressed"].includes(test.state)) {
    return <ErrorNotice text={`The test failed: ${test.error}`} />;
  }
  return <Notice icon="clock">Test on its way. Its result appears here.</Notice>;
}

type Dialog = "edit" | "secret" | "delete" | null;

function Standing({ webhook, onGone }: { webhook: WebhookEndpoint; onGone: () => void }) {
  const [dialog, setDialog] = useState<Dialog>(null);
  const close = () => setDialog(null);
  const change = useChangeWebhook(webhook.endpoint_id);
  const test = useTestWebhook(webhook.endpoint_id);
  const isOn = webhook.state === "active";
  const error = change.error ?? test.error;
  return (
    <>
      <div className={classes.head}>
        <Tag {...standing(webhook)} />
        <span>{standingDetail(webhook)}</span>
        <p className={classes.url}>{webhook.host}</p>
      </div>
      {error && <ErrorNotice text={error.message} />}
      {test.data && <TestResult webhook={webhook} deliveryId={test.data.data.delivery_id} />}
      <div className={classes.buttons}>
        <Button size="xs" onClick={() => test.mutate(undefined)} loading={test.isPending}>
          Send a test
        </Button>
        <Button size="xs" variant="default" onClick={() => setDialog("edit")}>
          Edit
        </Button>
        <Button size="xs" variant="default" onClick={() => setDialog("secret")}>
          Renew secret
        </Button>
        <Button
          size="xs"
          variant="default"
          loading={change.isPending}
          onClick={() => change.mutate({ state: isOn ? "disabled" : "active" })}
        >
          {isOn ? "Switch off" : "Switch on"}
        </Button>
        <Button size="xs" variant="default" color="red" onClick={() => setDialog("delete")}>
          Delete
        </Button>
      </div>
      <EditWebhook webhook={webhook} isOpen={dialog === "edit"} onClose={close} />
      <RenewSecret webhook={webhook} isOpen={dialog === "secret"} onClose={close} />
      <DeleteWebhook webhook={webhook} isOpen={dialog === "delete"} onClose={close} onGone={onGone} />
    </>
  );
}

interface DialogProps {
  webhook: WebhookEndpoint;
  isOpen: boolean;
  onClose: () => void;
}

function RenewSecret({ webhook, isOpen, onClose }: DialogProps) {
  const renew = useRenewSecret(webhook.endpoint_id);
  const close = () => {
    onClose();
    renew.reset();
  };
  const renewed = renew.data;
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      closeOnClickOutside={!renewed?.secret}
      title="Renew the secret"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {renewed?.secret ? (
        <SecretOnce
          secret={renewed.secret}
          note={`The old secret also signs until ${moment(renewed.old_secret_until)}.`}
          onDone={close}
        />
      ) : (
        <div className={classes.parts}>
          <p>For 24 hours, both the old and the new secret sign.</p>
          {renew.error && <ErrorNotice text={renew.error.message} />}
          <div className={classes.buttons}>
            <Button onClick={() => renew.mutate(undefined)} loading={renew.isPending} data-autofocus>
              Renew secret
            </Button>
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
          </div>
        </div>
      )}
    </Modal>
  );
}

function DeleteWebhook({ webhook, isOpen, onClose, onGone }: DialogProps & { onGone: () => void }) {
  const remove = useDeleteWebhook(webhook.endpoint_id);
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title="Delete this webhook?"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <div className={classes.parts}>
        <p>tutorq deletes the secret and drops waiting deliveries.</p>
        {remove.error && <ErrorNotice text={remove.error.message} />}
        <div className={classes.buttons}>
          <Button
            color="red"
            loading={remove.isPending}
            onClick={() => remove.mutate(undefined, { onSuccess: onGone })}
          >
            Delete webhook
          </Button>
          <Button variant="default" onClick={onClose} data-autofocus>
            Cancel
          </Button>
        </div>
      </div>
    </Modal>
  );
}
