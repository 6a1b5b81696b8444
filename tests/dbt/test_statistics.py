"""The statistics of concerns in SQL against NumPy and SciPy: posteriors and the change filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import special

from tests import worlds
from verify.recompute.change_filter import ChangeFilter, grid
from verify.recompute.evidence import BetaMixture, Floats, half_life_weights
from verify.recompute.quality import QualityReference, components, quality_score, z_scores
from verify.recompute.rating_evidence import RatingPrior, Ratings, rating_posterior

if TYPE_CHECKING:
    import psycopg

    from tests.dbt.conftest import Dbt

DAY = "'2024-01-01'::date"


def query(connection: psycopg.Connection, sql: str, *values: Any) -> Floats:
    """Rows of numbers; arrays and NumPy's numbers are given as they are."""
    rows = connection.execute(sql.encode(), [np.asarray(value).tolist() for value in values]).fetchall()
    return np.array(rows, dtype=np.float64)


def some_prior(rng: np.random.Generator, limit: float, mean_up_to: float = 0.9) -> BetaMixture:
    """A prior as `mixture_prior` makes it, from any mean and correlation."""
    m = np.exp(rng.uniform(np.log(5e-4), np.log(mean_up_to)))
    weight = max(1 / np.exp(rng.uniform(np.log(0.005), np.log(0.5))) - 1, 1 / min(m, 1 - m))
    u = min(0.5, max(limit, 2 * m))
    s = max(4.0, 1 / u)
    return BetaMixture(np.array([0.9, 0.1]), np.array([m * weight, s * u]), np.array([(1 - m) * weight, s * (1 - u)]))


def parameters(prior: BetaMixture) -> tuple[float, ...]:
    """As the functions take them."""
    return prior.alpha[0], prior.beta[0], prior.alpha[1], prior.beta[1]


