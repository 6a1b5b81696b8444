"""Troubles are told once while they last."""

from datetime import timedelta

import pytest

from cli.doctor.server import dagster as dagster_of_doctor
from core.database import Database, DatabaseRole
from core.settings import Settings
from reports.conditions import lasting, observe, report, services_run_again
from reports.troubles import Condition, dead_daemon, run_failed, service_ended
from tests.conftest import Postgres

SETTINGS = Settings(staff_emails=["ops@example.org"])
FAILED = run_failed("score", "0123456789", "http://localhost:3000")


def alerts(database: Database) -> list[str]:
    with database.connect() as connection:
        rows = connection.execute(
            "select payload ->> 'condition' from app.email_reports order by created_at"
        ).fetchall()
    return [name for (name,) in rows]


def let_pass(database: Database, time: timedelta) -> None:
    with database.connect() as connection:
        connection.execute(
            "update app.alert_conditions "
            "set first_seen_at = first_seen_at - %(t)s, last_seen_at = last_seen_at - %(t)s",
            {"t": time},
        )


def execute(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement)


OLD_CHANGE = "insert into raw.changes values ('session', gen_random_uuid(), now() - interval '16 minutes')"
PUBLISHED = "create schema if not exists marts; create table if not exists marts.publication (generation int)"
OLD_MAIL = """
insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, created_at, next_attempt_at)
values ('risk_alert', 't', 't:x', 'x', 's', '{}', now() - interval '16 minutes', now() + %s * interval '1 minute')
"""
REFUSED_ROWS = """
insert into raw.quarantine (entity, source, line, reason, content)
select 'sessions', 'f', i, 'r', 'c' from generate_series(1, 20) as i
"""


def test_a_service_that_ended_is_over_with_the_next_start_and_a_loop_of_them_is_one_mail(database: Database) -> None:
    def names() -> list[str]:
        with database.connect() as connection:
            return [name for name, *_ in lasting(connection)]

    ended = service_ended("code-location", "code-location.log")
    for _ in range(2):
        report(SETTINGS, database, FAILED)
        report(SETTINGS, database, ended)
        assert sorted(names()) == [FAILED.name, ended.name]
        services_run_again(database.as_role(DatabaseRole.TRANSFORM))
        assert names() == [FAILED.name]
    assert sorted(alerts(database)) == [FAILED.name, ended.name]


@pytest.mark.parametrize(
    ("trouble", "statements", "cure"),
    [
        ("unprocessed_changes", [PUBLISHED, OLD_CHANGE], "delete from raw.changes"),
        ("outbox_stuck", [OLD_MAIL.replace("%s", "-16")], "delete from app.email_reports where topic = 't'"),
        (
            "outbox_stuck",
            [OLD_MAIL.replace("%s", "60"), "update app.email_reports set attempts = 3"],
            "delete from app.email_reports where topic = 't'",
        ),
        (
            "quarantine_growing",
            [
                "insert into app.report_switches values ('alert', now() - interval '1 day') on conflict do nothing",
                REFUSED_ROWS,
            ],
            "delete from raw.quarantine",
        ),
    ],
)
def test_a_trouble_is_told_once_while_it_lasts_and_again_when_it_returns(
    database: Database, trouble: str, statements: list[str], cure: str
) -> None:
    def told() -> int:
        return alerts(database).count(trouble)

    execute(database, *statements)
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    assert told() == 0, "one look may be a coincidence"
    let_pass(database, timedelta(minutes=1))
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    assert told() == 1
    for _ in range(3):
        let_pass(database, timedelta(minutes=5))
        observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    assert told() == 1

    execute(database, cure)
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    execute(database, *statements)
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    assert told() == 1, "away for a moment only"

    execute(database, cure)
    let_pass(database, timedelta(minutes=11))
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    execute(database, *statements)
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    let_pass(database, timedelta(minutes=1))
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    assert told() == 2


def test_healthy_is_silent(database: Database) -> None:
    execute(database, PUBLISHED, "insert into raw.changes values ('session', gen_random_uuid())", REFUSED_ROWS)
    for _ in range(2):
        assert observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM)) == 0
        let_pass(database, timedelta(minutes=2))
    assert alerts(database) == []


def test_before_the_first_publication_changes_may_be_old(database: Database) -> None:
    execute(database, OLD_CHANGE)
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    let_pass(database, timedelta(minutes=2))
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))
    assert alerts(database) == []


def test_a_failed_job_is_told_at_once_and_once_until_it_has_succeeded(database: Database) -> None:
    assert report(SETTINGS, database, FAILED) == 1
    assert report(SETTINGS, database, FAILED) == 0
    assert observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM), [FAILED]) == 0
    let_pass(database, timedelta(minutes=11))
    observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM), [])
    assert report(SETTINGS, database, FAILED) == 1


def test_alerts_about_two_jobs_are_two(database: Database) -> None:
    other = Condition(**{name: getattr(FAILED, name) for name in FAILED.__slots__} | {"name": "run_failed:roll_over"})
    assert observe(SETTINGS, database.as_role(DatabaseRole.TRANSFORM), [FAILED, other]) == 2


def test_a_silent_daemon_is_noticed_from_outside(database: Database) -> None:
    assert dead_daemon(database) == [], "no Dagster here yet"
    database.ensure_databases()
    dagster = Database(Settings(home=database._settings.home, database_url=database.dagster_url))
    execute(dagster, 'create table daemon_heartbeats ("timestamp" timestamp)')
    assert dead_daemon(database) == []
    execute(dagster, "insert into daemon_heartbeats values (now() at time zone 'utc' - interval '1 minute')")
    assert dead_daemon(database) == []
    execute(dagster, """update daemon_heartbeats set "timestamp" = "timestamp" - interval '2 minutes'""")
    (condition,) = dead_daemon(database)
    assert condition.figures == (("last sign of life", "3 minutes ago"),)


def test_a_lost_database_of_dagster_is_noticed_from_outside(database: Database, postgres: Postgres) -> None:
    as_transform = database.as_role(DatabaseRole.TRANSFORM)
    database.ensure_databases()
    assert dead_daemon(as_transform) == [], "it has not been started"
    execute(database, "insert into app.code_location (code_version) values ('1.0.0')")
    name = database.dagster_url.partition("?")[0].rpartition("/")[2]
    for lost in ("its tables", "the database"):
        (condition,) = dead_daemon(as_transform)
        assert (condition.name, condition.title) == ("daemon_dead", "Dagster's database is gone")
        [finding] = dagster_of_doctor(database, timedelta(minutes=2))
        assert (finding.what, finding.ok) == ("Dagster's records", False), lost
        with postgres.server.connect(autocommit=True) as connection:
            connection.execute(f"drop database if exists {name}".encode())
