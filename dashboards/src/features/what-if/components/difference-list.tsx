import type { ScoringSetting, SettingChange } from "../../../lib/api-types";
import { inWords } from "../values";
import classes from "./what-if-page.module.css";

interface DifferenceListProps {
  changed: Record<string, SettingChange>;
  settings: readonly ScoringSetting[];
}

/** Settings, each from what to what. */
export function DifferenceList({ changed, settings }: DifferenceListProps) {
  return (
    <ul className={classes.differences} aria-label="Changed settings">
      {Object.entries(changed).map(([name, { from, to }]) => {
        const setting = settings.find((each) => each.name === name);
        return (
          <li key={name}>
            {setting?.label ?? name}: {inWords(from, setting?.unit)} →{" "}
            <strong>{inWords(to, setting?.unit)}</strong>
          </li>
        );
      })}
    </ul>
  );
}
