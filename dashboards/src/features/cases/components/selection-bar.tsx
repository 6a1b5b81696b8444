import { Button } from "@mantine/core";
import type { Case } from "../../../lib/api-types";
import { count } from "../../../lib/format";
import { useSelected } from "../selection";
import { useMe, useWhyNot } from "../use-me";
import classes from "./selection-bar.module.css";

interface SelectionBarProps {
  /** The selected ones of all. */
  chosen: Case[];
  all: Case[];
  isLead: boolean;
  onAssign: () => void;
  /** Left out for keys, who cannot own cases. */
  onTake: (() => void) | undefined;
  onAsk: (what: "contact" | "snooze", subject: Case) => void;
}

/** Above the cases: select them, and what to do with those that are. */
export function SelectionBar({ chosen, all, isLead, onAssign, onTake, onAsk }: SelectionBarProps) {
  const selection = useSelected();
  const me = useMe();
  const whyNot = useWhyNot();
  const dead = all.filter(({ may_change }) => !may_change).length;
  const isMine = chosen.every(({ owner }) => owner !== null && owner.person_id === me?.person_id);
  const open = all.filter(({ may_change, closed_at }) => may_change && !closed_at);
  const [only, ...others] = chosen;
  const why = dead > 0 && (
    <span className={classes.why}>
      {dead === all.length ? "You can only view these." : `You can only view ${count(dead)} of these.`}{" "}
      {whyNot}
    </span>
  );
  if (open.length === 0) return why && <div className={classes.bar}>{why}</div>;
  return (
    <div className={classes.bar} data-on={chosen.length > 0}>
      <label className={classes.all}>
        <input
          type="checkbox"
          checked={chosen.length > 0 && chosen.length === open.length}
          ref={(box) => {
            if (box) box.indeterminate = chosen.length > 0 && chosen.length < open.length;
          }}
          onChange={(changed) =>
            selection.set(changed.currentTarget.checked ? open.map(({ case_id }) => case_id) : [])
          }
        />
        {chosen.length > 0 ? `${chosen.length} selected` : `Select all (${count(open.length)})`}
      </label>
      {!only && why}
      {only && (
        <div className={classes.actions}>
          {isLead && (
            <Button size="compact-sm" onClick={onAssign}>
              Assign
            </Button>
          )}
          {onTake && !isMine && (
            <Button size="compact-sm" variant={isLead ? "default" : "filled"} onClick={onTake}>
              Take
            </Button>
          )}
          {others.length === 0 && (
            <>
              <Button size="compact-sm" variant="default" onClick={() => onAsk("contact", only)}>
                Log contact
              </Button>
              <Button size="compact-sm" variant="default" onClick={() => onAsk("snooze", only)}>
                Snooze
              </Button>
            </>
          )}
          <Button size="compact-sm" variant="subtle" color="gray" onClick={() => selection.set([])}>
            Clear
          </Button>
        </div>
      )}
    </div>
  );
}
