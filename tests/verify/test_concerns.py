"""The six concerns: needs, hysteresis, what supersedes, and the day on which each clears."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests import worlds
from verify.recompute.change_filter import ChangeFilter
from verify.recompute.concerns import (
    CONCERNS,
    NEVER,
    DailyCounts,
    StoredDays,
    assess,
    first_clear_day,
    is_raised,
    needs_attention,
    raised_days_ago,
    rate_concerns,
    rate_probability,
    status_of,
)
from verify.recompute.evidence import BetaMixture
from verify.recompute.rules import RULES

LIMIT = 0.15
PRIOR = BetaMixture(np.array([0.9, 0.1]), np.array([8.0, 1.0]), np.array([92.0, 3.0]))
FILTER = ChangeFilter.of_prior(PRIOR, LIMIT)
DAYS = 400


def nothing(tutors: int = 1, days: int = DAYS) -> DailyCounts:
    return DailyCounts(*(np.zeros((tutors, days)) for _ in fields(DailyCounts)))


def counts_of(days: int = DAYS, **named: list[tuple[int, float]]) -> DailyCounts:
    """One tutor; (days ago, count) per kind."""
    counts = nothing(days=days)
    for name, entries in named.items():
        for ago, count in entries:
            getattr(counts, name)[0, -1 - ago] += count
    return counts


def stored_days(prior: BetaMixture = PRIOR, limit: float = LIMIT) -> StoredDays:
    """One prior on each of the last 30 days."""
    parts = (prior.shares, prior.alpha, prior.beta)
    return StoredDays(BetaMixture(*(np.repeat(part[:, np.newaxis], 30, axis=1) for part in parts)), np.full(30, limit))


STORED = {
    "unreliable": stored_days(),
    "no_shows": stored_days(limit=0.03),
    "late_starts": stored_days(limit=0.10),
    "loses_new_students": stored_days(limit=0.35),
}


# --- hysteresis -----------------------------------------------------------------------------------------------------


def days_of(text: str) -> np.ndarray:
    """One tutor's days: high (>= 0.8), middle (>= 0.5), low, or unknown."""
    return np.array([[{"h": 0.8, "m": 0.5, "l": 0.49, "-": np.nan}[letter] for letter in text]])


@pytest.mark.parametrize(
    ("probabilities", "status"),
    [
        ("h", "raised"),
        ("m", "watch"),
        ("l", "ok"),
        ("-", "insufficient_data"),
        ("hm", "raised"),
        ("hlm", "watch"),
        ("lhm", "raised"),
        ("hl", "ok"),
        ("h-m", "raised"),
        ("hm-", "insufficient_data"),
        ("h" + 28 * "m" + "m", "raised"),
        ("h" + 29 * "m" + "m", "watch"),
        ("mmm", "watch"),
    ],
)
def test_a_concern_is_held_while_no_day_was_low(probabilities: str, status: str) -> None:
    assert status_of(days_of(probabilities), np.array([True]), RULES).tolist() == [status]


def test_needs_come_first() -> None:
    assert status_of(days_of("hhh"), np.array([False]), RULES).tolist() == ["insufficient_data"]


def test_every_day_is_judged_by_the_days_before_it() -> None:
    assert is_raised(days_of("mhmlmhh-m"), RULES).tolist() == [
        [False, True, True, False, False, True, True, False, True]
    ]


@pytest.mark.parametrize(("probabilities", "ago"), [("h", 0), ("lhm", 1), ("hlhmh", 2), ("h" * 40, 29), ("mmhmm", 2)])
def test_since_when(probabilities: str, ago: int) -> None:
    days = days_of(probabilities)
    assert raised_days_ago(days, np.ones_like(days, dtype=bool), RULES).tolist() == [ago]


def test_a_day_without_what_is_needed_ends_a_stretch() -> None:
    days = days_of("hhhhh")
    had_needs = np.array([[True, True, False, True, True]])
    assert raised_days_ago(days, had_needs[:, -days.shape[1] :], RULES).tolist() == [1]


