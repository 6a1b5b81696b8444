"""The quality score against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from verify.recompute.quality import WEIGHTS, QualityReference, components, quality_score, variance_shares, z_scores

MEANS = np.array([-2.0, -4.0, -1.0, 4.5])
SPREADS = np.array([0.5, 0.8, 0.4, 0.2])
PLAIN = QualityReference(MEANS, np.diag(SPREADS**2))
BETTER = np.array([-1.0, -1.0, -1.0, 1.0])


def at(*z: float) -> np.ndarray:
    """Components that lie `z` standard deviations on the better side of the means."""
    return (MEANS + BETTER * np.array(z) * SPREADS)[np.newaxis]


def test_components_are_log_odds_and_the_rating() -> None:
    assert components([0.2], [0.5], [0.1], [4.4])[0] == pytest.approx([np.log(1 / 4), 0, np.log(1 / 9), 4.4])


def test_the_mean_scores_50() -> None:
    assert quality_score(at(0, 0, 0, 0), PLAIN) == pytest.approx([50])


def test_one_component_by_hand() -> None:
    """Uncorrelated, the weights add up to 1: 1 SD better in let-downs alone is Φ(√0.4)."""
    assert quality_score(at(1, 0, 0, 0), PLAIN) == pytest.approx([100 * stats.norm.cdf(np.sqrt(0.4))])
    assert quality_score(at(0, -1, 0, 0), PLAIN) == pytest.approx([100 * stats.norm.cdf(-np.sqrt(0.25))])


def test_correlated_components_are_counted_once() -> None:
    """All four fully correlated: one standard deviation better in each is Φ(1)."""
    reference = QualityReference(MEANS, np.outer(BETTER * SPREADS, BETTER * SPREADS))
    assert quality_score(at(1, 1, 1, 1), reference) == pytest.approx([100 * stats.norm.cdf(1)])


def test_no_component_counts_for_more_than_three_standard_deviations() -> None:
    assert z_scores(at(9, -9, 0, 0), PLAIN)[0] == pytest.approx([3, -3, 0, 0])
    assert quality_score(at(9, 0, 0, 0), PLAIN) == pytest.approx(quality_score(at(3, 0, 0, 0), PLAIN))


def test_a_missing_component_drops_out() -> None:
    rows = at(1, 1, 1, 1)
    rows[0, 3] = np.nan
    root = np.sqrt(WEIGHTS[:3])
    assert quality_score(rows, PLAIN) == pytest.approx([100 * stats.norm.cdf(root.sum() / np.sqrt(WEIGHTS[:3].sum()))])
    assert np.isnan(quality_score(np.full((1, 4), np.nan), PLAIN)).all()


def test_a_component_that_does_not_vary_drops_out() -> None:
    covariance = np.diag(SPREADS**2)
    covariance[1] = covariance[:, 1] = 0
    rows = at(1, 2, 0, 0)
    with np.errstate(all="raise"):
        score = quality_score(rows, QualityReference(MEANS, covariance))
    assert score == pytest.approx([100 * stats.norm.cdf(np.sqrt(0.4 / 0.75))])


def test_a_reference_without_any_spread_scores_nobody() -> None:
    with np.errstate(all="raise"):
        assert np.isnan(quality_score(at(1, 1, 1, 1), QualityReference(MEANS, np.zeros((4, 4))))).all()
        assert np.isnan(variance_shares(QualityReference(MEANS, np.zeros((4, 4))))).all()


def test_shares_of_the_variance_are_the_weights_where_components_are_uncorrelated() -> None:
    assert variance_shares(PLAIN) == pytest.approx(WEIGHTS)


def test_in_its_own_reference_the_score_is_spread_evenly() -> None:
    rng = np.random.default_rng(8)
    root = rng.normal(size=(4, 4))
    rows = rng.normal(size=(20_000, 4)) @ root.T
    reference = QualityReference.of(rows, np.ones(len(rows)))
    assert reference is not None
    deciles = np.quantile(quality_score(rows, reference), np.arange(0.1, 1, 0.1))
    assert deciles == pytest.approx(np.arange(10, 100, 10), abs=1.5)
    assert variance_shares(reference).sum() == pytest.approx(1)


def test_a_reference_needs_20_rated_tutors_with_enough_sessions() -> None:
    rows = np.random.default_rng(1).normal(size=(22, 4))
    rows[0, 2] = np.nan
    enough = np.ones(22, dtype=bool)
    assert QualityReference.of(rows, enough) is not None
    enough[5:7] = False
    assert QualityReference.of(rows, enough) is None
    enough[5] = True
    reference = QualityReference.of(rows, enough)
    assert reference is not None
    used = rows[enough & ~np.isnan(rows[:, 2])]
    assert reference.means == pytest.approx(used.mean(axis=0))
    assert reference.covariance[0, 1] == pytest.approx(np.cov(used[:, 0], used[:, 1])[0, 1])


@given(st.lists(st.floats(-6, 6), min_size=4, max_size=4), st.integers(0, 3), st.floats(0, 3))
def test_a_better_component_never_lowers_the_score(z: list[float], which: int, more: float) -> None:
    better = list(z)
    better[which] += more
    assert quality_score(at(*better), PLAIN)[0] >= quality_score(at(*z), PLAIN)[0] - 1e-9
