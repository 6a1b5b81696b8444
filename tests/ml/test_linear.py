"""The straight part: it finds slopes, keeps to signs, and tells each feature's share."""

import numpy as np
import pytest

from ml.linear import Linear, fit_linear


def rows(count=4000, seed=0):
    """Four features: a slope of 1, one of -0.5, noise, and one that is never known; of the first a fifth is unknown."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, 4)).astype(np.float32)
    odds = -1 + matrix[:, 0] - 0.5 * matrix[:, 1]
    label = rng.random(count) < 1 / (1 + np.exp(-odds))
    matrix[rng.random(count) < 0.2, 0] = np.nan
    matrix[:, 3] = np.nan
    return matrix, label


def test_slopes_are_found():
    matrix, label = rows(20_000)
    found = fit_linear(matrix, label, [1, 0, 0, 1])
    assert found.slope == pytest.approx([1, -0.5, 0, 0], abs=0.08)
    assert found.gap[1:] == (0, 0, 0)
    assert found.middle[0] == pytest.approx(0, abs=0.05)


def test_a_slope_of_the_wrong_sign_is_none():
    matrix, label = rows()
    found = fit_linear(matrix, label, [-1, 1, 0, 0])
    assert found.slope[:2] == (0, 0)


def test_contributions_sum_to_the_margin_and_extremes_are_bounded():
    matrix, label = rows()
    found = fit_linear(matrix, label, [1, -1, 0, 0])
    assert found.contributions(matrix).sum(axis=1) + found.intercept == pytest.approx(found.margin(matrix))
    far = np.array([[1e9, 0, 0, 0], [found.high[0], 0, 0, 0]], dtype=np.float32)
    assert found.margin(far)[0] == pytest.approx(found.margin(far)[1])
    assert found.shrunk(0.0).margin(matrix) == pytest.approx(np.full(len(matrix), found.intercept))


def test_it_comes_back_from_json_the_same():
    matrix, label = rows()
    found = fit_linear(matrix, label, [1, -1, 0, 0])
    assert Linear.from_dict(found.to_dict()) == found
