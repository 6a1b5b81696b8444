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
from verify.recompute.rules import RULES, Rules

SESSION_DAYS = 90
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


def rate_concerns(risk_threshold: float, rules: Rules = RULES) -> dict[str, RateConcern]:
    """The concerns that are posteriors of a rate; `getting_worse` and `low_ratings` have ways of their own."""
    sessions = _window(SESSION_DAYS)
    first_meetings = _window(rules.first_session_window_days, after=rules.first_session_follow_up_days)
    weights, cap = evidence_weights(rules), rules.evidence_cap
    no_show_weights = half_life_weights(rules.no_show_half_life_days, rules.evidence_days)
    return {
        "unreliable": RateConcern(
            "sessions", "let_downs", weights, cap, (1, 9), rules.min_sessions, sessions, risk_threshold
        ),
        "no_shows": RateConcern(
            "sessions", "no_shows", no_show_weights, rules.no_show_evidence_cap, (1, 49), rules.min_sessions, sessions,
            rules.no_show_limit,
        ),
        "late_starts": RateConcern(
            "started", "late_starts", weights, cap, (1, 9), rules.starts_needed, sessions, rules.late_start_limit
        ),
        "loses_new_students": RateConcern(
            "first_meetings", "first_meetings_lost", first_meetings, np.inf, rules.lost_student_fallback_prior,
            rules.first_meetings_needed, first_meetings, margin=rules.first_meeting_margin,
        ),
    }  # fmt: skip


def evidence_weights(rules: Rules) -> Floats:
    """By age in days, of all but no-shows and first meetings."""
    return half_life_weights(rules.evidence_half_life_days, rules.evidence_days)


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


def is_raised(probability: Floats, rules: Rules) -> npt.NDArray[np.bool_]:
    """(tutors, days): whether a concern is raised on each day, from the probabilities of that day and the days before.

    Raised: P >= high_risk_probability; or P >= watch_probability and, within the last `concern_days` (that day
    included), the last day >= high_risk_probability is later than the last day < watch_probability. A day without a
    probability is neither.
    """
    high, low = probability >= rules.high_risk_probability, probability < rules.watch_probability
    days = np.arange(probability.shape[-1])
    last_high = np.maximum.accumulate(np.where(high, days, -rules.concern_days), axis=-1)
    last_low = np.maximum.accumulate(np.where(low, days, -rules.concern_days), axis=-1)
    is_held = (last_high > days - rules.concern_days) & (last_high > last_low)
    return np.asarray(high | ((probability >= rules.watch_probability) & is_held))


def status_of(probability: Floats, has_needs: npt.NDArray[np.bool_], rules: Rules) -> npt.NDArray[np.str_]:
    """`insufficient_data`, `ok`, `watch` or `raised` (tutors,), from probabilities of the last days (tutors, days)."""
    today = probability[:, -1]
    return np.select(
        [~has_needs | np.isnan(today), is_raised(probability, rules)[:, -1], today >= rules.watch_probability],
        ["insufficient_data", "raised", "watch"],
        default="ok",
    )


def raised_days_ago(probability: Floats, has_needs: npt.NDArray[np.bool_], rules: Rules) -> npt.NDArray[np.int64]:
    """Days (tutors,) from the first of the last days in a row on which a concern was raised to the last day.

    Only for tutors about whom it is raised on the last day; within the last 30 days. On a day without what is needed
    (tutors, days) it is not raised.
    """
    raised = (is_raised(probability, rules) & has_needs)[:, -rules.concern_days :]
    return np.asarray(np.where(raised.all(axis=1), raised.shape[1], (~raised[:, ::-1]).argmax(axis=1)) - 1)


def first_clear_day(
    past: Floats, future: Floats, has_needs: npt.NDArray[np.bool_], rules: Rules
) -> npt.NDArray[np.int64]:
    """The first coming day (1, 2, …) on which a concern is no longer raised; -1 if there is none.

    `past` (tutors, days) ends today, `future` and `has_needs` (tutors, coming days) begin tomorrow.
    """
    raised = is_raised(np.concatenate([past, future], axis=1), rules)[:, past.shape[1] :] & has_needs
    return np.where(raised.all(axis=1), NEVER, (~raised).argmax(axis=1) + 1)