def test_the_status_is_that_of_the_last_30_days_alone() -> None:
    rng = np.random.default_rng(2)
    probability = rng.random((200, 90))
    assert np.array_equal(is_raised(probability, RULES)[:, -1], is_raised(probability[:, -30:], RULES)[:, -1])


def test_the_first_clear_day() -> None:
    """Held at 0.6 until it falls below 0.5 on the third day, or until the needs are gone, or until 30 days are over."""
    past, always = days_of("lh"), np.ones((1, 40), dtype=bool)
    falling = np.full((1, 40), 0.6)
    falling[0, 2:] = 0.4
    held = np.full((1, 40), 0.6)
    assert first_clear_day(past, falling, always, RULES).tolist() == [3]
    assert first_clear_day(past, held, np.arange(40)[np.newaxis] < 7, RULES).tolist() == [8]
    assert first_clear_day(past, held, always, RULES).tolist() == [30]
    assert first_clear_day(past, np.full((1, 40), 0.9), always, RULES).tolist() == [NEVER]


# --- the concerns ---------------------------------------------------------------------------------------------------


def test_unreliable_by_hand() -> None:
    """Ten sessions today, four let down, under a stored prior of two parts."""
    found = assess(counts_of(sessions=[(0, 10)], let_downs=[(0, 4)]), FILTER, stored=STORED)["unreliable"]
    parts = [stats.beta(a + 4, b + 6) for a, b in zip(PRIOR.alpha, PRIOR.beta, strict=True)]
    odds = [
        share * stats.betabinom.pmf(4, 10, a, b)
        for share, a, b in zip(PRIOR.shares, PRIOR.alpha, PRIOR.beta, strict=True)
    ]
    exact = sum(weight * part.sf(LIMIT) for weight, part in zip(odds, parts, strict=True)) / sum(odds)
    assert found.probability == pytest.approx([exact])
    assert (found.trials, found.events, found.raw_rate) == ([10], [4], [0.4])
    assert found.threshold == LIMIT


def test_the_cap_and_the_half_life_of_each_concern() -> None:
    concerns = rate_concerns(LIMIT)
    assert {name: (round(float(c.weights[30]), 3), c.cap) for name, c in concerns.items()} == {
        "unreliable": (0.5, 60),
        "no_shows": (0.794, 150),
        "late_starts": (0.5, 60),
        "loses_new_students": (1, np.inf),
    }


@pytest.mark.parametrize(("sessions", "status"), [(4, "insufficient_data"), (5, "raised")])
def test_unreliable_needs_five_sessions_in_90_days(sessions: int, status: str) -> None:
    counts = counts_of(sessions=[(89, sessions), (90, 20)], let_downs=[(89, sessions), (90, 20)])
    assert assess(counts, FILTER, stored=STORED)["unreliable"].status == [status]


def test_late_starts_need_ten_sessions_with_a_start() -> None:
    for started, status in ((9, "insufficient_data"), (10, "raised")):
        counts = counts_of(sessions=[(1, 50)], started=[(1, started)], late_starts=[(1, started)])
        assert assess(counts, FILTER, stored=STORED)["late_starts"].status == [status]


def test_first_meetings_count_when_their_30_days_are_over_and_for_a_year() -> None:
    inside = counts_of(first_meetings=[(30, 3), (364, 2)], first_meetings_lost=[(30, 3), (364, 2)])
    outside = counts_of(first_meetings=[(29, 3), (365, 2)], first_meetings_lost=[(29, 3), (365, 2)])
    found = assess(inside, FILTER, stored=STORED)["loses_new_students"]
    assert (found.trials, found.status) == ([5], ["raised"])
    assert assess(outside, FILTER, stored=STORED)["loses_new_students"].status == ["insufficient_data"]


