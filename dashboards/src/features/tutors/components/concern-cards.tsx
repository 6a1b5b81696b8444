import { ConcernStatusBadge } from "../../../components/concern-badges";
import { EmptyState } from "../../../components/empty-state";
import { HonestyLink } from "../../../components/honesty-link";
import { Panel } from "../../../components/panel";
import { RateInterval } from "../../../components/rate-interval";
import type { TutorConcern } from "../../../lib/api-types";
import { chanceOf, concernLabel } from "../../../lib/concerns";
import { day, decimal, percent } from "../../../lib/format";
import { asRead } from "../../../lib/sentences";
import classes from "./concern-cards.module.css";

const GRAVITY: Record<TutorConcern["status"], number> = { raised: 0, watch: 1, ok: 2, insufficient_data: 3 };

/** Every concern of which anything is known: what was counted, how sure it is, since when, and what ends it. */
export function ConcernCards({ sentence, concerns }: { sentence: string; concerns: TutorConcern[] }) {
  // The order within a status is the API's.
  const gravity = ({ status, superseded }: TutorConcern) => (superseded ? GRAVITY.ok : GRAVITY[status]);
  const cards = concerns.toSorted((one, other) => gravity(one) - gravity(other));
  return (
    <Panel title="Concerns" note={asRead(sentence)} actions={cards.length > 0 && <HonestyLink />}>
      {cards.length === 0 ? (
        <EmptyState title="No sessions to judge by">Concerns appear after the first sessions.</EmptyState>
      ) : (
        <ul className={classes.cards}>
          {cards.map((concern) => (
            <li
              key={concern.concern}
              className={classes.card}
              data-status={concern.superseded ? "superseded" : concern.status}
            >
              <Card concern={concern} />
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Card({ concern }: { concern: TutorConcern }) {
  const isRating = concern.concern === "low_ratings";
  const write = isRating ? (value: number | null) => decimal(value, 1) : rate;
  return (
    <article aria-label={concernLabel(concern.concern)}>
      <header className={classes.header}>
        <h3>{concernLabel(concern.concern)}</h3>
        <ConcernStatusBadge status={concern.status} superseded={concern.superseded} />
      </header>
      <p className={classes.figures}>
        <strong>{write(concern.expected)}</strong>
        <span>
          likely {concern.concern === "getting_worse" ? "right now" : "from now on"} · {chanceOf(concern)}
        </span>
      </p>
      <RateInterval
        expected={concern.expected}
        low={concern.low}
        high={concern.high}
        threshold={concern.threshold}
        scale={isRating ? { from: 1, to: 5 } : { from: 0, to: scaleTo(concern) }}
        write={write}
      />
      <p className={classes.scale}>
        <span>
          {write(concern.low)} to {write(concern.high)}
        </span>
        <span>limit {write(concern.threshold)}</span>
      </p>
      <p className={classes.sentence}>{asRead(concern.sentence)}</p>
      {concern.raised_on && (
        <p className={classes.ending}>
          <strong>Raised since {day(concern.raised_on)}.</strong> {concern.ending && asRead(concern.ending)}
        </p>
      )}
    </article>
  );
}

const rate = (value: number | null) => percent(value, { digits: value !== null && value < 0.1 ? 1 : 0 });

/** Steps, so that a scale does not move with every session. */
function scaleTo({ high, threshold }: TutorConcern): number {
  const most = Math.max(high ?? 0, threshold * 1.5);
  return [0.1, 0.2, 0.3, 0.5, 0.75].find((step) => most <= step) ?? 1;
}
