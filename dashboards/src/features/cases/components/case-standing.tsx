import { Tag } from "../../../components/tag";
import type { Case } from "../../../lib/api-types";
import { awaited, PRIORITIES, REASONS, stateOf } from "../case-words";
import classes from "./case-standing.module.css";

/** How a case stands, in one line. */
export function CaseStanding({ subject, today }: { subject: Case; today: string }) {
  const next = awaited(subject, today);
  return (
    <span className={classes.standing}>
      <Tag
        tone={subject.queue === "todo" || subject.queue === "due" ? "watch" : "none"}
        label={stateOf(subject)}
      />
      {subject.priority !== "normal" && (
        <Tag
          tone={subject.priority === "high" ? "high" : "none"}
          label={`${PRIORITIES[subject.priority]} priority`}
        />
      )}
      <span>
        {[
          subject.owner?.name ?? "no owner",
          subject.reason && REASONS[subject.reason],
          next && next.words !== "close case?" && next.words,
        ]
          .filter(Boolean)
          .join(" · ")}
      </span>
    </span>
  );
}