def test_the_limit_of_first_meetings_is_the_platforms_rate_and_five_points() -> None:
    counts = nothing(tutors=3)
    counts.first_meetings[:, -40] = 20
    counts.first_meetings_lost[:, -40] = 2, 4, 18
    found = assess(counts, FILTER)["loses_new_students"]
    assert found.threshold == pytest.approx(24 / 60 + 0.05)
    assert found.status.tolist() == ["ok", "ok", "raised"]


def test_a_limit_above_95_percent_makes_the_data_insufficient() -> None:
    counts = nothing(tutors=2)
    counts.first_meetings[:, -40] = counts.first_meetings_lost[:, -40] = 20
    found = assess(counts, FILTER)["loses_new_students"]
    assert found.status.tolist() == ["insufficient_data"] * 2
    assert found.probability.tolist() == [0, 0]
    assert found.expected == pytest.approx([0.85, 0.85], abs=0.1)


def test_low_ratings_are_raised_well_below_the_platforms_mean() -> None:
    counts = nothing(tutors=30)
    for ago in range(0, 60, 3):
        counts.ratings[:, -1 - ago] = 2
        counts.rating_sums[:, -1 - ago] = 9
        counts.rating_sums_of_squares[:, -1 - ago] = 41
    counts.rating_sums[4], counts.rating_sums_of_squares[4] = counts.ratings[4] * 3.5, counts.ratings[4] * 12.5
    found = assess(counts, FILTER)["low_ratings"]
    assert np.flatnonzero(found.status == "raised").tolist() == [4]
    assert found.raw_rate[[0, 4]] == pytest.approx([4.5, 3.5])
    assert found.threshold == pytest.approx((29 * 4.5 + 3.5) / 30 - 0.3)


def test_nothing_at_all_is_insufficient_data_and_no_error() -> None:
    with np.errstate(all="raise"):
        found = assess(nothing(tutors=2), FILTER)
    assert list(found) == list(CONCERNS)
    assert all((concern.status == "insufficient_data").all() for concern in found.values())
    assert all(np.isnan(concern.probability).all() for concern in found.values())
    assert not needs_attention(found).any()


def test_while_unreliable_is_raised_getting_worse_is_superseded() -> None:
    long, short = [(ago, 2) for ago in range(60)], [(ago, 2) for ago in range(6)]
    steady = assess(counts_of(sessions=long, let_downs=long), FILTER, stored=STORED)
    assert (steady["unreliable"].status, steady["getting_worse"].status) == (["raised"], ["raised"])
    assert steady["getting_worse"].superseded.tolist() == [True]
    sudden = assess(counts_of(sessions=[(ago, 2) for ago in range(150)], let_downs=short), FILTER, stored=STORED)
    assert (sudden["unreliable"].status, sudden["getting_worse"].status) == (["ok"], ["raised"])
    assert sudden["getting_worse"].superseded.tolist() == [False]
    assert needs_attention(sudden).tolist() == [True]


def test_what_is_superseded_needs_no_attention_of_its_own() -> None:
    long = [(ago, 2) for ago in range(60)]
    found = assess(counts_of(sessions=long, let_downs=long), FILTER, stored=STORED)
    assert needs_attention({"getting_worse": found["getting_worse"]}).tolist() == [False]


def test_stored_days_are_what_the_counts_give() -> None:
    counts = worlds.alike_in_everything(20, 200, seed=3)
    concern = rate_concerns(LIMIT)["unreliable"]
    _, days, probability = rate_probability(concern, counts)
    parts = (days.priors.shares, days.priors.alpha, days.priors.beta)
    kept = StoredDays(BetaMixture(*(part[:, -30:] for part in parts)), days.limits[-30:])
    assert rate_probability(concern, counts, kept)[2] == pytest.approx(probability[:, -30:], nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 179), st.booleans()), min_size=5, max_size=40), st.integers(0, 30))
