"""What `tutorq up` asks for once scores are published: by the tables alone, so what failed is asked for again."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from core.database import Database
from core.settings import Settings
from orchestration import first_run
from orchestration.first_run import HISTORY_DAYS, Run, follow_ups
from tests.conftest import MIGRATED, PUBLISHED, Postgres


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """Jobs and tags that the webserver would be asked for."""
    found: list[tuple[str, dict[str, str]]] = []

    def submit(settings: Settings, database: Database, job: str, tags: dict[str, str]) -> Run:
        found.append((job, tags))
        return Run.to_come(settings, database)

    monkeypatch.setattr(first_run, "_submit", submit)
    return found


def test_history_is_asked_for_until_its_oldest_day_is_there(
    postgres: Postgres, tmp_path: Path, asked: list[tuple[str, dict[str, str]]]
) -> None:
    database = postgres.new_database(tmp_path, PUBLISHED)
    with database.connect() as connection:
        connection.execute("delete from marts.score_history where as_of < (select as_of from marts.publication)")
        (as_of,) = connection.execute("select as_of from marts.publication").fetchone() or (None,)
        connection.execute(
            "insert into ml.prediction_buckets (bucket, model_version, pairs, run_id) values (0, 'm', 0, 0)"
        )
    assert isinstance(as_of, date)

    def jobs() -> list[str]:
        asked.clear()
        list(follow_ups(Settings(home=tmp_path), database))
        return [job for job, _ in asked]

    def record(days_before: int) -> None:
        with database.connect() as connection:
            connection.execute(
                "create temporary table day on commit drop as select * from marts.score_history where as_of = %s",
                [as_of],
            )
            connection.execute("update day set as_of = as_of - %s, risk_status_since = as_of - %s", [days_before] * 2)
            connection.execute("insert into marts.score_history select * from day")

    assert jobs() == ["roll_over"]
    days = asked[0][1]
    assert days["dagster/asset_partition_range_start"] == (as_of - timedelta(days=HISTORY_DAYS)).isoformat()
    assert days["dagster/asset_partition_range_end"] == (as_of - timedelta(days=1)).isoformat()
    assert jobs() == ["roll_over"], "the run failed, and nothing has come of it"
    for day in (1, 12):
        record(day)
    assert jobs() == ["roll_over"], "some later days are there, as after nights of the daemon"
    record(HISTORY_DAYS)
    assert jobs() == []


def test_nothing_is_asked_for_before_scores_are_published(
    postgres: Postgres, tmp_path: Path, asked: list[tuple[str, dict[str, str]]]
) -> None:
    assert list(follow_ups(Settings(home=tmp_path), postgres.new_database(tmp_path, MIGRATED))) == []
    assert asked == []
