"""When concerns clear: in SQL against the reference, and against a look at each coming day."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from tests.dbt.test_statistics import DAY, parameters, query, some_prior
from verify.recompute.change_filter import ChangeFilter
from verify.recompute.concerns import (
    NEVER,
    DailyCounts,
    assess,
    first_clear_day,
    rate_concerns,
    rate_probability,
    rating_probability,
)
from verify.recompute.evidence import BetaMixture, Floats, discounted
from verify.recompute.rating_evidence import RatingPrior
from verify.recompute.rules import RULES

if TYPE_CHECKING:
    import psycopg

    from tests.dbt.conftest import Dbt

DAYS = 400


@pytest.fixture(scope="module")
def counts() -> DailyCounts:
    """150 tutors, many of them with much to be concerned about, some of them slow."""
    rng = np.random.default_rng(5)
    size = (150, DAYS)
    pace = np.exp(rng.normal(np.log(1.2), 0.85, (150, 1)))
    # Some have stopped, or have just begun.
    pace = pace * np.where(np.arange(DAYS) < rng.choice([DAYS, DAYS - 40], (150, 1)), 1, 0)
    sessions = rng.poisson(pace, size)
    recent = np.where(np.arange(DAYS) >= DAYS - rng.integers(5, 90, (150, 1)), 3.0, 1.0)
    let_downs = rng.binomial(sessions, np.clip(rng.beta(1.5, 12, (150, 1)) * recent, 0, 0.9))
    no_shows = rng.binomial(let_downs, 0.2)
    held = sessions - let_downs
    first_meetings = rng.binomial(held, 0.1)
    ratings = rng.binomial(held, 0.5)
    worse = rng.normal(0, 0.4, (150, 1))
    stars = np.clip(np.rint(4.4 + worse[..., np.newaxis] + rng.normal(0, 0.7, (*size, 1))), 1, 5)[..., 0]
    parts = (
        sessions, let_downs, no_shows, held, rng.binomial(held, rng.beta(1, 12, (150, 1))),
        first_meetings, rng.binomial(first_meetings, rng.beta(3, 5, (150, 1))),
        ratings, ratings * stars, ratings * stars**2,
    )  # fmt: skip
    return DailyCounts(*(part.astype(np.float64) for part in parts))


def days_since_high(probability: Floats) -> int:
    return int(np.flatnonzero(probability[::-1] >= 0.8)[0])


def history(daily: Floats, length: int = DAYS) -> tuple[npt.NDArray[np.intp], Floats]:
    """Ages and counts of the days that have any."""
    recent = daily[::-1][:length]
    return np.flatnonzero(recent), recent[recent > 0]


@dataclass(frozen=True)
class Window:
    """Which days count, as evidence_clears_in takes it."""

    half_life_days: float
    open_days: int
    evidence_days: int
    needs_days: int
    cap: float | None
    needs: int

    def weights(self) -> Floats:
        """By age."""
        ages = np.arange(self.evidence_days)
        return np.where(ages < self.open_days, 0.0, np.exp2(-ages / self.half_life_days))

    def needs_weights(self) -> Floats:
        return (np.arange(self.needs_days) >= self.open_days).astype(np.float64)


WINDOWS = {
    "unreliable": Window(30, 0, 180, 90, 60, 5),
    "no_shows": Window(90, 0, 180, 90, 150, 5),
    "late_starts": Window(30, 0, 180, 90, 60, 10),
    "loses_new_students": Window(np.inf, 30, 365, 365, np.inf, 5),
    "low_ratings": Window(30, 0, 180, 180, None, 5),
}


@pytest.mark.parametrize("name", ["unreliable", "no_shows", "late_starts", "loses_new_students"])
def test_when_a_concern_about_a_rate_clears(
    built: Dbt, connection: psycopg.Connection, counts: DailyCounts, name: str
) -> None:
    concern = rate_concerns(0.15)[name]
    change_filter = ChangeFilter.of_prior(some_prior(np.random.default_rng(6), 0.15), 0.15)
    expected = assess(counts, change_filter)[name]
    _, stored, _ = rate_probability(concern, counts)
    prior = BetaMixture(*(part[:, -1] for part in (stored.priors.shares, stored.priors.alpha, stored.priors.beta)))
    limit = float(stored.limits[-1])
    platform = limit - concern.margin if concern.limit is None else 0.0
    raised = np.flatnonzero(expected.status == "raised")
    found = []
    for tutor in raised:
        trials, events = getattr(counts, concern.trials)[tutor], getattr(counts, concern.events)[tutor].copy()
        if concern.limit is None:
            events[-30:] = platform * trials[-30:]
        ages, recent = history(trials)
        days = query(
            connection,
            """
            select (
                select clears_in
                from intermediate.evidence_clears_in(
                    log_masses, log_rates, log_complements, null, null, null, null,
                    %s::integer[], %s, %s::float8[], %s, %s, %s, %s, %s, %s, %s, %s, %s
                )
            )
            from intermediate.rate_cells(%s, %s, %s, %s, %s)
            """,
            ages, recent, events[::-1][ages], *astuple(WINDOWS[name]), trials[-30:].sum() / 30, platform,
            days_since_high(expected.daily_probability[tutor]), *parameters(prior), limit,
        )  # fmt: skip
        found.append(days[0, 0])
    assert len(raised) >= 5
    check_clearing(np.array(found), expected.clears_in_days[raised])


def check_clearing(found: Floats, expected: npt.NDArray[np.int64]) -> None:
    """Equal, but for a day on which the probability is at a level but for the error that it may have."""
    assert len(np.unique(expected)) >= 3
    difference = np.abs(np.nan_to_num(found, nan=-1) - expected)
    assert difference.max() <= 1
    assert (difference == 0).mean() >= 0.8


def test_when_getting_worse_clears(built: Dbt, connection: psycopg.Connection, counts: DailyCounts) -> None:
    prior = BetaMixture(np.array([0.9, 0.1]), np.array([8.0, 1.0]), np.array([92.0, 3.0]))
    change_filter = ChangeFilter.of_prior(prior, 0.15, 1.4)
    expected = assess(counts, change_filter)["getting_worse"]
    run = change_filter.run(counts.sessions, counts.let_downs)
    raised = np.flatnonzero(expected.status == "raised")
    found = []
    for tutor in raised:
        ages, recent = history(counts.sessions[tutor], 90)
        days = query(
            connection,
            f"""
            select intermediate.filter_clears_in(
                %s, %s, {DAY} - %s::integer, {DAY}, after_a_jump, log_rates, log_complements, 1.4,
                %s::integer[], %s::float8[], %s, 5, 90, %s
            )
            from intermediate.filter_parameters(8, 92, 1, 3, 0.15)
            """,
            run.weights[tutor], expected.probability[tutor], run.idle_days[tutor], ages, recent,
            counts.sessions[tutor, -30:].sum() / 30, days_since_high(expected.daily_probability[tutor]),
        )  # fmt: skip
        found.append(days[0, 0])
    assert len(raised) >= 5
    check_clearing(np.array(found), expected.clears_in_days[raised])


def test_when_low_ratings_clear(built: Dbt, connection: psycopg.Connection, counts: DailyCounts) -> None:
    change_filter = ChangeFilter.of_prior(some_prior(np.random.default_rng(6), 0.15), 0.15)
    expected = assess(counts, change_filter)["low_ratings"]
    _, priors, _ = rating_probability(counts)
    today = RatingPrior(*(part[-1] for part in priors))
    raised = np.flatnonzero(expected.status == "raised")
    found = []
    for tutor in raised:
        ages, recent = history(counts.ratings[tutor], 180)
        days = query(
            connection,
            """
            select (
                select clears_in
                from intermediate.evidence_clears_in(
                    null, null, null, %s, %s, %s, %s,
                    %s::integer[], %s, %s::float8[], %s, %s, %s, %s, %s, %s, %s, %s, %s
                )
            )
            """,
            today.mean, today.between, today.within, today.mean - RULES.rating_margin,
            ages, recent, counts.rating_sums[tutor][::-1][ages], *astuple(WINDOWS["low_ratings"]),
            counts.ratings[tutor, -30:].sum() / 30, today.mean, days_since_high(expected.daily_probability[tutor]),
        )  # fmt: skip
        found.append(days[0, 0])
    assert len(raised) >= 5
    check_clearing(np.array(found), expected.clears_in_days[raised])


def some_days(rng: np.random.Generator, length: int) -> Floats:
    """Trials per day, the newest last: of a busy or a rare tutor, in one spell or more, some of it long ago."""
    days = np.zeros(length)
    for _ in range(rng.integers(1, 4)):
        begin = rng.integers(0, length)
        spell = slice(begin, begin + rng.integers(1, 120))
        days[spell] += rng.poisson(rng.choice([0.05, 0.3, 1, 4]), len(days[spell]))
    days[rng.integers(0, length)] += 1  # so there is something
    return days


def coming_counts(daily: Floats, pace: float, mean: float | None, weights: Floats) -> Floats:
    """Of each coming day, the weighted sum of counts; `daily` is of the days up to today."""
    more = np.full(RULES.projected_days, pace * (1 if mean is None else mean))
    return discounted(np.concatenate([daily, more])[np.newaxis], weights)[0, -RULES.projected_days :]


def naive_look(probability: Floats, needed: Floats, since_high: int, window: Window) -> int:
    """The first coming day on which hysteresis no longer raises; the days up to today are as hysteresis has them."""
    past = np.where(np.arange(RULES.concern_days)[::-1] == since_high, 0.9, 0.6)
    has_needs = needed >= window.needs - 1e-9
    return int(first_clear_day(past[np.newaxis], probability[np.newaxis], has_needs[np.newaxis], RULES)[0])


@pytest.mark.parametrize(
    "name",
    [
        "loses_new_students",
        "low_ratings",
        *(pytest.param(name, marks=pytest.mark.soak) for name in ("late_starts", "no_shows", "unreliable")),
    ],
)
def test_the_first_day_is_that_of_a_look_at_each_day(built: Dbt, connection: psycopg.Connection, name: str) -> None:
    """Whatever the evidence: spells that leave the window with a jump, none today, a pace of 0, levels met again."""
    rng = np.random.default_rng(9)
    window = WINDOWS[name]
    answers = []
    for _ in range(150):
        trials = some_days(rng, window.evidence_days)
        pace, since_high = float(rng.choice([0, 5 / 90, 1 / 30, 0.5, 4])), int(rng.integers(0, RULES.concern_days))
        if name == "low_ratings":
            prior = [rng.uniform(4, 4.9), *np.exp(rng.uniform(np.log([0.0025, 0.1]), np.log([0.1, 1])))]
            totals, mean = trials * np.clip(rng.normal(prior[0] - 0.5, 0.4, len(trials)), 1, 5), prior[0]
            cells, arguments = "(values (0)) as none", ["null, null, null, %s, %s, %s, %s", *prior, prior[0] - 0.3]
            look = """
                (
                    select intermediate.rating_cdf(share, mean_1, sd_1, mean_2, sd_2, %s)
                    from intermediate.rating_posterior(trials, total / nullif(trials, 0), %s, %s, %s)
                        as posterior (share, mean_1, sd_1, mean_2, sd_2)
                )
            """
            looked_at = [prior[0] - 0.3, *prior]
        else:
            limit = float(rng.choice([0.03, 0.1, 0.15, 0.4]))
            totals = rng.binomial(trials.astype(int), np.clip(limit * rng.uniform(0.8, 5), 0, 1)).astype(np.float64)
            mean = limit - 0.03 if name == "loses_new_students" else 0.0
            if mean:
                totals[-30:] = mean * trials[-30:]
            cells = "intermediate.rate_cells({}, {}, {}, {}, {})".format(
                *parameters(some_prior(rng, limit, 0.3)), limit
            )
            arguments = ["log_masses, log_rates, log_complements, null, null, null, null"]
            look = """
                (
                    select intermediate.rate_probability(
                        log_masses, log_rates, log_complements,
                        trials * least(1, cap / nullif(trials, 0)),
                        least(trials, total) * least(1, cap / nullif(trials, 0))
                    )
                )
            """
            looked_at = []
        ages, recent = history(trials, window.evidence_days)
        ((found,),) = query(
            connection,
            f"""
            select (
                select clears_in
                from intermediate.evidence_clears_in(
                    {arguments[0]}, %s::integer[], %s::float8[], %s::float8[], %s, %s, %s, %s, %s, %s, %s, %s, %s
                )
            )
            from {cells}
            """,
            *arguments[1:], ages, recent, totals[::-1][ages], *astuple(window), pace, mean, since_high,
        )  # fmt: skip
        probability = query(
            connection,
            f"""
            select {look}
            from {cells}
            cross join (values (%s::float8)) as capped (cap)
            cross join unnest(%s::float8[], %s::float8[]) with ordinality as coming (trials, total, place)
            order by place
            """,
            *looked_at, window.cap,
            coming_counts(trials, pace, None, window.weights()), coming_counts(totals, pace, mean, window.weights()),
        )[:, 0]  # fmt: skip
        needed = coming_counts(trials, pace, None, window.needs_weights())
        answers.append((NEVER if np.isnan(found) else int(found), naive_look(probability, needed, since_high, window)))
    assert [found for found, _ in answers] == [expected for _, expected in answers]
    assert len({expected for _, expected in answers}) >= 20
