"""Evidence, prior and posterior of rates and ratings: numbers worked by hand, closed forms, and what must hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from verify.recompute.evidence import (
    BetaMixture,
    Evidence,
    discounted,
    evidence,
    half_life_weights,
    mixture_prior,
    moments,
)
from verify.recompute.rating_evidence import RatingPrior, Ratings, rating_evidence, rating_posterior, rating_prior
from verify.recompute.rules import RULES

LIMIT = 0.15
FALLBACK = (1, 9)
PRIOR = BetaMixture(np.array([0.9, 0.1]), np.array([8.0, 1.0]), np.array([92.0, 3.0]))

counts = st.integers(0, 40)
fractions = st.floats(0.001, 0.999)


def of_counts(trials: list[float], events: list[float]) -> Evidence:
    """Undiscounted evidence."""
    n = np.array(trials, dtype=np.float64)
    return Evidence(n, np.array(events, dtype=np.float64), n)


# --- discounting ----------------------------------------------------------------------------------------------------


def test_a_session_weighs_half_after_30_days_and_nothing_after_180() -> None:
    weights = half_life_weights()
    assert len(weights) == 180
    assert weights[[0, 30, 60]] == pytest.approx([1, 0.5, 0.25])
    one_session = np.zeros((1, 182))
    one_session[0, 0] = 1
    assert discounted(one_session, weights)[0, [0, 30, 179, 180]] == pytest.approx([1, 0.5, 2 ** (-179 / 30), 0])


def test_evidence_by_hand() -> None:
    """Four sessions 30 days ago, one of them let down, and two today: n = 2 + 2, k = 0.5, v = 1 + 2."""
    trials, events = np.zeros((1, 31)), np.zeros((1, 31))
    trials[0, [0, 30]] = 4, 2
    events[0, 0] = 1
    found = Evidence(*(part[:, -1] for part in evidence(trials, events, half_life_weights())))
    assert [part[0] for part in found] == pytest.approx([4, 0.5, 3])
    assert found.rate == pytest.approx([0.125])
    assert found.effective_trials == pytest.approx([16 / 3])


def test_without_discount_effective_trials_are_trials() -> None:
    found = evidence([[1, 2, 0, 4]], [[0, 1, 0, 1]], half_life_weights(np.inf, 3))
    assert found.effective_trials == pytest.approx(found.trials)
    assert found.trials[0] == pytest.approx([1, 3, 3, 6])


def test_the_cap_scales_trials_and_events_alike() -> None:
    capped = of_counts([240, 60, 12, 0], [24, 6, 3, 0]).capped(RULES.evidence_cap)
    assert capped.trials == pytest.approx([60, 60, 12, 0])
    assert capped.events == pytest.approx([6, 6, 3, 0])
    assert of_counts([240], [24]).capped(np.inf).trials == pytest.approx([240])


def test_no_trials_have_no_rate() -> None:
    none = of_counts([0], [0])
    assert np.isnan(none.rate).all()
    assert none.effective_trials == pytest.approx([0])


def test_a_half_life_is_positive() -> None:
    with pytest.raises(ValueError, match="half-life"):
        half_life_weights(0)


@given(st.lists(st.tuples(counts, st.floats(0, 1)), min_size=1, max_size=40))
def test_events_never_exceed_trials(days: list[tuple[int, float]]) -> None:
    trials = np.array([[n for n, _ in days]])
    events = np.array([[int(n * share) for n, share in days]])
    found = evidence(trials, events, half_life_weights()).capped(RULES.evidence_cap)
    assert (found.events <= found.trials).all()
    assert (found.trials <= RULES.evidence_cap + 1e-9).all()


@given(st.lists(st.tuples(st.integers(0, 199), st.booleans()), min_size=1, max_size=60), st.randoms())
def test_the_order_of_arrival_does_not_matter(sessions: list[tuple[int, bool]], random: np.random.Generator) -> None:
    def daily(rows: list[tuple[int, bool]]) -> Evidence:
        trials, events = np.zeros((1, 200)), np.zeros((1, 200))
        for day, is_event in rows:
            trials[0, day] += 1
            events[0, day] += is_event
        return evidence(trials, events, half_life_weights())

    shuffled = list(sessions)
    random.shuffle(shuffled)
    for one, other in zip(daily(sessions), daily(shuffled), strict=True):
        assert np.array_equal(one, other)


# --- prior ----------------------------------------------------------------------------------------------------------


def test_moments_by_hand() -> None:
    """n = 10, 10, 20 and k = 1, 3, 2: m = 6/40; S = 10·0.05² + 10·0.15² + 20·0.05² = 0.3; N - Σn²/N - 2 = 23."""
    mean, correlation = moments(of_counts([10, 10, 20], [1, 3, 2]))
    assert mean == pytest.approx(0.15)
    assert correlation == pytest.approx((0.3 - 0.1275 * 2) / (0.1275 * 23))


def test_the_prior_by_hand() -> None:
    """m = 0.15 and icc = 0.015345…: M = 1/icc - 1 = 64.17; u = max(0.15, 0.30), s = max(4, 1/0.3)."""
    prior = mixture_prior(of_counts([10, 10, 20], [1, 3, 2]), LIMIT, FALLBACK)
    weight = 0.1275 * 23 / 0.045 - 1
    assert prior.shares == pytest.approx([0.9, 0.1])
    assert prior.alpha == pytest.approx([0.15 * weight, 1.2])
    assert prior.beta == pytest.approx([0.85 * weight, 2.8])


def test_moments_use_effective_trials() -> None:
    """Four sessions 30 days ago and two today are 16/3 trials, not 4."""
    trials, events = np.zeros((2, 31)), np.zeros((2, 31))
    trials[:, [0, 30]] = 4, 2
    events[0, 30] = 1
    found = Evidence(*(part[:, -1] for part in evidence(trials, events, half_life_weights())))
    e, r = 16 / 3, np.array([0.25, 0.0])
    m = r.mean()
    expected = (e * ((r - m) ** 2).sum() - m * (1 - m)) / (m * (1 - m) * (2 * e - e - 1))
    assert moments(found).correlation == pytest.approx(np.clip(expected, 0.005, 0.5))


def test_a_rare_event_gets_a_prior_without_a_pole() -> None:
    """With m = 1/2000 the narrow part has at least alpha = 1, whatever the spread."""
    prior = mixture_prior(of_counts([1000, 1000], [0, 1]), 0.03, (1, 49))
    assert prior.alpha[0] >= 1
    assert prior.alpha[0] / (prior.alpha[0] + prior.beta[0]) == pytest.approx(1 / 2000)


@pytest.mark.parametrize(
    ("trials", "events", "u"),
    [
        ([], [], 0.15),
        ([0, 0], [0, 0], 0.15),
        ([20], [2], 0.2),
        ([20, 30], [0, 0], 0.15),
        ([20, 30], [20, 30], 0.5),
        ([1, 1, 1, 0], [0, 1, 0, 0], 0.5),
    ],
    ids=["nobody", "no sessions", "one tutor", "no events", "only events", "one trial each"],
)
def test_where_the_spread_cannot_be_known_the_narrow_part_is_the_fallback(
    trials: list[float], events: list[float], u: float
) -> None:
    with np.errstate(all="raise"):
        prior = mixture_prior(of_counts(trials, events), LIMIT, FALLBACK)
    assert (prior.alpha[0], prior.beta[0]) == FALLBACK
    assert (prior.alpha[1], prior.beta[1]) == pytest.approx((max(4, 1 / u) * u, max(4, 1 / u) * (1 - u)))


def test_one_discounted_trial_each_is_not_taken_for_a_spread() -> None:
    """Effective trials of single sessions are 1 but for rounding, which must not become a denominator."""
    trials = np.eye(50)
    events = np.diag(np.arange(50) % 2).astype(np.float64)
    found = Evidence(*(part[:, -1] for part in evidence(trials, events, half_life_weights())))
    assert np.isnan(moments(found).correlation)


@given(st.lists(st.tuples(counts, st.floats(0, 1)), max_size=12), fractions)
def test_every_prior_is_without_poles(tutors: list[tuple[int, float]], limit: float) -> None:
    found = of_counts([n for n, _ in tutors], [int(n * share) for n, share in tutors])
    with np.errstate(all="raise"):
        prior = mixture_prior(found, limit, FALLBACK)
    assert (prior.alpha >= 1 - 1e-12).all()
    assert (prior.beta >= 1 - 1e-12).all()


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1])
def test_a_limit_is_between_0_and_1(limit: float) -> None:
    with pytest.raises(ValueError, match="limit"):
        mixture_prior(of_counts([10, 10], [1, 2]), limit, FALLBACK)


def test_days_are_computed_as_single_days_are() -> None:
    rng = np.random.default_rng(3)
    trials = rng.poisson(1.5, (20, 40))
    events = rng.binomial(trials, 0.2)
    found = evidence(trials, events, half_life_weights())
    every_day = mixture_prior(found, np.full(40, LIMIT), FALLBACK)
    one_day = mixture_prior(Evidence(*(part[:, 25] for part in found)), LIMIT, FALLBACK)
    assert np.array_equal(every_day.alpha[:, 25], one_day.alpha)
    together = every_day.updated(found.trials, found.events).exceeds(LIMIT)
    assert together[:, 25] == pytest.approx(one_day.updated(found.trials[:, 25], found.events[:, 25]).exceeds(LIMIT))


# --- posterior ------------------------------------------------------------------------------------------------------


def test_a_posterior_of_one_part_is_the_conjugate_one() -> None:
    one = BetaMixture(np.ones(1), np.array([2.0]), np.array([8.0]))
    found = one.updated(np.array([20.0]), np.array([5.0])).summary(LIMIT)
    exact = stats.beta(7, 23)
    assert [part[0] for part in found] == pytest.approx(
        [exact.mean(), exact.ppf(0.05), exact.ppf(0.95), exact.sf(LIMIT)], rel=1e-9
    )


def test_a_posterior_is_the_prior_times_the_likelihood() -> None:
    """Against numerical integration of the product, with counts that are not whole."""
    n, k = 23.7, 9.2

    def product(rate: float) -> float:
        return float(
            (PRIOR.shares * stats.beta.pdf(rate, PRIOR.alpha, PRIOR.beta)).sum() * rate**k * (1 - rate) ** (n - k)
        )

    def integral(low: float, high: float) -> float:
        return float(integrate.quad(product, low, high, epsabs=0, epsrel=1e-10)[0])

    whole = integral(0, LIMIT) + integral(LIMIT, 1)
    found = PRIOR.updated(np.array([n]), np.array([k])).summary(LIMIT)
    assert found.probability[0] == pytest.approx(integral(LIMIT, 1) / whole, rel=1e-7)
    assert integral(0, found.low[0]) / whole == pytest.approx(0.05, rel=1e-6)
    assert integral(found.high[0], 1) / whole == pytest.approx(0.05, rel=1e-6)


def test_the_broad_part_keeps_one_bad_tutor_among_many_alike() -> None:
    """15 of 20 new students lost where 28% is usual: a narrow prior alone hides it."""
    trials = np.full(300, 20.0)
    events = np.full(300, 5.6)
    events[0] = 15
    found = Evidence(trials, events, trials)
    platform = float(events.sum() / trials.sum())
    prior = mixture_prior(found, platform + 0.05, (3, 7))
    narrow = BetaMixture(np.ones(1), prior.alpha[:1], prior.beta[:1])
    assert prior.updated(trials, events).exceeds(platform + 0.05)[0] > 0.95
    assert narrow.updated(trials, events).exceeds(platform + 0.05)[0] < 0.5


@given(n=st.integers(1, 300), share=st.floats(0, 1), more=st.integers(1, 5), limit=fractions)
def test_an_event_more_never_lowers_the_probability(n: int, share: float, more: int, limit: float) -> None:
    """An event among as many trials, and one more trial that is an event: a no-show is never an advantage."""
    k = int(n * share)
    trials, events = np.array([n, n, n + more], dtype=float), np.array([k, min(k + more, n), k + more], dtype=float)
    found = of_counts(list(trials), list(events)).capped(RULES.evidence_cap)
    before, instead, besides = PRIOR.updated(found.trials, found.events).exceeds(limit)
    assert instead >= before - 1e-12
    assert besides >= before - 1e-12


@given(age=st.integers(0, 179), trials=st.lists(counts, min_size=180, max_size=180))
def test_turning_a_session_into_a_let_down_never_lowers_the_probability(age: int, trials: list[int]) -> None:
    daily = np.array([trials, trials], dtype=float)
    daily[:, -1 - age] += 1
    events = np.floor(daily * 0.1)
    events[1, -1 - age] += 1
    found = evidence(daily, np.minimum(events, daily), half_life_weights()).capped(RULES.evidence_cap)
    before, after = PRIOR.updated(found.trials[:, -1], found.events[:, -1]).exceeds(LIMIT)
    assert after >= before - 1e-12


@given(n=st.floats(0, 5000), share=st.floats(0, 1), probability=st.sampled_from([0.05, 0.95]))
def test_quantiles_are_where_the_distribution_says(n: float, share: float, probability: float) -> None:
    posterior = PRIOR.updated(np.array([n]), np.array([n * share]))
    assert posterior.cdf(posterior.quantile(probability)) == pytest.approx([probability], abs=1e-9)


def test_no_trials_leave_the_prior() -> None:
    posterior = PRIOR.updated(np.zeros(1), np.zeros(1))
    assert posterior.shares[:, 0] == pytest.approx(PRIOR.shares)
    assert posterior.mean() == pytest.approx([0.9 * 0.08 + 0.1 * 0.25])


# --- ratings --------------------------------------------------------------------------------------------------------


def of_ratings(*tutors: list[float]) -> Ratings:
    """Undiscounted ratings of one day."""
    n = np.array([len(ratings) for ratings in tutors], dtype=float)
    sums = [np.array([sum(x**power for x in ratings) for ratings in tutors], dtype=float) for power in (1, 2)]
    return Ratings(n, *sums, n)


def test_the_prior_of_ratings_by_hand() -> None:
    """[5, 4], [3, 4, 5], [2]: scatter 0.5 + 2 + 0 on 3 degrees of freedom; means 4.5, 4, 2 around 23/6."""
    prior = rating_prior(of_ratings([5, 4], [3, 4, 5], [2]))
    mean, within = 23 / 6, 2.5 / 3
    between = 2 * (4.5 - mean) ** 2 + 3 * (4 - mean) ** 2 + (2 - mean) ** 2
    assert prior.mean == pytest.approx(mean)
    assert prior.within == pytest.approx(within)
    assert prior.between == pytest.approx((between - 2 * within) / (6 - 14 / 6))


def test_the_variance_within_tutors_is_unbiased_whatever_the_weights() -> None:
    rng = np.random.default_rng(5)
    ratings = rng.normal(4, 0.7, (4000, 60))
    ones = np.ones_like(ratings)
    prior = rating_prior(rating_evidence(ones, ratings, ratings**2, half_life_weights(10)))
    assert prior.within[-1] == pytest.approx(0.49, rel=0.02)


@pytest.mark.parametrize(
    "ratings",
    [of_ratings([4, 5, 3]), of_ratings([4, 4], [5, 5, 5]), of_ratings([4], [5])],
    ids=["one", "equal", "single"],
)
def test_ratings_that_say_nothing_of_spread(ratings: Ratings) -> None:
    with np.errstate(all="raise"):
        prior = rating_prior(ratings)
    assert (prior.within, prior.between) == pytest.approx((0.5, 0.04))


def test_a_rating_posterior_of_one_part_is_the_conjugate_one() -> None:
    """Where both parts have variance 0.5: precision 1/0.5 + 8/0.4, mean between 4.5 and 4."""
    prior = RatingPrior(np.float64(4.5), np.float64(0.5), np.float64(0.4))
    found = rating_posterior(of_ratings([4.0] * 8), prior).summary(4.2)
    exact = stats.norm((4.5 * 2 + 4.0 * 20) / 22, np.sqrt(1 / 22))
    assert [part[0] for part in found] == pytest.approx(
        [exact.mean(), exact.ppf(0.05), exact.ppf(0.95), exact.cdf(4.2)], rel=1e-9
    )


def test_a_rating_posterior_is_the_prior_times_the_likelihood() -> None:
    prior = RatingPrior(np.float64(4.5), np.float64(0.02), np.float64(0.6))
    sample = [3.0, 4.0, 2.0, 3.0]

    def product(mean: float) -> float:
        density = 0.9 * stats.norm.pdf(mean, 4.5, np.sqrt(0.02)) + 0.1 * stats.norm.pdf(mean, 4.5, np.sqrt(0.5))
        return float(density * stats.norm.pdf(3.0, mean, np.sqrt(0.6 / 4)))

    whole, below = (integrate.quad(product, 0, high, points=[3.5, 4.5], limit=200)[0] for high in (8, 4.2))
    found = rating_posterior(of_ratings(sample), prior).cdf(4.2)
    assert found == pytest.approx([below / whole], rel=1e-6)


def test_ratings_are_capped() -> None:
    prior = RatingPrior(np.float64(4.5), np.float64(0.04), np.float64(0.5))
    many, sixty = (rating_posterior(of_ratings([4.0] * n), prior).mean() for n in (600, 60))
    assert many == pytest.approx(sixty)


def test_no_ratings_leave_the_prior() -> None:
    prior = RatingPrior(np.float64(4.5), np.float64(0.04), np.float64(0.5))
    with np.errstate(all="raise"):
        assert rating_posterior(of_ratings([]), prior).mean() == pytest.approx([4.5])
