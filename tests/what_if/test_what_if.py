"""What other settings would do is what a run with them does, to the last bit, and looking leaves nothing behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core import scoring_settings
from core.database import Database, DatabaseRole
from core.dbt_runner import build, one_dbt_at_a_time
from core.errors import TutorqError
from core.settings import Settings
from tests.conftest import PUBLISHED, Postgres
from tests.marts import DAY
from what_if import shadowed, what_if

RESULTS = {
    name: f"select to_jsonb(t) - 'case_mix_expected' from marts.{name} as t order by {key}"  # made at night
    for name, key in {"tutor_concerns": "concern_key", "tutor_flags": "flag_key", "tutor_scores": "tutor_id"}.items()
}
CHANGES: list[dict[str, Any]] = [
    {"risk_threshold": 0.2},
    {"high_risk_probability": 0.65, "watch_probability": 0.3, "min_sessions": 12},
    {"evidence_half_life_days": 14, "evidence_cap": 25},
    {"reliability_counts": ["reschedules"]},
    {"reliability_weight": 0.1, "rating_weight": 0.6},
    {
        "risk_threshold": 0.08,
        "no_show_limit": 0.05,
        "late_start_limit": 0.2,
        "first_meeting_margin": 0.02,
        "rating_margin": 0.1,
        "late_start_minutes": 2.5,
        "reliability_counts": ["cancellations", "no_shows"],
        "evidence_half_life_days": 45,
        "evidence_cap": 80,
        "no_show_half_life_days": 60,
        "no_show_evidence_cap": 90,
        "starts_needed": 4,
        "first_meetings_needed": 3,
        "ratings_needed": 3,
    },
]


def _settings(database: Database, home: Path) -> Settings:
    return Settings(home=home, database_url=database.url, as_of=DAY.isoformat())


@pytest.fixture(scope="module")
def looked_at(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    return postgres.new_database(tmp_path_factory.mktemp("looked-at"), PUBLISHED)


def _everything(database: Database) -> dict[str, str]:
    """A checksum of every table and view, and what there is."""
    with database.connect() as connection:
        tables = connection.execute(
            """
            select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables
            where schemaname in ('raw', 'app', 'ml', 'intermediate', 'marts')
            order by 1
            """
        ).fetchall()
        found = {}
        for (table,) in tables:
            query = f"select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {table} as t"
            (found[table],) = connection.execute(query.encode()).fetchone() or ("",)
        (found["objects"],) = connection.execute(
            """
            select md5(string_agg(name, '|' order by name)) from (
                select relnamespace::regnamespace || '.' || relname || xmin as name from pg_class
                where relnamespace::regnamespace::text !~ '^pg_'
                union all
                select oid::regprocedure || ' ' || xmin from pg_proc where pronamespace::regnamespace::text !~ '^pg_'
            ) as named
            """
        ).fetchone() or ("",)
        (found["temporary"],) = connection.execute(
            "select count(*) from pg_class where relnamespace::regnamespace::text ~ '^pg_temp'"
        ).fetchone() or ("",)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [*(pytest.param(changes, marks=pytest.mark.soak) for changes in CHANGES[:-1]), CHANGES[-1]],
    ids=lambda changes: "-".join(changes)[:60],
)
def test_today_is_what_a_run_makes_of_it(
    postgres: Postgres, looked_at: Database, tmp_path: Path, changes: Mapping[str, Any]
) -> None:
    there = postgres.new_database(tmp_path, PUBLISHED)
    settings = _settings(there, tmp_path)
    transform = looked_at.as_role(DatabaseRole.TRANSFORM)

    with one_dbt_at_a_time(transform), shadowed(_settings(looked_at, tmp_path), transform, changes) as shadow:
        wanted = {name: shadow.execute(query).fetchall() for name, query in RESULTS.items()}
    with there.connect() as connection:
        before = {name: connection.execute(query.encode()).fetchall() for name, query in RESULTS.items()}
        assert scoring_settings.apply(connection, settings, changes, actor="test", note=None)
    build(settings, there, exclude=["resource_type:test"])
    with there.connect() as connection:
        for name, query in RESULTS.items():
            assert wanted[name] == connection.execute(query.encode()).fetchall()
    assert wanted["tutor_scores"] != before["tutor_scores"]


@pytest.mark.slow
def test_looking_leaves_nothing_behind(looked_at: Database, tmp_path: Path) -> None:
    before = _everything(looked_at)
    steps: list[tuple[float, str]] = []

    answer = what_if(
        _settings(looked_at, tmp_path),
        looked_at.as_role(DatabaseRole.TRANSFORM),
        {"risk_threshold": 0.05, "reliability_counts": ["no_shows"]},
        weeks=8,
        on_progress=lambda share, step: steps.append((share, step)),
    )

    assert _everything(looked_at) == before
    assert before["temporary"] == 0
    shares = [share for share, _ in steps]
    assert shares == sorted(shares)
    assert shares[-1] > 0.8
    assert answer["changed"]["risk_threshold"] == {"from": 0.15, "to": 0.05}
    assert answer["as_of"] == DAY.isoformat()


@pytest.mark.slow
def test_settings_as_they_are_raise_whom_the_calibration_says(
    looked_at: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both replay the same Mondays: app.forecasts notes them, score_calibration judges them."""
    # Tutors of the marketplace teach less than 20 sessions a month.
    told = _settings(looked_at, tmp_path).dbt_vars()
    monkeypatch.setattr(Settings, "dbt_vars", lambda _: {**told, "judged_sessions": 5})
    answer = what_if(
        _settings(looked_at, tmp_path),
        looked_at.as_role(DatabaseRole.TRANSFORM),
        {"high_risk_probability": 0.95},
        weeks=12,
    )
    present, changed = answer["history"]["present"], answer["history"]["changed"]

    first = present["weeks"][0]["week"]
    with looked_at.connect() as connection:
        judged = connection.execute(
            """
            select
                count(*),
                count(*) filter (where let_downs::float / sessions > rate_limit),
                count(*) filter (where is_raised),
                count(*) filter (where is_raised and let_downs::float / sessions > rate_limit)
            from intermediate.int_forecast_outcomes
            where forecast_on >= %s and sessions >= 5
            """,
            [first],
        ).fetchone()
    assert (present["judged"], present["above"], present["judged_raised"], present["raised_above"]) == judged
    assert present["judged_raised"] > changed["judged_raised"] >= 0
    assert len(present["weeks"]) == len(changed["weeks"]) == 12
    assert present["onsets_per_week"] > 0


def test_the_settings_in_force_are_no_question(looked_at: Database, tmp_path: Path) -> None:
    settings, database = _settings(looked_at, tmp_path), looked_at.as_role(DatabaseRole.TRANSFORM)
    with pytest.raises(TutorqError, match="the settings in force"):
        what_if(settings, database, {"risk_threshold": 0.15})
    with pytest.raises(TutorqError, match="watch_probability must not be above"):
        what_if(settings, database, {"watch_probability": 0.9})


def test_nothing_is_published(database: Database, tmp_path: Path) -> None:
    with pytest.raises(TutorqError, match="nothing is published"):
        what_if(_settings(database, tmp_path), database, {"risk_threshold": 0.2})
