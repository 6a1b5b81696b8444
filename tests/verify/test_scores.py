"""Shrinkage, statuses and quality against cases worked out by hand, and against the density itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.verify.rows import BASIS
from verify.inputs import BetaPrior
from verify.recompute.scores import beta_prior, peer_percentile, posterior, quality, risk_status, sessions_to_clear

FALLBACK = BetaPrior(1, 9)


def test_the_prior_of_a_case_worked_by_hand() -> None:
    """k = 1, 3, 8 of n = 10 each: m = .4, S = 2.6, rho = (2.6 - .48) / (.24 * 18) = .490741."""
    prior = beta_prior([1, 3, 8, 0], [10, 10, 10, 0], FALLBACK)
    weight = 1 / (2.12 / 4.32) - 1
    assert prior.alpha == pytest.approx(0.4 * weight)
    assert prior.beta == pytest.approx(0.6 * weight)


@pytest.mark.parametrize(
    ("successes", "trials"),
    [
        pytest.param([], [], id="nobody"),
        pytest.param([0, 0], [0, 0], id="no trials"),
        pytest.param([3, 0], [10, 0], id="one unit"),
        pytest.param([0, 0], [10, 12], id="no successes"),
        pytest.param([10, 12], [10, 12], id="only successes"),
        pytest.param([0, 1, 1], [1, 1, 1], id="one trial each"),
    ],
)
def test_a_degenerate_prior_falls_back(successes: list[int], trials: list[int]) -> None:
    assert beta_prior(successes, trials, FALLBACK) == FALLBACK


units = st.lists(
    st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=0, max_size=30
)


@given(units)
@hypothesis_settings(max_examples=150, deadline=None)
def test_the_prior_stays_within_its_clamp_and_the_posterior_within_0_and_1(pairs: list[tuple[int, int]]) -> None:
    successes = pd.Series([k for k, _ in pairs], dtype="int64")
    trials = pd.Series([n for _, n in pairs], dtype="int64")
    prior = beta_prior(successes, trials, FALLBACK)
    assert 1 - 1e-9 <= prior.alpha + prior.beta <= 199 + 1e-9
    result = posterior(successes, trials, prior, 0.15)
    assert (result["alpha"].isna() == (trials == 0)).all()
    known = result[trials > 0]
    for column in ("expected", "low", "high", "risk"):
        assert known[column].between(0, 1).all()
    assert (known["low"] <= known["high"]).all()


def test_the_posterior_agrees_with_integrating_the_density() -> None:
    result = posterior(pd.Series([3]), pd.Series([10]), BetaPrior(1.0, 9.0), 0.15).iloc[0]
    density = scipy.stats.beta(4, 16).pdf
    assert result["expected"] == pytest.approx(0.2)
    assert result["risk"] == pytest.approx(scipy.integrate.quad(density, 0.15, 1)[0])
    assert scipy.integrate.quad(density, 0, result["low"])[0] == pytest.approx(0.05)
    assert scipy.integrate.quad(density, 0, result["high"])[0] == pytest.approx(0.95)


def test_the_status_needs_five_sessions_and_includes_its_cuts() -> None:
    sessions = pd.Series([0, 4, 5, 5, 5, 5])
    probability = pd.Series([np.nan, 0.99, 0.8, 0.79, 0.5, 0.49])
    expected = ["insufficient_data", "insufficient_data", "high_risk", "watch", "watch", "ok"]
    assert list(risk_status(sessions, probability, BASIS)) == expected


@given(st.floats(0.05, 80), st.floats(0.05, 400), st.floats(0.02, 0.6), st.floats(0.1, 0.9))
@hypothesis_settings(max_examples=150, deadline=None)
def test_sessions_to_clear_is_the_smallest_number(alpha: float, beta: float, threshold: float, cut: float) -> None:
    def is_flagged(more: float) -> bool:
        return bool(scipy.stats.beta.sf(threshold, alpha, beta + more) >= cut)

    basis = replace(BASIS, risk_threshold=threshold, watch_probability=cut)
    (needed,) = sessions_to_clear(np.array([alpha]), np.array([beta]), basis)
    if np.isnan(needed):
        assert is_flagged(4095)
    else:
        assert needed >= 1
        assert not is_flagged(needed)
        assert needed == 1 or is_flagged(needed - 1)


def test_quality_weighs_the_components_that_exist() -> None:
    nothing = np.nan
    result = quality(
        pd.Series([0.06, 0.06, 0.45, nothing]),
        pd.Series([0.02, 0.02, 0.20, nothing]),
        pd.Series([0.7, nothing, nothing, nothing]),
        pd.Series([4.2, nothing, nothing, nothing]),
        BASIS,
    )
    assert list(result.loc[0])[:4] == pytest.approx([0.8, 0.8, 0.7, 0.8])
    assert result["quality_score"].iloc[0] == pytest.approx(100 * (0.8 * 0.8 + 0.2 * 0.7))
    assert result["quality_score"].iloc[1] == pytest.approx(80)
    assert result["quality_score"].iloc[2] == 0
    assert np.isnan(result["quality_score"].iloc[3])


def test_the_percentile_ranks_scored_tutors_with_enough_data() -> None:
    scores = pd.Series([50.0, 70, 70, 90, 10, np.nan])
    status = pd.Series(["ok", "ok", "watch", "high_risk", "insufficient_data", "ok"])
    ranks = peer_percentile(scores, status)
    assert list(ranks[:4]) == pytest.approx([0, 1 / 3, 1 / 3, 1])
    assert ranks[4:].isna().all()
    assert list(peer_percentile(scores[:1], status[:1])) == [0]
