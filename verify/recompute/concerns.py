"""The six concerns: which are raised today, since when, and when each clears if nothing further happens.

Arrays of counts are (tutors, days), the newest day (as_of) last; earlier days count as days without sessions. Rates and
probabilities are fractions (0-1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verify.recompute.change_filter import ChangeFilter
from verify.recompute.evidence import (
    CAP,
    EVIDENCE_DAYS,
    BetaMixture,
    Evidence,
    Floats,
    Posterior,
    discounted,
    evidence,
    half_life_weights,
    mixture_prior,
)
from verify.recompute.rating_evidence import RatingPrior, Ratings, rating_evidence, rating_posterior, rating_prior

STATUS_DAYS = 30
PACE_DAYS = 30
PROJECTED_DAYS = 365
RATING_MARGIN = 0.3
SESSION_DAYS = 90
RATINGS_NEEDED = 5
GREATEST_LIMIT = 0.95
NEVER = -1
# A pace such as 5/90 a day adds up to 5 in 90 days but for rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class DailyCounts:
    """What happened per tutor and day (`counted_on`); first meetings on the day of the meeting.

    Whether a first meeting was lost is without effect until its 30 days are over.
    """

    sessions: Floats
    let_downs: Floats
    no_shows: Floats
    started: Floats
    """Sessions with `started_at`."""
    late_starts: Floats
    first_meetings: Floats
    first_meetings_lost: Floats
    ratings: Floats
    rating_sums: Floats
    rating_sums_of_squares: Floats


@dataclass(frozen=True)
class Rule:
    """When a concern is raised: P >= `raised`, or P >= `watch` and a day >= `raised` after the last day < `watch`."""

    raised: float = 0.8
    watch: float = 0.5
    days: int = STATUS_DAYS
    sessions_needed: int = 5
    first_meeting_days: int = 365
    continuation_days: int = 30
    """A new student who has not come back after so many days is lost."""


RULE = Rule()


@dataclass(frozen=True)
class RateConcern:
    """A concern about the share of `events` in `trials` (names of `DailyCounts`).

    `weights` by age in days; `needs` so many trials within `needs_days`. The limit is `limit`, or the platform's rate
    and `margin` more.
    """

    trials: str
    events: str
    weights: Floats
    cap: float
    fallback: tuple[float, float]
    needs: int
    needs_days: Floats
    limit: float | None = None
    margin: float = 0.0


def _window(days: int, after: int = 0) -> Floats:
    """Weight 1 of ages `after` … days-1."""
    weights = np.ones(days)
    weights[:after] = 0
    return weights


def rate_concerns(risk_threshold: float, rule: Rule = RULE) -> dict[str, RateConcern]:
    """The concerns that are posteriors of a rate; `getting_worse` and `low_ratings` have ways of their own."""
    sessions = _window(SESSION_DAYS)
    first_meetings = _window(rule.first_meeting_days, after=rule.continuation_days)
    return {
        "unreliable": RateConcern(
            "sessions", "let_downs", half_life_weights(), CAP, (1, 9), rule.sessions_needed, sessions, risk_threshold
        ),
        "no_shows": RateConcern(
            "sessions", "no_shows", half_life_weights(90), 150, (1, 49), rule.sessions_needed, sessions, 0.03
        ),
        "late_starts": RateConcern(
            "started", "late_starts", half_life_weights(), CAP, (1, 9), 10, sessions, 0.10
        ),
        "loses_new_students": RateConcern(
            "first_meetings", "first_meetings_lost", first_meetings, np.inf, (3, 7), 5, first_meetings, margin=0.05
        ),
    }  # fmt: skip


CONCERNS = ("unreliable", "getting_worse", "no_shows", "late_starts", "loses_new_students", "low_ratings")


@dataclass(frozen=True)
class Concern:
    """One concern of every tutor; arrays are (tutors,) unless said otherwise.

    Without evidence rate, posterior and probability are NaN.
    """

    trials: Floats
    """Undiscounted, within the days of `needs`; so are `events`, NaN for ratings."""
    events: Floats
    raw_rate: Floats
    """events/trials, or the mean rating."""
    expected: Floats
    low: Floats
    high: Floats
    threshold: float
    probability: Floats
    status: npt.NDArray[np.str_]
    raised_days: npt.NDArray[np.int64]
    """Days since the concern was raised, 0 for today; -1 if it is not. A stretch that began more than 30 days ago
    starts here on its first day >= `raised` of the last 30: what is older is known from the stretches that are kept."""
    clears_in_days: npt.NDArray[np.int64]
    """Days until it clears without a further event; -1 if it is not raised, or beyond a year."""
    daily_probability: Floats = field(repr=False)
    """(tutors, 30): the probability of each of the last 30 days."""
    superseded: npt.NDArray[np.bool_]


class StoredDays(NamedTuple):
    """Priors and limits of the last 30 days, as closed days have kept them: parts (2, 30) and limits (30,)."""

    priors: BetaMixture
    limits: Floats


def is_raised(probability: Floats, rule: Rule) -> npt.NDArray[np.bool_]:
    """(tutors, days): whether a concern is raised on each day, from the probabilities of that day and the days before.

    Raised: P >= rule.raised; or P >= rule.watch and, within the last 30 days (that day included), the last day >=
    rule.raised is later than the last day < rule.watch. A day without a probability is neither.
    """
    days = np.arange(probability.shape[-1])
    last_high = np.maximum.accumulate(np.where(probability >= rule.raised, days, -rule.days), axis=-1)
    last_low = np.maximum.accumulate(np.where(probability < rule.watch, days, -rule.days), axis=-1)
    is_held = (last_high > days - rule.days) & (last_high > last_low)
    return np.asarray((probability >= rule.raised) | ((probability >= rule.watch) & is_held))


def status_of(probability: Floats, has_needs: npt.NDArray[np.bool_], rule: Rule) -> npt.NDArray[np.str_]:
    """`insufficient_data`, `ok`, `watch` or `raised` (tutors,), from probabilities of the last days (tutors, days)."""
    today = probability[:, -1]
    return np.select(
        [~has_needs | np.isnan(today), is_raised(probability, rule)[:, -1], today >= rule.watch],
        ["insufficient_data", "raised", "watch"],
        default="ok",
    )


def raised_days_ago(probability: Floats, has_needs: npt.NDArray[np.bool_], rule: Rule) -> npt.NDArray[np.int64]:
    """Days (tutors,) from the first of the last days in a row on which a concern was raised to the last day.

    Only for tutors about whom it is raised on the last day; within the last 30 days. On a day without what is needed
    (tutors, days) it is not raised.
    """
    raised = (is_raised(probability, rule) & has_needs)[:, -rule.days :]
    return np.asarray(np.where(raised.all(axis=1), raised.shape[1], (~raised[:, ::-1]).argmax(axis=1)) - 1)


def first_clear_day(
    past: Floats, future: Floats, has_needs: npt.NDArray[np.bool_], rule: Rule
) -> npt.NDArray[np.int64]:
    """The first coming day (1, 2, …) on which a concern is no longer raised; -1 if there is none.

    `past` (tutors, days) ends today, `future` and `has_needs` (tutors, coming days) begin tomorrow.
    """
    raised = is_raised(np.concatenate([past, future], axis=1), rule)[:, past.shape[1] :] & has_needs
    return np.where(raised.all(axis=1), NEVER, (~raised).argmax(axis=1) + 1)


def assess(
    counts: DailyCounts,
    change_filter: ChangeFilter,
    risk_threshold: float = 0.15,
    rule: Rule | None = None,
    stored: Mapping[str, StoredDays] | None = None,
    stored_ratings: RatingPrior | None = None,
) -> dict[str, Concern]:
    """All six concerns of every tutor, by name.

    `change_filter` holds limit, prior and design effect of the stored reference. `stored` has priors and limits of the
    last 30 days for the rate concerns, `stored_ratings` those of ratings; what is not there is computed from counts.
    """
    rule = rule or Rule()
    found = {
        name: _rate_concern(concern, counts, rule, (stored or {}).get(name))
        for name, concern in rate_concerns(risk_threshold, rule).items()
    }
    found["getting_worse"] = _getting_worse(counts, change_filter, found["unreliable"], risk_threshold, rule)
    found["low_ratings"] = _low_ratings(counts, rule, stored_ratings)
    return {name: found[name] for name in CONCERNS}


def needs_attention(concerns: Mapping[str, Concern]) -> npt.NDArray[np.bool_]:
    """(tutors,): any concern is raised that is not superseded."""
    raised = [(concern.status == "raised") & ~concern.superseded for concern in concerns.values()]
    return np.asarray(np.any(raised, axis=0), dtype=np.bool_)


def rate_probability(
    concern: RateConcern, counts: DailyCounts, stored: StoredDays | None = None
) -> tuple[Evidence, StoredDays, Floats]:
    """Evidence (uncapped), priors and limits, and P(rate > limit) of every tutor and day of the counts.

    Of the last days only where `stored` has these. Days without evidence are NaN.
    """
    found = evidence(getattr(counts, concern.trials), getattr(counts, concern.events), concern.weights)
    if stored is None:
        limits = np.full(found.trials.shape[1], concern.limit)
        if concern.limit is None:
            trials = found.trials.sum(axis=0)
            limits = found.events.sum(axis=0) / np.where(trials > 0, trials, 1) + concern.margin
        possible = np.minimum(limits, GREATEST_LIMIT)
        stored = StoredDays(mixture_prior(found, possible, concern.fallback), limits)
    else:
        found = Evidence(*(part[:, -len(stored.limits) :] for part in found))
    capped = found.capped(concern.cap)
    probability = stored.priors.updated(capped.trials, capped.events).exceeds(np.minimum(stored.limits, 1.0))
    probability[:, stored.limits > GREATEST_LIMIT] = 0
    return found, stored, np.where(found.trials > 0, probability, np.nan)


def _rate_concern(concern: RateConcern, counts: DailyCounts, rule: Rule, stored: StoredDays | None) -> Concern:
    found, days, every_day = rate_probability(concern, counts, stored)
    recent = every_day[:, -rule.days :]
    today = BetaMixture(*(part[:, -1] for part in (days.priors.shares, days.priors.alpha, days.priors.beta)))
    limit = float(days.limits[-1])
    capped = Evidence(*(part[:, -1] for part in found)).capped(concern.cap)
    trials, events = getattr(counts, concern.trials), getattr(counts, concern.events)
    every_window = discounted(trials, concern.needs_days)[:, -rule.days :]
    in_window = every_window[:, -1]
    status = status_of(recent, (in_window >= concern.needs) & (limit <= GREATEST_LIMIT), rule)
    flagged = np.flatnonzero(status == "raised")

    is_first_meeting = concern.limit is None
    platform = limit - concern.margin if is_first_meeting else 0.0
    pace = trials[flagged, -PACE_DAYS:].sum(axis=1) / PACE_DAYS
    open_days = rule.continuation_days if is_first_meeting else 0
    known_events = events[flagged].astype(np.float64)
    if open_days:
        # First meetings whose 30 days are not over are among the new ones that continue at the platform's rate.
        known_events[:, -open_days:] = platform * trials[flagged, -open_days:]
    more = np.repeat(pace[:, np.newaxis], PROJECTED_DAYS, axis=1)
    coming_trials = np.concatenate([trials[flagged], more], axis=1)
    coming_events = np.concatenate([known_events, platform * more], axis=1)
    coming = Evidence(*(part[:, -PROJECTED_DAYS:] for part in evidence(coming_trials, coming_events, concern.weights)))
    coming = coming.capped(concern.cap)
    fixed = BetaMixture(*(part[:, np.newaxis] for part in (today.shares, today.alpha, today.beta)))
    future = fixed.updated(coming.trials, coming.events).exceeds(min(limit, 1.0))
    has_needs = discounted(coming_trials, concern.needs_days)[:, -PROJECTED_DAYS:] >= concern.needs - ROUNDING
    return _concern(
        rule,
        trials=in_window,
        events=discounted(events, concern.needs_days)[:, -1],
        posterior=today.updated(capped.trials, capped.events).summary(min(limit, GREATEST_LIMIT)),
        threshold=limit,
        recent=recent,
        had_needs=every_window >= concern.needs,
        status=status,
        clears=first_clear_day(recent[flagged], future, has_needs, rule),
    )


def _getting_worse(
    counts: DailyCounts, change_filter: ChangeFilter, unreliable: Concern, risk_threshold: float, rule: Rule
) -> Concern:
    run = change_filter.run(counts.sessions, counts.let_downs)
    recent = run.probability[:, -rule.days :] * (risk_threshold <= GREATEST_LIMIT)
    rates = change_filter.grid.rates
    cumulative = np.cumsum(run.weights, axis=1)
    low, high = (rates[np.minimum((cumulative < share).sum(axis=1), len(rates) - 1)] for share in (0.05, 0.95))
    window = _window(SESSION_DAYS)
    every_window = discounted(counts.sessions, window)[:, -rule.days :]
    trials = every_window[:, -1]
    status = status_of(recent, (trials >= rule.sessions_needed) & (risk_threshold <= GREATEST_LIMIT), rule)
    flagged = np.flatnonzero(status == "raised")
    pace = counts.sessions[flagged, -PACE_DAYS:].sum(axis=1) / PACE_DAYS
    future = change_filter.projected(run.weights[flagged], run.idle_days[flagged], pace, PROJECTED_DAYS)
    more = np.repeat(pace[:, np.newaxis], PROJECTED_DAYS, axis=1)
    coming = np.concatenate([counts.sessions[flagged], more], axis=1)
    has_needs = discounted(coming, window)[:, -PROJECTED_DAYS:] >= rule.sessions_needed - ROUNDING
    return _concern(
        rule,
        trials=trials,
        events=discounted(counts.let_downs, window)[:, -1],
        posterior=Posterior(run.weights @ rates, low, high, run.probability[:, -1]),
        threshold=risk_threshold,
        recent=recent,
        had_needs=every_window >= rule.sessions_needed,
        status=status,
        clears=first_clear_day(recent[flagged], future, has_needs, rule),
        superseded=(status == "raised") & (unreliable.status == "raised"),
    )


def rating_probability(counts: DailyCounts, stored: RatingPrior | None = None) -> tuple[Ratings, RatingPrior, Floats]:
    """Evidence, priors and P(mean rating < platform's mean - 0.3) of every tutor and day; NaN without ratings.

    Of the last days only where `stored` has these.
    """
    daily = (counts.ratings, counts.rating_sums, counts.rating_sums_of_squares)
    found = rating_evidence(*daily, half_life_weights())
    if stored is not None:
        found = Ratings(*(part[:, -len(stored.mean) :] for part in found))
    priors = stored or rating_prior(found)
    below = rating_posterior(found, priors, CAP).cdf(priors.mean - RATING_MARGIN)
    return found, priors, np.where(found.trials > 0, below, np.nan)


def _low_ratings(counts: DailyCounts, rule: Rule, stored: RatingPrior | None) -> Concern:
    found, priors, every_day = rating_probability(counts, stored)
    recent = every_day[:, -rule.days :]
    today = RatingPrior(*(part[-1] for part in priors))
    limit = float(today.mean - RATING_MARGIN)
    window = _window(EVIDENCE_DAYS)
    every_window = discounted(counts.ratings, window)[:, -rule.days :]
    trials = every_window[:, -1]
    status = status_of(recent, trials >= RATINGS_NEEDED, rule)
    flagged = np.flatnonzero(status == "raised")
    pace = counts.ratings[flagged, -PACE_DAYS:].sum(axis=1) / PACE_DAYS
    more = np.repeat(pace[:, np.newaxis], PROJECTED_DAYS, axis=1)
    mean = float(today.mean)
    coming_counts = np.concatenate([counts.ratings[flagged], more], axis=1)
    coming_sums = np.concatenate([counts.rating_sums[flagged], more * mean], axis=1)
    # Squares matter to σ² only, and σ² is fixed.
    coming = rating_evidence(coming_counts, coming_sums, np.zeros_like(coming_sums), half_life_weights())
    coming = Ratings(*(part[:, -PROJECTED_DAYS:] for part in coming))
    future = rating_posterior(coming, RatingPrior(*(part[np.newaxis] for part in today)), CAP).cdf(limit)
    has_needs = discounted(coming_counts, window)[:, -PROJECTED_DAYS:] >= RATINGS_NEEDED - ROUNDING
    return _concern(
        rule,
        trials=trials,
        events=np.full_like(trials, np.nan),
        total=discounted(counts.rating_sums, window)[:, -1],
        posterior=rating_posterior(Ratings(*(part[:, -1] for part in found)), today, CAP).summary(limit),
        threshold=limit,
        recent=recent,
        had_needs=every_window >= RATINGS_NEEDED,
        status=status,
        clears=first_clear_day(recent[flagged], future, has_needs, rule),
    )


def _concern(
    rule: Rule,
    *,
    trials: Floats,
    events: Floats,
    posterior: Posterior,
    threshold: float,
    recent: Floats,
    had_needs: npt.NDArray[np.bool_],
    status: npt.NDArray[np.str_],
    clears: npt.NDArray[np.int64],
    total: Floats | None = None,
    superseded: npt.NDArray[np.bool_] | None = None,
) -> Concern:
    """`clears` is of the raised tutors only; the posterior is without meaning where today has no probability."""
    raised = status == "raised"
    part = events if total is None else total
    raised_days, clears_in_days = np.full(len(status), NEVER), np.full(len(status), NEVER)
    raised_days[raised] = raised_days_ago(recent[raised], had_needs[raised], rule)
    clears_in_days[raised] = clears
    known = ~np.isnan(recent[:, -1])
    return Concern(
        trials=trials,
        events=events,
        raw_rate=np.divide(part, trials, out=np.full_like(trials, np.nan), where=trials > 0),
        expected=np.where(known, posterior.expected, np.nan),
        low=np.where(known, posterior.low, np.nan),
        high=np.where(known, posterior.high, np.nan),
        threshold=threshold,
        probability=recent[:, -1],
        status=status,
        raised_days=raised_days,
        clears_in_days=clears_in_days,
        daily_probability=recent,
        superseded=np.zeros(len(status), dtype=bool) if superseded is None else superseded,
    )
