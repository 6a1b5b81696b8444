import { Page } from "../components/page";
import { Panel } from "../components/panel";
import classes from "./words-page.module.css";

/** As in docs/glossary.md, shorter. */
const WORDS: Record<string, Record<string, string>> = {
  Sessions: {
    "Let-down": "A session that the tutor moved, cancelled or missed, and nobody excused. It counts once.",
    "Let-down risk":
      "The chance that the tutor lets a planned session down. It is the tutor’s likely rate from now on. High: above the limit. Medium: above what is usual, or the tutor is unreliable, suddenly worse or misses sessions. Low: neither.",
    "No-show risk":
      "The chance that the student does not come to a planned session. High: above the limit. Medium: above half of it.",
    "At risk":
      "Planned sessions of the next 7 days times their let-down risk: “about 14 of 72” are likely to be let down.",
    Excused: "A let-down that does not count, because somebody gave a reason.",
    "Stand-in": "Another tutor who is free at that time and teaches the subject.",
  },
  Tutors: {
    Counted: "What happened in the last 90 days, each session once: 129 of 798.",
    "Likely from now on":
      "Where the true rate probably lies. The last weeks weigh more than older ones, so it can differ from what was counted.",
    Raised: "The chance that a limit is passed reached 80%. It ends when the chance falls below 50%.",
    Watch: "The chance is between 50% and 80%: a reason to look, not to talk.",
    Superseded: "Suddenly worse, and unreliable as well: both say the same, so only unreliable counts.",
    "Known start": "A session of which we know when it began; only these can start late.",
    Slot: "A weekday, a time of day, a subject, or first and later sessions with a student.",
    Pattern:
      "A slot in which the tutor lets down more than in the tutor’s others, by more than chance. One in ten may be false.",
    "In the same slots":
      "The rate that a usual tutor would have with the same subjects, weekdays and times of day. It stands beside the rate and changes no score.",
    "Quality score": "0 to 100; 50 is the mean of the reference.",
    "Weight, measured": "How much a part should make of the quality score, and how much it does make.",
  },
  Honesty: {
    Forecast: "What was said of one tutor on one Monday about the 30 days after.",
    "Range held":
      "The let-downs of these days lay in the range that 90% of forecasts should hold, or a little more.",
    "Flag right": "A flagged tutor was above the limit in the 30 days after, with 20 sessions or more.",
    "False alarm": "A flagged tutor was not above the limit in the 30 days after; some had improved.",
    "Days to flag": "From the day on which the rate of 30 days passed the limit to the flag.",
  },
  Matching: {
    "Leaving risk":
      "The chance that a student leaves after the first session with a tutor: none follows within 30 days. It says nothing of sessions that the tutor lets down.",
    Fit: "How alike the two are in pace, style, communication and age. A formula, not learnt.",
  },
};

/** What the words on the other pages mean. */
export function WordsPage() {
  return (
    <Page title="What the words mean" note="In short; docs/glossary.md has all of them.">
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
