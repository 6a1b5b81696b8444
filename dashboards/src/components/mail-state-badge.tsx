import type { Report } from "../lib/api-types";
import { Tag, type TagProps } from "./tag";

export const MAIL_STATE: Record<Report["state"], TagProps> = {
  queued: { label: "Queued", icon: "dots", tone: "none" },
  sending: { label: "Sending", icon: "dots", tone: "none" },
  sent: { label: "Sent", icon: "check", tone: "ok" },
  failed: { label: "Failed", icon: "alert", tone: "high" },
  unknown: { label: "Unconfirmed", icon: "eye", tone: "watch" },
  sample: { label: "Sample", icon: "eye", tone: "none" },
  suppressed: { label: "Not sent", icon: "dots", tone: "none" },
};

/** What became of a mail, in word, sign and colour. */
export function MailStateBadge({ report }: { report: Pick<Report, "state" | "provider" | "delivered_at"> }) {
  const look: TagProps = MAIL_STATE[report.state] ?? { label: report.state, icon: "dots", tone: "none" };
  // Nobody gets what is written to files.
  if (report.state === "sent" && report.provider === "file") return <Tag {...look} label="Written to file" />;
  return <Tag {...look} label={report.delivered_at ? "Delivered" : look.label} />;
}
