import { Button } from "@mantine/core";
import { useEffect, useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { Icon } from "../../../components/icons";
import { Notice } from "../../../components/notice";
import { Panel } from "../../../components/panel";
import type { Episode, Outcome, SessionDay } from "../../../lib/api-types";
import { useMayChangeTutor } from "../../../lib/auth";
import { count, counted, day as dayOf, shortDay } from "../../../lib/format";
import { WEEKDAYS } from "../../../lib/locale";
import type { ExcuseChange } from "../awaited";
import { CALENDAR_DAYS, dayInWords, dayWithReason, gravest, OUTCOMES, weeksOf } from "../session-calendar";
import { type Excusable, ExcuseDialog } from "./excuse-dialog";
import { ExcuseNote } from "./excuse-note";
import classes from "./session-calendar.module.css";

/** So many let-downs on one day stand out. */
const MANY = 3;
const ANCHOR = "calendar";

interface SessionCalendarProps {
  tutorId: string;
  asOf: string;
  days: SessionDay[];
  episodes: Episode[];
  onChanged: (change: ExcuseChange) => void;
}

/** What became of each day's sessions, the gravest of it first; a day can be excused as a whole. */
export function SessionCalendar({ tutorId, asOf, days, episodes, onChanged }: SessionCalendarProps) {
  const [chosen, choose] = useState<string>();
  const [excusing, excuse] = useState<Excusable | null>(null);
  const mayExcuse = useMayChangeTutor(tutorId);
  // A link to it comes before it is there.
  useEffect(() => {
    if (window.location.hash === `#${ANCHOR}`) document.getElementById(ANCHOR)?.scrollIntoView();
  }, []);
  const weeks = weeksOf(days, asOf);
  const shown = weeks.flatMap(({ cells }) => cells.flatMap((cell) => cell?.day ?? []));
  const known = shown.find(({ day }) => day === chosen);
  const byDay = new Map(shown.map((day) => [day.day, day]));
  const [worst] = episodes.filter(({ day }) => byDay.has(day));
  const button = (day: SessionDay | undefined) =>
    mayExcuse && day && <ExcuseButton day={day} onExcuse={excuse} />;
  return (
    <Panel anchor={ANCHOR} title="Day by day" note={`Sessions of the last ${CALENDAR_DAYS} days by outcome`}>
      {shown.length === 0 ? (
        <EmptyState title="No sessions in this period">Days appear with their first session.</EmptyState>
      ) : (
        <>
          {worst && (
            <Notice icon="alert" action={button(byDay.get(worst.day))}>
              1 {dayWithReason(worst.reason_code)} explains {count(worst.let_downs)} of{" "}
              {count(worst.let_downs_in_all)} let-downs: {dayOf(worst.day)}.
            </Notice>
          )}
          <table className={classes.calendar} aria-label="Sessions by day">
            <thead>
              <tr>
                <td />
                {WEEKDAYS.map(({ day, name }) => (
                  <th key={day} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {weeks.map(({ start, cells }) => (
                <tr key={start}>
                  <th scope="row">{shortDay(start)}</th>
                  {cells.map((cell, place) => (
                    <td key={WEEKDAYS[place]?.day}>
                      {cell?.day && (
                        <DayCell
                          day={cell.day}
                          isChosen={cell.date === chosen}
                          onChoose={() => choose(cell.date === chosen ? undefined : cell.date)}
                        />
                      )}
                      {cell && !cell.day && <span className={classes.none} title={dayOf(cell.date)} />}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          <div className={classes.chosen} aria-live="polite">
            {known ? (
              <>
                <span>
                  <strong>{dayOf(known.day)}</strong> {dayInWords(known)}
                </span>
                {button(known)}
                <ExcuseNotes day={known} />
              </>
            ) : (
              <Legend />
            )}
          </div>
        </>
      )}
      <ExcuseDialog
        tutorId={tutorId}
        excusable={excusing}
        onClose={() => excuse(null)}
        onChanged={(change) => {
          choose(undefined);
          onChanged(change);
        }}
      />
    </Panel>
  );
}

interface DayCellProps {
  day: SessionDay;
  isChosen: boolean;
  onChoose: () => void;
}

/** The gravest outcome as a sign in its colour, and of how many sessions. */
function DayCell({ day, isChosen, onChoose }: DayCellProps) {
  const worst = gravest(day);
  if (!worst) return null;
  const { tone, icon } = OUTCOMES[worst.outcome] ?? { tone: "none" };
  const said = `${dayOf(day.day)}, ${dayInWords(day)}`;
  return (
    <button
      type="button"
      className={classes.day}
      data-tone={tone}
      data-many={day.let_downs >= MANY}
      aria-label={said}
      aria-pressed={isChosen}
      title={said}
      onClick={onChoose}
    >
      {icon && <Icon name={icon} size={11} />}
      {count(worst.sessions)}
    </button>
  );
}

/** Why sessions of the day are excused; how many, where there is more than one reason. */
function ExcuseNotes({ day: { excuses } }: { day: SessionDay }) {
  if (excuses.length === 0) return null;
  return (
    <ul className={classes.excuses} aria-label="Excuses">
      {excuses.map((note) => (
        <li key={`${note.created_at} ${note.reason}`}>
          <ExcuseNote note={note} />
          {excuses.length > 1 && `, ${counted(note.sessions, "session")}`}
        </li>
      ))}
    </ul>
  );
}

function ExcuseButton({ day, onExcuse }: { day: SessionDay; onExcuse: (what: Excusable) => void }) {
  const isExcused = day.outcomes.some(({ outcome }) => outcome === "excused");
  if (day.can_be_excused === 0 && !isExcused) return null;
  const open = (isUndone: boolean) =>
    onExcuse({ title: dayOf(day.day), what: { day: day.day }, isExcused: isUndone, about: dayInWords(day) });
  return (
    <Button size="compact-xs" variant="default" onClick={() => open(day.can_be_excused === 0)}>
      {day.can_be_excused > 0 ? "Excuse this day" : "Undo excuse"}
    </Button>
  );
}

function Legend() {
  return (
    <ul className={classes.legend}>
      {(Object.keys(OUTCOMES) as Outcome[]).map((outcome) => {
        const { label, tone, icon } = OUTCOMES[outcome];
        return (
          <li key={outcome}>
            <span className={classes.sample} data-tone={tone}>
              {icon && <Icon name={icon} size={11} />}
            </span>
            {label}
          </li>
        );
      })}
    </ul>
  );
}
