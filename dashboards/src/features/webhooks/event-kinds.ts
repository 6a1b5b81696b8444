import { MAIL_STATE } from "../../components/mail-state-badge";
import type { WebhookDelivery, WebhookEndpoint } from "../../lib/api-types";

export type Kind = WebhookEndpoint["kinds"][number];

/** What an endpoint can be told of, in the order of the form. */
export const KINDS: Record<Kind, string> = {
  "tutor.concern_raised": "Concern raised",
  "tutor.concern_cleared": "Concern cleared",
  "session.alert": "Tutor missed a session",
  "case.changed": "Case changed",
  "publication.done": "Scores published",
};

export const kindLabel = (kind: string): string =>
  kind === "webhook.test" ? "Test" : (KINDS[kind as Kind] ?? kind);

/** What became of a delivery, as mail says it; a webhook that waits is not “not wanted” but was not sent. */
export const DELIVERY_STATE = {
  ...MAIL_STATE,
  suppressed: { ...MAIL_STATE.suppressed, label: "Not sent" },
} satisfies Record<WebhookDelivery["state"], unknown>;
