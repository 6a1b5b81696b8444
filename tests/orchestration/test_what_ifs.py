"""A question is answered by a run that the sensor asks for, and applied settings by the next scoring run."""

from pathlib import Path

import dagster as dg
import pytest

from core import scoring_settings
from core.database import Database, DatabaseRole
from core.settings import Settings
from orchestration.defs import automation
from orchestration.defs.automation import REASON, new_data
from orchestration.defs.marts.what_ifs import asked_what_ifs, what_if
from orchestration.resources import Platform
from tests.conftest import PUBLISHED, Postgres
from tests.marts import DAY

ASK = """
insert into app.what_ifs (settings, weeks, asked_by) values ('{"high_risk_probability": 0.9}', 4, 'Ann (person 7)')
"""


@pytest.fixture
def database(postgres: Postgres, tmp_path: Path) -> Database:
    return postgres.new_database(tmp_path, PUBLISHED)


@pytest.fixture
def platform(environment: Settings, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("TUTORQ_AS_OF", DAY.isoformat())
    monkeypatch.setattr(automation, "WATCH_SECONDS", 0.0)
    return Platform()


def tick(instance: dg.DagsterInstance, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    answer = asked_what_ifs(dg.build_sensor_context(instance=instance, resources={"platform": platform}))
    assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
    return answer


def state(database: Database) -> tuple[str, str | None]:
    with database.connect() as connection:
        row = connection.execute("select state, error from app.what_ifs").fetchone()
    assert row is not None
    return row


@pytest.mark.slow
def test_a_question_is_answered_by_a_run(instance: dg.DagsterInstance, platform: Platform, database: Database) -> None:
    assert isinstance(tick(instance, platform), dg.SkipReason)
    with database.connect() as connection:
        connection.execute(ASK)
    assert isinstance(tick(instance, platform), dg.RunRequest)

    assert what_if.execute_in_process(instance=instance, resources={"platform": platform}).success

    assert state(database) == ("done", None)
    assert isinstance(tick(instance, platform), dg.SkipReason)


def test_a_run_that_was_killed_leaves_no_question_open(
    instance: dg.DagsterInstance, platform: Platform, database: Database
) -> None:
    with database.connect() as connection:
        connection.execute(ASK)
        connection.execute("update app.what_ifs set state = 'running'")
    assert isinstance(tick(instance, platform), dg.SkipReason)
    assert state(database) == ("failed", "the run that was to answer it ended; ask again")


def test_a_run_that_ends_before_it_begins_is_not_asked_for_again(
    instance: dg.DagsterInstance, platform: Platform, database: Database
) -> None:
    """As where no process can be started, or the database refuses it."""
    # A run of the question before does not count.
    instance.report_run_failed(instance.create_run_for_job(what_if))
    with database.connect() as connection:
        connection.execute(ASK)
    assert isinstance(tick(instance, platform), dg.RunRequest)
    run = instance.create_run_for_job(what_if)
    assert isinstance(tick(instance, platform), dg.SkipReason)
    assert state(database) == ("queued", None)

    instance.report_run_failed(run)

    assert isinstance(tick(instance, platform), dg.SkipReason)
    assert state(database) == ("failed", "the run that was to answer it ended; ask again")
    assert isinstance(tick(instance, platform), dg.SkipReason)


def test_applied_settings_ask_for_a_run(instance: dg.DagsterInstance, platform: Platform, database: Database) -> None:
    def look() -> dg.RunRequest | dg.SkipReason:
        answer = new_data(dg.build_sensor_context(instance=instance, resources={"platform": platform}))
        assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
        return answer

    with database.connect() as connection:
        connection.execute("delete from intermediate.unpublished")
        connection.execute("delete from raw.changes")
    assert isinstance(look(), dg.SkipReason), look()
    with database.connect() as connection:
        # One of those that publication has among its rules.
        scoring_settings.apply(connection, platform.settings, {"evidence_cap": 80}, actor="test", note=None)
    asked = look()
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags[REASON] == "settings changed"
    with database.as_role(DatabaseRole.TRANSFORM).connect() as connection:
        assert scoring_settings.dbt_vars(platform.settings, connection)["evidence_cap"] == 80
    with database.connect() as connection:
        scoring_settings.apply(connection, platform.settings, None, actor="test", note=None)
    assert isinstance(look(), dg.SkipReason)
