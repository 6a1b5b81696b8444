import type { TagProps } from "../../components/tag";
import type { WebhookEndpoint } from "../../lib/api-types";
import { count, counted, moment } from "../../lib/format";

/** Whether it is told anything, in word, sign and colour. */
export function standing(webhook: WebhookEndpoint): TagProps {
  if (webhook.state === "disabled") {
    return webhook.disabled_by === "person"
      ? { label: "Off", icon: "dash", tone: "none" }
      : { label: "Disabled", icon: "ban", tone: "high" };
  }
  if (webhook.failing_since) return { label: "Failing", icon: "alert", tone: "watch" };
  return { label: "On", icon: "check", tone: "ok" };
}

/** The same in a sentence. */
export function standingDetail(webhook: WebhookEndpoint): string {
  if (webhook.disabled_why) return webhook.disabled_why;
  if (webhook.failing_since) {
    return `since ${moment(webhook.failing_since)}, ${counted(webhook.failures, "attempt")}`;
  }
  return webhook.waiting > 0 ? `${count(webhook.waiting)} waiting` : "";
}
