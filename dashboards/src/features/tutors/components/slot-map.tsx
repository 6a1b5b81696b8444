import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import type { Slot, TutorPattern } from "../../../lib/api-types";
import { counted, hourOfDay, percent } from "../../../lib/format";
import { WEEKDAYS } from "../../../lib/locale";
import { asRead } from "../../../lib/sentences";
import { hoursOf, inSlot, toneOf } from "../slot-map";
import classes from "./slot-map.module.css";

interface SlotMapProps {
  slots: Slot[];
  patterns: TutorPattern[];
  timezone: string;
}

/** When the tutor lets sessions down: by weekday and hour, and what of it is more than chance. */
export function SlotMap({ slots, patterns, timezone }: SlotMapProps) {
  const hours = hoursOf(slots);
  return (
    <Panel
      title="When sessions are let down"
      note={`Last 180 days, by originally planned time in ${timezone}`}
    >
      {slots.length === 0 ? (
        <EmptyState title="No sessions in this period">tutorq updates the map nightly.</EmptyState>
      ) : (
        <>
          {patterns.length === 0 ? (
            <p className={classes.none}>All differences here are within chance.</p>
          ) : (
            <ul className={classes.patterns} aria-label="Patterns">
              {patterns.map(({ sentence }) => (
                <li key={sentence}>{asRead(sentence)}</li>
              ))}
            </ul>
          )}
          <table className={classes.map} aria-label="Let-downs by weekday and hour">
            <thead>
              <tr>
                <td />
                {hours.map((hour) => (
                  <th key={hour} scope="col">
                    {hour}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {WEEKDAYS.map(({ day, name }) => (
                <tr key={day}>
                  <th scope="row">{name}</th>
                  {hours.map((hour) => (
                    <td key={hour}>
                      <Cell slot={inSlot(slots, day, hour)} name={`${name} ${hourOfDay(hour)}`} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          <p className={classes.legend}>Let-downs of sessions; stronger colour, higher rate.</p>
        </>
      )}
    </Panel>
  );
}

function Cell({ slot, name }: { slot: Slot | undefined; name: string }) {
  if (!slot) return <span className={classes.empty} />;
  const said = `${name}: ${slot.let_downs} of ${counted(slot.sessions, "session")} let down, ${percent(
    slot.let_downs / slot.sessions,
    { digits: 0 },
  )}`;
  return (
    <span className={classes.cell} data-tone={toneOf(slot)} title={said}>
      <span aria-hidden="true">
        {slot.let_downs}
        <small>/{slot.sessions}</small>
      </span>
      <span className={classes.said}>{said}</span>
    </span>
  );
}
