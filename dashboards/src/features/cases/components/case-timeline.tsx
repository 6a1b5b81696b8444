import { Skeleton } from "@mantine/core";
import { Icon, type IconName } from "../../../components/icons";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import type { CaseEvent } from "../../../lib/api-types";
import { moment } from "../../../lib/format";
import { useCaseEvents } from "../api/get-case";
import { told } from "../event-words";
import classes from "./case-timeline.module.css";

const ICONS: Record<CaseEvent["kind"], IconName> = {
  opened: "alert",
  joined: "alert",
  eased: "check",
  suggested: "check",
  reopened: "refresh",
  changed: "move",
  note: "inbox",
  contact: "person",
  closed: "lock",
};

/** What happened to a case, who did it, and when; the newest first. */
export function CaseTimeline({ caseId }: { caseId: number }) {
  const events = useCaseEvents(caseId);
  return (
    <Panel title="What happened">
      <QueryBoundary query={events} skeleton={<Skeleton height={200} />}>
        {({ data }) => (
          <ol className={classes.events}>
            {data.map((event) => (
              <Entry key={event.event_id} event={event} />
            ))}
          </ol>
        )}
      </QueryBoundary>
    </Panel>
  );
}

function Entry({ event }: { event: CaseEvent }) {
  const { title, lines, text } = told(event);
  return (
    <li className={classes.event}>
      <span className={classes.icon}>
        <Icon name={event.is_private ? "lock" : (ICONS[event.kind] ?? "dots")} size={14} />
      </span>
      <div>
        <p className={classes.title}>
          <strong>{event.actor}</strong> {title}
        </p>
        {lines.map((line) => (
          <p key={line} className={classes.line}>
            {line}
          </p>
        ))}
        {text && <p className={classes.text}>{text}</p>}
        <time className={classes.time} dateTime={event.happened_at}>
          {moment(event.happened_at)}
        </time>
      </div>
    </li>
  );
}