def assess(
    counts: DailyCounts,
    change_filter: ChangeFilter,
    risk_threshold: float = 0.15,
    rules: Rules = RULES,
    stored: Mapping[str, StoredDays] | None = None,
    stored_ratings: RatingPrior | None = None,
) -> dict[str, Concern]:
    """All six concerns of every tutor, by name.

    `change_filter` holds limit, prior and design effect of the stored reference. `stored` has priors and limits of the
    last 30 days for the rate concerns, `stored_ratings` those of ratings; what is not there is computed from counts.
    """
    found = {
        name: _rate_concern(concern, counts, rules, (stored or {}).get(name))
        for name, concern in rate_concerns(risk_threshold, rules).items()
    }
    found["getting_worse"] = _getting_worse(counts, change_filter, found["unreliable"], risk_threshold, rules)
    found["low_ratings"] = _low_ratings(counts, rules, stored_ratings)
    return {name: found[name] for name in CONCERNS}


def needs_attention(concerns: Mapping[str, Concern]) -> npt.NDArray[np.bool_]:
    """(tutors,): any concern is raised that is not superseded."""
    raised = [(concern.status == "raised") & ~concern.superseded for concern in concerns.values()]
    return np.asarray(np.any(raised, axis=0), dtype=np.bool_)


def rate_probability(
    concern: RateConcern, counts: DailyCounts, stored: StoredDays | None = None, rules: Rules = RULES
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
        possible = np.minimum(limits, rules.greatest_limit)
        stored = StoredDays(mixture_prior(found, possible, concern.fallback, rules.broad_share), limits)
    else:
        found = Evidence(*(part[:, -len(stored.limits) :] for part in found))
    capped = found.capped(concern.cap)
    probability = stored.priors.updated(capped.trials, capped.events).exceeds(np.minimum(stored.limits, 1.0))
    probability[:, stored.limits > rules.greatest_limit] = 0
    return found, stored, np.where(found.trials > 0, probability, np.nan)


def _rate_concern(concern: RateConcern, counts: DailyCounts, rules: Rules, stored: StoredDays | None) -> Concern:
    found, days, every_day = rate_probability(concern, counts, stored, rules)
    recent = every_day[:, -rules.concern_days :]
    today = BetaMixture(*(part[:, -1] for part in (days.priors.shares, days.priors.alpha, days.priors.beta)))
    limit = float(days.limits[-1])
    capped = Evidence(*(part[:, -1] for part in found)).capped(concern.cap)
    trials, events = getattr(counts, concern.trials), getattr(counts, concern.events)
    every_window = discounted(trials, concern.needs_days)[:, -rules.concern_days :]
    in_window = every_window[:, -1]
    status = status_of(recent, (in_window >= concern.needs) & (limit <= rules.greatest_limit), rules)
    flagged = np.flatnonzero(status == "raised")

    is_first_meeting = concern.limit is None
    platform = limit - concern.margin if is_first_meeting else 0.0
    pace = trials[flagged, -rules.pace_days :].sum(axis=1) / rules.pace_days
    open_days = rules.first_session_follow_up_days if is_first_meeting else 0
    known_events = events[flagged].astype(np.float64)
    if open_days:
        # First meetings whose 30 days are not over are among the new ones that continue at the platform's rate.
        known_events[:, -open_days:] = platform * trials[flagged, -open_days:]
    more = np.repeat(pace[:, np.newaxis], rules.projected_days, axis=1)
    coming_trials = np.concatenate([trials[flagged], more], axis=1)
    coming_events = np.concatenate([known_events, platform * more], axis=1)
    coming = Evidence(
        *(part[:, -rules.projected_days :] for part in evidence(coming_trials, coming_events, concern.weights))
    )
    coming = coming.capped(concern.cap)
    fixed = BetaMixture(*(part[:, np.newaxis] for part in (today.shares, today.alpha, today.beta)))
    future = fixed.updated(coming.trials, coming.events).exceeds(min(limit, 1.0))
    has_needs = discounted(coming_trials, concern.needs_days)[:, -rules.projected_days :] >= concern.needs - ROUNDING
    return _concern(
        rules,
        trials=in_window,
        events=discounted(events, concern.needs_days)[:, -1],
        posterior=today.updated(capped.trials, capped.events).summary(min(limit, rules.greatest_limit)),
        threshold=limit,
        recent=recent,
        had_needs=every_window >= concern.needs,
        status=status,
        clears=first_clear_day(recent[flagged], future, has_needs, rules),
    )


def _getting_worse(
    counts: DailyCounts, change_filter: ChangeFilter, unreliable: Concern, risk_threshold: float, rules: Rules
) -> Concern:
    run = change_filter.run(counts.sessions, counts.let_downs)
    recent = run.probability[:, -rules.concern_days :] * (risk_threshold <= rules.greatest_limit)
    rates = change_filter.grid.rates
    cumulative = np.cumsum(run.weights, axis=1)
    low, high = (rates[np.minimum((cumulative < share).sum(axis=1), len(rates) - 1)] for share in (0.05, 0.95))
    window = _window(SESSION_DAYS)
    every_window = discounted(counts.sessions, window)[:, -rules.concern_days :]
    trials = every_window[:, -1]
    status = status_of(recent, (trials >= rules.min_sessions) & (risk_threshold <= rules.greatest_limit), rules)
    flagged = np.flatnonzero(status == "raised")
    pace = counts.sessions[flagged, -rules.pace_days :].sum(axis=1) / rules.pace_days
    future = change_filter.projected(run.weights[flagged], run.idle_days[flagged], pace, rules.projected_days)
    more = np.repeat(pace[:, np.newaxis], rules.projected_days, axis=1)
    coming = np.concatenate([counts.sessions[flagged], more], axis=1)
    has_needs = discounted(coming, window)[:, -rules.projected_days :] >= rules.min_sessions - ROUNDING
    return _concern(
        rules,
        trials=trials,
        events=discounted(counts.let_downs, window)[:, -1],
        posterior=Posterior(run.weights @ rates, low, high, run.probability[:, -1]),
        threshold=risk_threshold,
        recent=recent,
        had_needs=every_window >= rules.min_sessions,
        status=status,
        clears=first_clear_day(recent[flagged], future, has_needs, rules),
        superseded=(status == "raised") & (unreliable.status == "raised"),
    )


def rating_probability(
    counts: DailyCounts, stored: RatingPrior | None = None, rules: Rules = RULES
) -> tuple[Ratings, RatingPrior, Floats]:
    """Evidence, priors and P(mean rating < platform's mean - 0.3) of every tutor and day; NaN without ratings.

    Of the last days only where `stored` has these.
    """
    daily = (counts.ratings, counts.rating_sums, counts.rating_sums_of_squares)
    found = rating_evidence(*daily, evidence_weights(rules))
    if stored is not None:
        found = Ratings(*(part[:, -len(stored.mean) :] for part in found))
    priors = stored or rating_prior(found, rules)
    below = rating_posterior(found, priors, rules).cdf(priors.mean - rules.rating_margin)
    return found, priors, np.where(found.trials > 0, below, np.nan)


def _low_ratings(counts: DailyCounts, rules: Rules, stored: RatingPrior | None) -> Concern:
    found, priors, every_day = rating_probability(counts, stored, rules)
    recent = every_day[:, -rules.concern_days :]
    today = RatingPrior(*(part[-1] for part in priors))
    limit = float(today.mean - rules.rating_margin)
    window = _window(rules.evidence_days)
    every_window = discounted(counts.ratings, window)[:, -rules.concern_days :]
    trials = every_window[:, -1]
    status = status_of(recent, trials >= rules.ratings_needed, rules)
    flagged = np.flatnonzero(status == "raised")
    pace = counts.ratings[flagged, -rules.pace_days :].sum(axis=1) / rules.pace_days
    more = np.repeat(pace[:, np.newaxis], rules.projected_days, axis=1)
    mean = float(today.mean)
    coming_counts = np.concatenate([counts.ratings[flagged], more], axis=1)
    coming_sums = np.concatenate([counts.rating_sums[flagged], more * mean], axis=1)
    # Squares matter to σ² only, and σ² is fixed.
    coming = rating_evidence(coming_counts, coming_sums, np.zeros_like(coming_sums), evidence_weights(rules))
    coming = Ratings(*(part[:, -rules.projected_days :] for part in coming))
    future = rating_posterior(coming, RatingPrior(*(part[np.newaxis] for part in today)), rules).cdf(limit)
    has_needs = discounted(coming_counts, window)[:, -rules.projected_days :] >= rules.ratings_needed - ROUNDING
    return _concern(
        rules,
        trials=trials,
        events=np.full_like(trials, np.nan),
        total=discounted(counts.rating_sums, window)[:, -1],
        posterior=rating_posterior(Ratings(*(part[:, -1] for part in found)), today, rules).summary(limit),
        threshold=limit,
        recent=recent,
        had_needs=every_window >= rules.ratings_needed,
        status=status,
        clears=first_clear_day(recent[flagged], future, has_needs, rules),
    )


def _concern(
    rules: Rules,
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
    raised_days[raised] = raised_days_ago(recent[raised], had_needs[raised], rules)
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
