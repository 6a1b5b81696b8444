"""The numeric beta distribution in SQL against SciPy, over every size that data or priors can give it."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt

SHAPES = (0.005, 0.02, 0.1, 0.3, 0.5, 0.9, 1.0, 1.1, 1.9, 2.5, 6.0, 15.0, 40.0, 120.0, 500.0, 2000.0, 8000.0, 30000.0)

QUERY = b"""
select
    points.a,
    points.b,
    summary.probability_above,
    summary.quantile_05,
    summary.quantile_95
from unnest(%s::double precision[], %s::double precision[]) as points (a, b)
cross join lateral intermediate.beta_summary(points.a, points.b, %s) as summary
"""


@pytest.mark.parametrize("threshold", [0.05, 0.15, 0.5])
def test_beta_summary_agrees_with_scipy(built: Dbt, connection: psycopg.Connection, threshold: float) -> None:
    from scipy.stats import beta

    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30_000, 500)
    counts = rng.binomial(sizes, rng.beta(1, 9, 500))
    weights = rng.uniform(1, 199, 500)
    means = rng.uniform(0.005, 0.5, 500)
    posteriors = zip(counts + weights * means, sizes - counts + weights * (1 - means), strict=True)
    points = [*product(SHAPES, SHAPES), *posteriors]
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.array(
        connection.execute(QUERY, [[float(a) for a, _ in points], [float(b) for _, b in points], threshold]).fetchall()
    )
    a, b, probability, low, high = found.T
    assert len(found) == len(points)
    worst = {
        "probability": np.abs(probability - beta.sf(threshold, a, b)).max(),
        "low": np.abs(low - beta.ppf(0.05, a, b)).max(),
        "high": np.abs(high - beta.ppf(0.95, a, b)).max(),
    }
    assert worst["probability"] <= 1e-3, worst
    assert max(worst["low"], worst["high"]) <= 5e-3, worst


def test_sessions_to_clear_is_the_smallest_number_that_ends_the_flag(
    built: Dbt, connection: psycopg.Connection
) -> None:
    from scipy.stats import beta

    def needed(a: float, b: float) -> int | None:
        return next((k for k in range(1, 4096) if beta.sf(0.15, a, b + k) < 0.5), None)

    shapes = [(6.0, 9.0), (4.0, 16.0), (800.0, 100.0), (40.0, 30.0), (1.5, 2.0)]
    found = [connection.execute("select intermediate.sessions_to_clear(%s, %s)", shape).fetchone() for shape in shapes]
    assert found == [(needed(*shape),) for shape in shapes]
    assert (None,) in found, "none that would take more than 4,095"
