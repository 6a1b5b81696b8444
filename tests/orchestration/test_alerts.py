"""What the graph shows becomes mail, once while it lasts: checks of severity ERROR, stale tables, data that stay away,
and files that failed as a whole."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from cli.doctor.examine import examine
from core.database import Database, DatabaseRole
from core.settings import Settings
from ingest import take_files
from orchestration.definitions import defs as load_definitions
from orchestration.defs.ingest import arrivals
from orchestration.defs.ingest.arrivals import ARRIVALS
from orchestration.defs.reports.alerts import troubles
from orchestration.resources import Platform
from tests.reports.test_alerts import alerts, let_pass

RECONCILED = ("raw/sessions", "read_equals_accepted_plus_quarantined")


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return load_definitions().get_repository_def()  # type: ignore[return-value]


@pytest.fixture
def tick(
    instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, environment: Settings, database: Database
) -> Any:
    """A minute passes, and the sensor looks; returns the names of all alerts so far."""
    del environment

    def look(minutes: int = 1) -> list[str]:
        let_pass(database, timedelta(minutes=minutes))
        troubles(
            dg.build_sensor_context(instance=instance, repository_def=repository, resources={"platform": Platform()})
        )
        return alerts(database)

    return look


def check(instance: dg.DagsterInstance, asset: str, name: str, *, passed: bool, is_error: bool = True) -> None:
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(asset.split("/")),
            check_name=name,
            passed=passed,
            severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
            metadata={},
        )
    )


def freshness_is(instance: dg.DagsterInstance, key: dg.AssetKey, state: FreshnessState) -> None:
    """As the daemon notes it."""
    instance._report_runless_asset_event(
        FreshnessStateChange(
            key=key,
            new_state=state,
            previous_state=FreshnessState.UNKNOWN,
            state_change_timestamp=datetime.now(UTC).timestamp(),
        )
    )


def wrong() -> list[str]:
    return [f"{each.what}: {each.found}" for each in examine() if not each.ok and each.what.startswith("trouble")]


def test_a_check_of_severity_error_is_told_until_it_holds(tick: Any, instance: dg.DagsterInstance) -> None:
    check(instance, *RECONCILED, passed=False)
    check(instance, "raw/sessions", "quarantine_is_small", passed=False, is_error=False)
    check(instance, "raw/sessions", "a_check_that_is_no_more", passed=False)
    name = f"check_failed:{RECONCILED[0]}:{RECONCILED[1]}"
    assert tick() == [], "one look may be a coincidence"
    for _ in range(3):
        assert tick(5) == [name]
    (line,) = wrong()
    assert line.startswith(f"trouble: the check {RECONCILED[1]} of raw/sessions failed, since ")

    check(instance, *RECONCILED, passed=True)
    tick()
    check(instance, *RECONCILED, passed=False)
    assert tick() == [name], "away for a moment only"
    check(instance, *RECONCILED, passed=True)
    assert tick(11) == [name]
    assert wrong() == []
    check(instance, *RECONCILED, passed=False)
    tick()
    assert tick() == [name, name]


def test_many_checks_that_fail_are_a_few_mails(
    tick: Any, instance: dg.DagsterInstance, repository: dg.RepositoryDefinition
) -> None:
    keys = sorted(repository.asset_graph.asset_check_keys)[:20]
    for key in keys:
        check(instance, key.asset_key.to_user_string(), key.name, passed=False)
    tick()
    assert len(tick()) == 6
    assert "check_failed:more" in tick()


def test_stale_tables_are_one_alert_and_silent_data_another(tick: Any, instance: dg.DagsterInstance) -> None:
    for name in ("tutor_scores", "publication"):
        freshness_is(instance, dg.AssetKey(["marts", name]), FreshnessState.FAIL)
    freshness_is(instance, dg.AssetKey(["marts", "dim_tutors"]), FreshnessState.WARN)
    freshness_is(instance, dg.AssetKey(["marts", "gone"]), FreshnessState.FAIL)
    freshness_is(instance, ARRIVALS, FreshnessState.FAIL)
    tick()
    assert sorted(tick()) == ["no_new_data", "tables_stale"]
    assert any("2 tables are out of date" in line for line in wrong())
    for name in ("tutor_scores", "publication"):
        freshness_is(instance, dg.AssetKey(["marts", name]), FreshnessState.PASS)
    tick(11)
    assert not any("older" in line for line in wrong())


def add_session(database: Database, arrived: str) -> None:
    with database.connect() as connection:
        connection.execute("insert into raw.tutors (tutor_id) values (md5('t')::uuid) on conflict do nothing")
        connection.execute("insert into raw.students (student_id) values (md5('s')::uuid) on conflict do nothing")
        connection.execute(
            "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, loaded_at) "
            "values (gen_random_uuid(), md5('t')::uuid, md5('s')::uuid, now(), 'completed', now() - %s::interval)",
            [arrived],
        )


def test_arrivals_are_noted_whoever_brings_them(
    tick: Any, instance: dg.DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noted() -> int:
        return len(instance.fetch_materializations(ARRIVALS, limit=10).records)

    tick()
    assert noted() == 0
    add_session(database, "2 hours")
    tick()
    add_session(database, "1 hour")
    tick()
    assert noted() == 1, "at most once an hour"
    monkeypatch.setattr(arrivals, "NOTED_EVERY", timedelta(0))
    tick()
    assert noted() == 2
    tick()
    assert noted() == 2, "nothing has come since"
    with database.connect() as connection:
        connection.execute("delete from raw.sessions where loaded_at > now() - interval '90 minutes'")
    tick()
    assert noted() == 2, "what is older than the last note is no arrival"


def test_doctor_says_when_the_newest_session_came(
    environment: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line() -> tuple[bool, str]:
        (found,) = [each for each in examine() if each.what == "newest sessions"]
        return found.ok, found.found

    assert line() == (True, "none yet")
    add_session(database, "30 hours")
    assert line() == (False, "arrived 1 day ago, by file or post")
    monkeypatch.setenv("TUTORQ_SILENT_DATA_HOURS", "48")
    assert line()[0]
    monkeypatch.delenv("TUTORQ_SILENT_DATA_HOURS")
    monkeypatch.setenv("TUTORQ_AS_OF", "latest")
    assert line() == (True, "historic data")
    monkeypatch.delenv("TUTORQ_AS_OF")
    add_session(database, "1 hour")
    assert line() == (True, "arrived 1 hour ago")


def drop(landing: Path, name: str, text: str) -> None:
    landing.mkdir(exist_ok=True)
    (landing / name).write_text(text)
    moment = time.time() - 60
    os.utime(landing / name, (moment, moment))


def test_each_file_that_failed_as_a_whole_is_told(tick: Any, environment: Settings, database: Database) -> None:
    def load(name: str, text: str) -> None:
        drop(environment.landing, name, text)
        take_files(database.as_role(DatabaseRole.INGEST), environment.landing, "sessions", timezone="UTC")

    header = "session_id,tutor_id,student_id,scheduled_time,status\n"
    with database.connect() as connection:
        connection.execute("insert into app.report_switches values ('alert', now() - interval '1 hour')")
    load("sessions.csv", "session_id\nx\n")
    assert [name[:20] for name in tick()] == ["file_failed:sessions"], "at once"
    load("sessions.csv", header + "s1,t1,u1,never,completed\n")
    told = tick()
    assert len(told) == len(set(told)) == 2, "the second file, of which every row was refused"
    assert len(tick()) == 2
    with database.connect() as connection:
        texts = connection.execute("select subject, payload ->> 'detail' from app.email_reports").fetchall()
    assert all("sessions.csv" in subject for subject, _ in texts)
    assert any("none of its 1 rows could be taken" in detail for _, detail in texts)
    assert wrong() == ["trouble: the file sessions.csv could not be loaded"] * 2
    load("sessions.hotel.csv", header + "s1,t1,u1,2026-03-01T10:00:00Z,completed\n")
    assert len(wrong()) == 2, "a file of another name"
    load("sessions.csv", header + "s1,t1,u1,2026-03-01T10:00:00Z,completed\ns2,t1,u1,never,completed\n")
    assert wrong() == [], "mended, of which one row was taken"
    assert len(tick()) == 2
    for number in range(8):
        load(f"sessions.{number}.csv", f"session_id\n{number}\n")
    assert len(tick()) == 8, "many files are a few mails"