def test_a_let_down_more_never_lowers_the_probability(sessions: list[tuple[int, bool]], ago: int) -> None:
    """Whether in place of another outcome or besides; a no-show is one, too."""
    held = counts_of(sessions=[(day, 1) for day, _ in sessions], let_downs=[(day, is_bad) for day, is_bad in sessions])
    besides = replace(
        held, sessions=held.sessions.copy(), let_downs=held.let_downs.copy(), no_shows=held.no_shows.copy()
    )
    for counts in (besides.sessions, besides.let_downs, besides.no_shows):
        counts[0, -1 - ago] += 1
    for name in ("unreliable", "no_shows"):
        concern = rate_concerns(LIMIT)[name]
        before, after = (rate_probability(concern, counts, STORED[name])[2] for counts in (held, besides))
        assert (after >= before - 1e-12)[~np.isnan(before)].all()


# --- when it clears -------------------------------------------------------------------------------------------------


def gone_on(counts: DailyCounts, days: int, **pace: float) -> DailyCounts:
    """The same tutor so many days later, with `pace` of each kind a day."""
    return DailyCounts(
        **{
            field.name: np.concatenate(
                [getattr(counts, field.name), np.full((1, days), pace.get(field.name, 0.0))], axis=1
            )
            for field in fields(DailyCounts)
        }
    )


@pytest.mark.parametrize("name", ["unreliable", "getting_worse"])
def test_clears_on_is_the_day_on_which_it_is_no_longer_raised(name: str) -> None:
    """One session a day goes on without an event; the prior stays."""
    counts = counts_of(sessions=[(ago, 1) for ago in range(120)], let_downs=[(ago, 1) for ago in range(0, 60, 2)])
    found = assess(counts, FILTER, stored=STORED)[name]
    assert found.status == ["raised"]
    clears = int(found.clears_in_days[0])
    assert clears > 1
    last, after = (
        assess(gone_on(counts, days, sessions=1), FILTER, stored=STORED)[name].status[0]
        for days in (clears - 1, clears)
    )
    assert last == "raised"
    assert after != "raised"


def test_first_meetings_clear_when_the_year_is_over() -> None:
    """Lost meetings expire; two a month go on to be lost at the platform's rate."""
    counts = counts_of(
        first_meetings=[(ago, 1) for ago in range(15, 300, 15)],
        first_meetings_lost=[(ago, 1) for ago in range(45, 300, 15)],
    )
    found = assess(counts, FILTER, stored=STORED)["loses_new_students"]
    assert found.status == ["raised"]
    clears = int(found.clears_in_days[0])
    assert 60 < clears < 365


def test_without_sessions_to_come_the_needs_run_out() -> None:
    """Five let-downs 40 days ago and none since: on the 50th day from now they are no longer within 90 days.

    The filter does not forget while nothing happens; the evidence fades before.
    """
    counts = counts_of(sessions=[(40, 5)], let_downs=[(40, 5)])
    found = assess(counts, FILTER, stored=STORED)
    assert found["getting_worse"].clears_in_days.tolist() == [50]
    assert 0 < found["unreliable"].clears_in_days[0] < 50


def test_what_is_not_raised_has_no_such_day() -> None:
    found = assess(worlds.alike_in_everything(10, 200, seed=1), FILTER)
    for concern in found.values():
        assert ((concern.clears_in_days == NEVER) | (concern.status == "raised")).all()
        assert ((concern.raised_days == NEVER) == (concern.status != "raised")).all()


@pytest.mark.slow
def test_where_nobody_differs_hardly_anybody_is_raised() -> None:
    """At most 1% in any concern, on three days that lie 100 days apart."""
    counts = worlds.alike_in_everything(300, 450, seed=6)
    raised = []
    for until in (250, 350, 450):
        until_then = DailyCounts(*(getattr(counts, field.name)[:, :until] for field in fields(DailyCounts)))
        raised.append(needs_attention(assess(until_then, FILTER)).mean())
    assert np.mean(raised) <= 0.01
