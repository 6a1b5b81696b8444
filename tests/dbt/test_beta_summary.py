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

QUERY = """
with grid as materialized (
    select * from {{{{ ref('int_beta_grid') }}}}
)

select
    points.a,
    points.b,
    summary.probability_above,
    summary.quantile_05,
    summary.quantile_95
from unnest(
    array{a}::double precision[], array{b}::double precision[]
) as points (a, b)
cross join lateral {{{{ beta_summary('grid', 'points.a', 'points.b') }}}} as summary
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
    query = QUERY.format(a=[float(a) for a, _ in points], b=[float(b) for _, b in points])
    compiled = built("compile", "--inline", query, risk_threshold=threshold).results[0].node.compiled_code
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.array(
        connection.execute(compiled.encode()).fetchall()
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
