import type { CoveredSession, StandIn } from "../../lib/api-types";
import { counted } from "../../lib/format";
import { firstName } from "../../lib/person-name";

/** In English as the rest of the text, whatever the sender's locale. */
const WHEN = new Intl.DateTimeFormat("en-GB", {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

const WHOLE_DAY = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });

interface RequestText {
  subject: string;
  body: string;
}

/** To a tutor who may stand in. The student is not named: whoever sends it adds what the tutor should know. */
export function requestText(
  { subject, scheduled_time, minutes }: Pick<CoveredSession, "subject" | "scheduled_time" | "minutes">,
  { name }: Pick<StandIn, "name">,
  sender?: string | null,
): RequestText {
  const when = WHEN.format(new Date(scheduled_time));
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  // UTC is said with the time.
  const inZone = /(^|\/)UTC$/.test(zone) ? "" : ` (time zone ${zone})`;
  const what = subject ? `a session of ${subject}` : "a session";
  return {
    subject: `Could you stand in on ${when}?`,
    body: [
      name ? `Hello ${firstName(name)},` : "Hello,",
      "",
      `We are looking for a tutor for ${what} on ${when}${inZone}, ${counted(minutes, "minute")} long.`,
      `Could you take this session? Please reply ${replyBy(scheduled_time)}, even if you cannot.`,
      ...(sender ? ["", sender] : []),
    ].join("\n"),
  };
}

/** The day before the session, while there is one. */
function replyBy(scheduledTime: string): string {
  const [before, endOfToday] = [new Date(scheduledTime), new Date()];
  before.setDate(before.getDate() - 1);
  endOfToday.setHours(23, 59, 59, 999);
  return before > endOfToday ? `by ${WHOLE_DAY.format(before)}` : "today";
}

/** Line ends as RFC 6068 has them. */
export const mailTo = (to: string, { subject, body }: RequestText): string =>
  `mailto:${encodeURIComponent(to)}?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(
    body.replaceAll("\n", "\r\n"),
  )}`;
