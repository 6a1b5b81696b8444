import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { day } from "../../../lib/format";
import { daysLater } from "../case-words";
import classes from "./case-form.module.css";

const CHOICES = [
  { label: "Tomorrow", days: 1 },
  { label: "In 3 days", days: 3 },
  { label: "In 1 week", days: 7 },
];

interface SnoozeFormProps {
  today: string;
  onChoose: (until: string) => void;
}

/** Until when the case is to wait. */
export function SnoozeForm({ today, onChoose }: SnoozeFormProps) {
  const [until, setUntil] = useState(daysLater(today, 14));
  return (
    <form
      className={classes.form}
      onSubmit={(submitted) => {
        submitted.preventDefault();
        onChoose(until);
      }}
    >
      <div className={classes.choices}>
        {CHOICES.map(({ label, days }, index) => (
          <Button
            key={days}
            variant="default"
            title={day(daysLater(today, days))}
            onClick={() => onChoose(daysLater(today, days))}
            data-autofocus={index === 0 || undefined}
          >
            {label}
          </Button>
        ))}
      </div>
      <div className={classes.day}>
        <TextInput
          type="date"
          label="Snooze until"
          min={daysLater(today, 1)}
          value={until}
          onChange={(changed) => setUntil(changed.currentTarget.value)}
          required
        />
        <Button type="submit" disabled={!until}>
          Snooze
        </Button>
      </div>
    </form>
  );
}
