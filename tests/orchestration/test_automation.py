"""What the sensor and the schedule ask for, on a real database and a real instance."""

import json
import os
import time
from datetime import date, timedelta
from uuid import uuid4

import dagster as dg
import pytest

from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from ingest import Taken, load_file, take_files
from orchestration.definitions import defs as load_definitions
from orchestration.defs import automation
from orchestration.defs.automation import REASON, ROLL_OVER_OVERDUE, daily_roll_over, new_data
from orchestration.defs.ingest.excuses import DATA_VERSION, EXCUSES
from orchestration.resources import Platform
from tests.conftest import MADE


@pytest.fixture(autouse=True)
def _one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick of these tests looks once."""
    monkeypatch.setattr(automation, "WATCH_SECONDS", 0.0)


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> tuple[dg.RunRequest | dg.SkipReason, str | None]:
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"platform": Platform()})
    answer = new_data(context)
    assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
    return answer, context.cursor


def add_session(database: Database) -> None:
    tutor, student, session = uuid4(), uuid4(), uuid4()
    with database.connect() as connection:
        connection.execute("insert into raw.tutors (tutor_id) values (%s)", [tutor])
        connection.execute("insert into raw.students (student_id) values (%s)", [student])
        connection.execute(
            "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status) "
            "values (%s, %s, %s, now() - interval '1 day', 'completed')",
            [session, tutor, student],
        )


def score(settings: Settings, database: Database, **options: list[str]) -> None:
    """As a run does, without the tests of the data."""
    dbt_runner.build(settings, database, exclude=["resource_type:test"], **options)


def land(settings: Settings, name: str, text: str, *, age_seconds: float = 10) -> None:
    path = settings.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    moment = time.time() - age_seconds
    os.utime(path, (moment, moment))


@pytest.mark.usefixtures("environment")
def test_nothing_to_do_in_an_empty_installation(instance: dg.DagsterInstance) -> None:
    answer, _ = tick(instance)
    assert isinstance(answer, dg.SkipReason)


def take(settings: Settings, database: Database) -> list[Taken]:
    """What the run does that is asked for."""
    return [
        taken
        for entity in ("tutors", "sessions")
        for taken in take_files(database.as_role(DatabaseRole.INGEST), settings.landing, entity, timezone="UTC")
    ]


def test_a_landing_file_is_loaded_once(instance: dg.DagsterInstance, environment: Settings, database: Database) -> None:
    land(environment, "tutors.csv", "tutor_id\nt1\n")
    answer, cursor = tick(instance)
    assert isinstance(answer, dg.RunRequest)
    assert answer.job_name == "load_and_score"

    # Asked for is not loaded: until it is in the database and moved away, the file is asked for.
    answer, cursor = tick(instance, cursor)
    assert isinstance(answer, dg.RunRequest)
    load_file(database.as_role(DatabaseRole.INGEST), environment.landing / "tutors.csv", timezone="UTC")
    answer, cursor = tick(instance, cursor)
    assert isinstance(answer, dg.RunRequest)
    assert [taken.is_new for taken in take(environment, database)] == [False]
    answer, cursor = tick(instance, cursor)
    assert isinstance(answer, dg.SkipReason)

    land(environment, "tutors.csv", "tutor_id\nt1\nt2\n")
    answer, _ = tick(instance, cursor)
    assert isinstance(answer, dg.RunRequest)


def test_what_cannot_be_moved_is_asked_for_once(
    instance: dg.DagsterInstance, environment: Settings, database: Database
) -> None:
    land(environment, "sessions.csv", "nothing,that,is,known\n")
    land(environment, "tutors.csv", "tutor_id\nt1\n")
    for folder in ("processed", "failed"):
        (environment.landing / folder).write_text("in the way")
    answer, cursor = tick(instance)
    assert isinstance(answer, dg.RunRequest)
    assert all(taken.stays for taken in take(environment, database))
    answer, cursor = tick(instance, cursor)
    assert isinstance(answer, dg.SkipReason)
    assert json.loads(cursor or "{}").keys() == {"sessions.csv", "tutors.csv"}
    assert isinstance(tick(instance)[0], dg.SkipReason), "without a cursor, the database knows"

    land(environment, "sessions.csv", "session_id,tutor_id,student_id,scheduled_time,status\n")
    answer, _ = tick(instance, cursor)
    assert isinstance(answer, dg.RunRequest)


def test_a_file_that_is_being_written_is_left_alone(instance: dg.DagsterInstance, environment: Settings) -> None:
    land(environment, "sessions.csv", "session_id,tutor_id", age_seconds=0)
    answer, _ = tick(instance)
    assert isinstance(answer, dg.SkipReason)


@pytest.mark.usefixtures("environment")
def test_a_changed_row_is_scored(instance: dg.DagsterInstance, database: Database) -> None:
    add_session(database)
    answer, _ = tick(instance)
    assert isinstance(answer, dg.RunRequest)
    assert (answer.job_name, answer.tags[REASON]) == ("score", "rows changed")


@pytest.mark.usefixtures("environment")
def test_a_tick_notices_what_arrives_while_it_lasts(
    instance: dg.DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arrive(_seconds: float) -> None:
        with database.connect() as connection:
            (is_there,) = connection.execute("select exists (select from raw.sessions)").fetchone() or (False,)
        if not is_there:
            add_session(database)

    monkeypatch.setattr(automation, "WATCH_SECONDS", 600.0)
    monkeypatch.setattr("orchestration.defs.automation.time.sleep", arrive)
    answer, _ = tick(instance)
    assert isinstance(answer, dg.RunRequest)


@pytest.mark.usefixtures("environment")
def test_one_run_at_a_time(instance: dg.DagsterInstance, database: Database) -> None:
    add_session(database)
    instance.create_run_for_job(_nothing.to_job(name="score"), status=dg.DagsterRunStatus.STARTED)
    answer, _ = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert "in progress" in (answer.skip_message or "")


@pytest.mark.usefixtures("environment")
def test_failures_slow_the_asking_down(instance: dg.DagsterInstance, database: Database) -> None:
    add_session(database)
    failing = _failing.to_job(name="score")
    failing.execute_in_process(instance=instance, raise_on_error=False)
    answer, _ = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert "failed" in (answer.skip_message or "")


@pytest.mark.template(MADE)
def test_a_new_day_another_version_and_changed_settings_are_noticed(
    instance: dg.DagsterInstance, environment: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_session(database)
    score(environment, database)
    assert isinstance(tick(instance)[0], dg.SkipReason)

    with database.connect() as connection:
        connection.execute("update marts.publication set as_of = as_of - 1")
    answer, _ = tick(instance)
    if Platform().now().time() > ROLL_OVER_OVERDUE:
        assert isinstance(answer, dg.RunRequest)
        assert answer.job_name == "roll_over"
        assert answer.tags["dagster/asset_partition_range_end"] == (date.today() - timedelta(days=1)).isoformat()
    else:
        assert isinstance(answer, dg.SkipReason)

    with database.connect() as connection:
        connection.execute("update marts.publication set as_of = as_of + 1, models_version = 'of a version before'")
    answer, _ = tick(instance)
    assert isinstance(answer, dg.RunRequest)
    assert (answer.job_name, answer.tags[REASON]) == ("roll_over", "models changed")

    score(environment, database)
    assert isinstance(tick(instance)[0], dg.SkipReason)
    monkeypatch.setenv("TUTORQ_RISK_THRESHOLD", "0.2")
    answer, _ = tick(instance)
    assert isinstance(answer, dg.RunRequest)
    assert answer.tags[REASON] == "settings changed"


@pytest.mark.template(MADE)
def test_a_run_that_died_before_publishing_is_made_up_for(
    instance: dg.DagsterInstance, environment: Settings, database: Database
) -> None:
    add_session(database)
    score(environment, database)
    add_session(database)
    score(environment, database, select=["int_session_facts"])
    with database.connect() as connection:
        assert connection.execute("select count(*) from raw.changes where entity = 'session'").fetchone() == (0,)
    answer, _ = tick(instance)
    assert isinstance(answer, dg.RunRequest)

    score(environment, database)
    assert isinstance(tick(instance)[0], dg.SkipReason)


@pytest.mark.usefixtures("environment")
def test_midnight_records_yesterday() -> None:
    schedule = daily_roll_over("UTC")
    assert isinstance(schedule, dg.ScheduleDefinition)
    answer = schedule(dg.build_schedule_context(), platform=Platform())
    assert isinstance(answer, dg.RunRequest)
    yesterday = (date.today() - timedelta(days=1)).isoformat()
    assert answer.tags["dagster/asset_partition_range_start"] == yesterday
    assert answer.tags["dagster/asset_partition_range_end"] == yesterday


@pytest.mark.usefixtures("environment")
def test_an_excuse_shows_in_the_graph_with_the_run_that_takes_it(
    instance: dg.DagsterInstance, database: Database
) -> None:
    def versions() -> list[str]:
        found = instance.fetch_observations(EXCUSES, limit=10).records
        return [str(each.asset_observation.tags[DATA_VERSION])[:6] for each in found if each.asset_observation]

    add_session(database)
    assert isinstance(tick(instance)[0], dg.RunRequest)
    assert isinstance(tick(instance)[0], dg.RunRequest)
    assert versions() == ["none"], "once, while nothing changes"
    with database.connect() as connection:
        connection.execute("insert into app.excuses (session_id, reason, created_by) "
                           "select session_id, 'ill', 'test' from raw.sessions")  # fmt: skip
    assert isinstance(tick(instance)[0], dg.RunRequest)
    with database.connect() as connection:
        connection.execute("delete from app.excuses")
    assert isinstance(tick(instance)[0], dg.RunRequest)
    assert versions() == ["none", "1 rows", "none"]


@pytest.mark.usefixtures("environment")
def test_what_only_matching_needs_holds_up_no_scores(instance: dg.DagsterInstance, database: Database) -> None:
    add_session(database)
    for key, waits in ((["ml", "session_predictions"], False), (["marts", "tutor_scores"], True)):
        instance.create_run_for_job(
            load_definitions().resolve_implicit_global_asset_job_def(),
            status=dg.DagsterRunStatus.STARTED,
            asset_selection=frozenset([dg.AssetKey(key)]),
        )
        assert isinstance(tick(instance)[0], dg.SkipReason) == waits


@dg.op
def _nothing_op() -> None: ...


@dg.op
def _failing_op() -> None:
    raise RuntimeError("meant to fail")


@dg.graph
def _nothing() -> None:
    _nothing_op()


@dg.graph
def _failing() -> None:
    _failing_op()