@pytest.mark.parametrize("limit", [0.01, 0.03, 0.15, 0.35, 0.5, 0.95])
@pytest.mark.parametrize("most_trials", [60, 150, 1200])
def test_the_posterior_of_a_rate(built: Dbt, connection: psycopg.Connection, limit: float, most_trials: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(4):
        prior = some_prior(rng, limit)
        trials = np.r_[0, np.exp(rng.uniform(np.log(0.01), np.log(most_trials), 60))]
        events = trials * np.r_[0, rng.beta(0.3, 0.8, 60)]
        events[::7], events[::11] = 0, trials[::11]
        found = query(
            connection,
            """
            with cells as materialized (select * from intermediate.rate_cells(%s, %s, %s, %s, %s))
            select
                summary.expected, summary.low, summary.high, summary.probability,
                intermediate.rate_probability(log_masses, log_rates, log_complements, trials, events)
            from cells
            cross join unnest(%s::float8[], %s::float8[]) with ordinality as counts (trials, events, place)
            cross join lateral intermediate.rate_summary(
                log_masses, log_rates, log_complements, %s, trials, events
            ) as summary
            order by place
            """,
            *parameters(prior), limit, trials, events, limit,
        )  # fmt: skip
        # The same to the last bit.
        assert (found[:, 3] == found[:, 4]).all()
        expected, low, high, probability = np.abs(found[:, :4].T - prior.updated(trials, events).summary(limit)).max(
            axis=1
        )
        assert probability <= 1e-3
        assert expected <= 1e-4
        assert max(low, high) <= 5e-3


def test_no_count_is_too_extreme(built: Dbt, connection: psycopg.Connection) -> None:
    """Postgres raises an error where a number is too small; there are none, even where data contradict the prior."""
    ((low, high),) = query(
        connection,
        """
        select min(probability), max(probability)
        from unnest(array[0.00001, 0.001, 0.999]) as rate_limit
        cross join unnest(array[1, 30, 100000]) as prior_alpha
        cross join unnest(array[1, 30, 100000]) as prior_beta
        cross join lateral (
            select greatest(4, 1 / least(0.5, rate_limit)) as s, least(0.5, rate_limit) as u
        ) as broad
        cross join lateral intermediate.rate_cells(prior_alpha, prior_beta, s * u, s * (1 - u), rate_limit) as cells
        cross join (values (0, 0), (60, 0), (60, 60), (0.001, 0.001)) as counts (trials, events)
        cross join lateral intermediate.rate_probability(
            log_masses, log_rates, log_complements, trials, events
        ) as probability
        """,
    )
    assert 0 <= low < 0.01
    assert 0.99 < high <= 1


def test_distributions(built: Dbt, connection: psycopg.Connection) -> None:
    rng = np.random.default_rng(2)
    a, b = np.exp(rng.uniform(np.log(0.02), np.log(20_000), (2, 1000)))
    x = np.clip(
        np.where(rng.random(1000) < 0.5, rng.uniform(0, 1, 1000), a / (a + b) * rng.uniform(0.5, 1.5, 1000)), 0, 1
    )
    found = query(
        connection,
        """
        select intermediate.beta_cdf(a, b, x)
        from unnest(%s::float8[], %s::float8[], %s::float8[]) with ordinality as points (a, b, x, place) order by place
        """,
        a, b, x,
    )  # fmt: skip
    assert np.abs(found[:, 0] - special.betainc(a, b, x)).max() <= 1e-10
    z = np.r_[-100, np.linspace(-9, 9, 1001), 100]
    normal = query(connection, "select intermediate.normal_cdf(z) from unnest(%s::float8[]) as z", z)
    assert np.abs(normal[:, 0] - special.ndtr(z)).max() <= 1e-7


def test_quality_against_a_reference(built: Dbt, connection: psycopg.Connection) -> None:
    rng = np.random.default_rng(8)
    rates, ratings = rng.beta(1, 6, (3, 200)), rng.uniform(1, 5, 200)
    rates[:, :40] = np.where(rng.random((3, 40)) < 0.5, np.nan, rates[:, :40])
    ratings[20:60] = np.nan
    rates[:, 0] = ratings[0] = np.nan
    tutors = components(*rates, ratings)
    some = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + [-2, -4, -1, 4.3]
    unvaried = np.where(np.arange(4) == 2, -1.0, some)
    for reference in (QualityReference.of(rows, np.ones(60, dtype=bool)) for rows in (some, unvaried)):
        assert reference
        found = query(
            connection,
            """
            select reliability, attendance, first_session, rating_component, score
            from unnest(%s::float8[], %s::float8[], %s::float8[], %s::float8[]) with ordinality
                as tutors (let_downs, no_shows, lost, rating, place)
            cross join lateral intermediate.quality_score(
                nullif(let_downs, 'nan'), nullif(no_shows, 'nan'), nullif(lost, 'nan'), nullif(rating, 'nan'), %s, %s
            )
            order by place
            """,
            *rates, ratings, reference.means, reference.covariance.ravel(),
        )  # fmt: skip
        np.testing.assert_allclose(found[:, :4], special.ndtr(z_scores(tutors, reference)), atol=1e-7)
        np.testing.assert_allclose(found[:, 4], quality_score(tutors, reference), atol=1e-5)


def test_the_posterior_of_a_mean_rating(built: Dbt, connection: psycopg.Connection) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        mean = rng.uniform(3.2, 4.9)
        between, within = np.exp(rng.uniform(np.log([0.0025, 0.01]), np.log([0.6, 2])))
        ratings = np.r_[0, np.exp(rng.uniform(np.log(0.01), np.log(500), 60))]
        observed = np.clip(mean + rng.normal(0, 0.8, 61), 1, 5)
        found = query(
            connection,
            """
            select
                share * mean_1 + (1 - share) * mean_2,
                intermediate.rating_quantile(share, mean_1, sd_1, mean_2, sd_2, 0.05),
                intermediate.rating_quantile(share, mean_1, sd_1, mean_2, sd_2, 0.95),
                intermediate.rating_cdf(share, mean_1, sd_1, mean_2, sd_2, %s)
            from unnest(%s::float8[], %s::float8[]) with ordinality as given (ratings, observed, place)
            cross join lateral intermediate.rating_posterior(ratings, observed, %s, %s, %s)
                as posterior (share, mean_1, sd_1, mean_2, sd_2)
            order by place
            """,
            mean - 0.3, ratings, observed, mean, between, within,
        )  # fmt: skip
        prior = RatingPrior(*(np.asarray(part) for part in (mean, between, within)))
        posterior = rating_posterior(Ratings(ratings, ratings * observed, ratings, ratings), prior)
        expected, low, high, probability = np.abs(found.T - posterior.summary(mean - 0.3)).max(axis=1)
        assert max(expected, probability) <= 1e-6
        assert max(low, high) <= 1e-5


@pytest.mark.parametrize(
    ("share", "narrow", "broad", "is_narrow"),
    [
        (0, (4.5, 0.1), (3.9, 0.6), False),
        (1, (4.5, 0.1), (3.9, 0.6), True),
        (1e-130, (4.5, 0.1), (3.9, 0.6), False),
        (1e-130, (4.9, 0.001), (1.2, 0.02), False),
        (1, (4.9, 0.001), (1.2, 0.02), True),
        (0.3, (4.4, 0.2), (4.4, 0.2), True),
        (0, (4.4, 0.2), (4.4, 0.2), True),
    ],
)
@pytest.mark.parametrize("quantile", [0.05, 0.95])
def test_quantiles_of_ratings_of_one_part_are_those_of_that_part(
    built: Dbt,
    connection: psycopg.Connection,
    share: float,
    narrow: tuple[float, float],
    broad: tuple[float, float],
    is_narrow: bool,
    quantile: float,
) -> None:
    ask = "select intermediate.rating_quantile(%s, %s, %s, %s, %s, %s)"
    [[found]] = query(connection, ask, share, *narrow, *broad, quantile)
    mean, deviation = narrow if is_narrow else broad
    assert found == pytest.approx(mean + deviation * special.ndtri(quantile), abs=1e-5)


@pytest.mark.parametrize("limit", [0.05, 0.15, 0.4])
def test_the_change_filter(built: Dbt, connection: psycopg.Connection, limit: float) -> None:
    rng = np.random.default_rng(4)
    world = worlds.jumping(12, 300, seed=1)
    rates = query(connection, "select rate, low_edge, high_edge from intermediate.filter_rates(%s)", limit).T
    assert rates[0] == pytest.approx(grid(limit).rates, abs=1e-12)
    assert [0, *rates[2]] == pytest.approx(grid(limit).edges, abs=1e-12)
    for _ in range(3):
        prior = some_prior(rng, limit, mean_up_to=0.5)
        change_filter = ChangeFilter.of_prior(prior, limit, rng.uniform(1, 2))
        run = change_filter.run(world.sessions, world.let_downs)
        start = query(
            connection,
            "select unnest(start), unnest(after_a_jump) from intermediate.filter_parameters(%s, %s, %s, %s, %s)",
            *parameters(prior), limit,
        ).T  # fmt: skip
        assert start[0] == pytest.approx(change_filter.start, abs=1e-9)
        assert start[1] == pytest.approx(change_filter.after_a_jump, abs=1e-9)
        for tutor, sessions in enumerate(world.sessions):
            days = np.flatnonzero(sessions)
            found = query(
                connection,
                f"""
                select
                    step.probability,
                    step.state[1] / (select sum(weight) from unnest(step.state) as weight),
                    step.state[22] / (select sum(weight) from unnest(step.state) as weight)
                from intermediate.filter_parameters(%s, %s, %s, %s, %s)
                cross join lateral intermediate.filter_days(
                    start, null, array(select {DAY} + day from unnest(%s::integer[]) as day),
                    %s, %s, after_a_jump, log_rates, log_complements, %s
                ) as step
                order by step.day
                """,
                *parameters(prior), limit, days, sessions[days] * 1.0, world.let_downs[tutor, days] * 1.0,
                change_filter.design_effect,
            )  # fmt: skip
            assert np.abs(found[:, 0] - run.probability[tutor, days]).max() <= 1e-6
            assert found[-1, 1:] == pytest.approx(run.weights[tutor, [0, 21]], abs=1e-6)


def test_the_change_filter_goes_on_from_a_state_to_the_last_bit(built: Dbt, connection: psycopg.Connection) -> None:
    """Live writers step from a stored state where a run steps from the first session."""
    ((is_same,),) = connection.execute(f"""
        with given as (
            select
                parameters.*,
                array_agg({DAY} + 3 * day) as days,
                array_agg(1.0 + day % 4) as sessions,
                array_agg((day * day % 5 = 0)::integer::float8) as let_downs
            from intermediate.filter_parameters(4, 46, 1, 3, 0.15) as parameters
            cross join generate_series(1, 60) as day
            group by start, after_a_jump, log_rates, log_complements
        ),

        states as (
            select given.*, step.*
            from given
            cross join lateral intermediate.filter_days(
                start, null, days, sessions, let_downs, after_a_jump, log_rates, log_complements, 1.3
            ) as step
        )

        select bool_and(before.state <> next.state and step.state = next.state and step.probability = next.probability)
        from states as before
        inner join states as next on next.day = before.day + 3
        cross join lateral intermediate.filter_days(
            before.state,
            before.day,
            array[next.day],
            next.sessions[(next.day - {DAY}) / 3:(next.day - {DAY}) / 3],
            next.let_downs[(next.day - {DAY}) / 3:(next.day - {DAY}) / 3],
            next.after_a_jump,
            next.log_rates,
            next.log_complements,
            1.3
        ) as step
    """.encode()).fetchall()  # fmt: skip
    assert is_same


def test_weights_of_evidence(built: Dbt, connection: psycopg.Connection) -> None:
    found = query(
        connection,
        """
        select
            intermediate.evidence_weight(age, 30) / 2.0 ^ 40, intermediate.evidence_weight(age, 15) / 2.0 ^ 40,
            intermediate.evidence_weight(age, 90) / 2.0 ^ 40
        from generate_series(0, 179) as age
        """,
    ).T
    assert np.abs(found - [half_life_weights(), half_life_weights() ** 2, half_life_weights(90)]).max() < 1e-12
    ((none,),) = query(connection, "select intermediate.evidence_weight(180, 30)")
    assert np.isnan(none)
