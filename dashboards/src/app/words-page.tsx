import { Page } from "../components/page";
import { Panel } from "../components/panel";
import { SUPERSEDED } from "../lib/concerns";
import classes from "./words-page.module.css";

/** As in docs/glossary.md, shorter. */
const WORDS: Record<string, Record<string, string>> = {
  Sessions: {
    "Let-down":
      "A session that the tutor moved, cancelled or missed without an excuse. Each session counts once.",
    "Let-down risk":
      "The chance that the tutor moves, cancels or misses a planned session: the tutor’s likely rate from now on. High: above the limit. Medium: above the usual rate, or the tutor is unreliable, suddenly worse or misses sessions. Low: all others.",
    "No-show risk":
      "The chance that the student misses a planned session. High: above the limit. Medium: above half the limit.",
    "At risk": "Expected let-downs among the planned sessions of the next 7 days: “about 14 of 72”.",
    Excused:
      "A moved, cancelled or missed session with an accepted reason: it counts as a session, not as a let-down.",
    "Stand-in": "Another tutor who is free at that time and teaches the subject.",
  },
  Tutors: {
    Counted: "Let-downs and sessions of the last 90 days: 129 of 798. Each session counts once.",
    "Likely from now on":
      "The range in which the true rate probably lies. Recent weeks weigh more, so the range can differ from the counted rate.",
    Raised:
      "A concern is raised when the chance of a rate above the limit reaches 80%. The concern ends when the chance falls below 50%.",
    Watch: "The chance is between 50% and 80%: watch the figures, do not contact the tutor yet.",
    [SUPERSEDED]:
      "The tutor is suddenly worse and unreliable. Both come from the same sessions, so only Unreliable counts.",
    "Start time recorded":
      "A session whose actual start is in the data. Only these sessions can count as late.",
    Slot: "A weekday, a time of day, a subject, or first and later sessions with a student.",
    Pattern:
      "A slot with more let-downs than the tutor’s other slots, beyond chance. One pattern in ten may be false.",
    "In the same slots":
      "The rate of a typical tutor with the same subjects, weekdays and times of day. For comparison only: scores do not use this rate.",
    "Quality score": "From 0 to 100; 50 is the reference mean.",
    "Weight, measured": "The configured share of a part in the quality score, and its actual share.",
  },
  "Flag accuracy": {
    Forecast: "A prediction made on a Monday for one tutor and the following 30 days.",
    "Within range":
      "The let-downs of the 30 days fell inside the forecast range. At least 90% are expected to.",
    "Flag right": "A flagged tutor was above the limit in the next 30 days, with at least 20 sessions.",
    "False alarm": "A flagged tutor was not above the limit in the next 30 days. Some had improved.",
    "Days to flag": "Days from the first 30-day rate above the limit to the flag.",
  },
  Matching: {
    "Leaving risk":
      "The chance that a student has no second session with the tutor within 30 days of the first. Let-downs by the tutor are a separate risk.",
    Compatibility:
      "How similar student and tutor are in pace, style, communication and age. A fixed formula computes it; no model learns it.",
  },
};

/** What the words on the other pages mean. */
export function WordsPage() {
  return (
    <Page title="Glossary" note="The most used terms">
      {Object.entries(WORDS).map(([title, words]) => (
        <Panel key={title} title={title} flush>
          <dl className={classes.words}>
            {Object.entries(words).map(([word, meaning]) => (
              <div key={word} style={{ display: "contents" }}>
                <dt>{word}</dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
        </Panel>
      ))}
    </Page>
  );
}
