import { Select } from "@mantine/core";
import type { AppealSession } from "../../../lib/api-types";
import { shortMoment } from "../../../lib/format";
import { happenedTo } from "../appeal-words";
import { type Choice, CORRECTED_AS, type CorrectedAs, correctionsOf } from "../choices";
import classes from "./remedy-field.module.css";

interface RemedyFieldProps {
  session: AppealSession;
  choice: Choice;
  onChange: (choice: Choice) => void;
}

/** What is done about one session. */
export function RemedyField({ session, choice, onChange }: RemedyFieldProps) {
  const when = shortMoment(session.scheduled_time, "a deleted session");
  const corrections = correctionsOf(session.happened);
  const options = [
    ...(session.happened === "late" ? [] : [{ value: "excused", label: "Excuse" }]),
    ...corrections.map((as) => ({ value: as, label: `Correct: ${CORRECTED_AS[as].toLowerCase()}` })),
    { value: "none", label: "No change" },
  ];
  return (
    <div className={classes.field}>
      <span>
        <strong>{when}</strong>
        <span className={classes.what}>{happenedTo(session)}</span>
      </span>
      <Select
        aria-label={`What changes: ${when}`}
        size="xs"
        data={options}
        allowDeselect={false}
        value={choice.remedy === "corrected" ? (choice.as ?? null) : choice.remedy}
        onChange={(value) => {
          if (value === "excused" || value === "none") onChange({ remedy: value });
          else if (value) onChange({ remedy: "corrected", as: value as CorrectedAs });
        }}
      />
    </div>
  );
}
