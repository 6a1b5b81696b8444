import { Button, Skeleton } from "@mantine/core";
import { Icon, type IconName } from "../../../components/icons";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import type { CaseEvent } from "../../../lib/api-types";
import { day, moment } from "../../../lib/format";
import { useCaseEvents } from "../api/get-case";
import { contactDay, told } from "../event-words";
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
  withdrawn: "cross",
  stand_in: "person",
  closed: "lock",
};

interface CaseTimelineProps {
  caseId: number;
  /** Left out for who cannot change the case. */
  onCorrect: ((event: CaseEvent) => void) | undefined;
}

/** What happened to a case, who did it, and when; the newest first. */
export function CaseTimeline({ caseId, onCorrect }: CaseTimelineProps) {
  const events = useCaseEvents(caseId);
  return (
    <Panel title="What happened">
      <QueryBoundary query={events} skeleton={<Skeleton height={200} />}>
        {({ data }) => (
          <ol className={classes.events}>
            {data.map((event) => (
              <Entry
                key={event.event_id}
                event={event}
                by={data.find(({ event_id }) => event_id === event.corrected_by)}
                onCorrect={onCorrect}
              />
            ))}
          </ol>
        )}
      </QueryBoundary>
    </Panel>
  );
}

interface EntryProps {
  event: CaseEvent;
  /** What corrects it. */
  by: CaseEvent | undefined;
  onCorrect: CaseTimelineProps["onCorrect"];
}

function Entry({ event, by, onCorrect }: EntryProps) {
  const { title, lines, text } = told(event);
  return (
    <li className={classes.event} data-corrected={by !== undefined || undefined}>
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
        {by && (
          <p className={classes.correction}>
            {by.kind === "withdrawn" ? "Withdrawn" : "Corrected"} by {by.actor} on {moment(by.happened_at)}
          </p>
        )}
        {event.kind === "contact" && !by && onCorrect && (
          <Button
            size="compact-xs"
            variant="subtle"
            className={classes.correct}
            aria-label={`Correct the contact of ${day(contactDay(event))}`}
            onClick={() => onCorrect(event)}
          >
            Correct
          </Button>
        )}
      </div>
    </li>
  );
}
