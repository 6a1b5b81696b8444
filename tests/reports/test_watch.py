"""A silent daemon is told of by somebody else, mail and all."""

import sys
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import supervisor as processes
from cli import up
from cli.app import app
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import Settings
from reports import watch
from reports.troubles import Condition, service_ended


@pytest.fixture
def heartbeat(database: Database, environment: Settings) -> Callable[[int], None]:
    """Sets how many seconds ago the daemon was heard of."""
    database.ensure_databases()
    dagster = Database(Settings(home=environment.home, database_url=database.dagster_url))
    with dagster.connect() as connection:
        connection.execute('create table daemon_heartbeats ("timestamp" timestamp)')

    def beat(seconds_ago: int) -> None:
        with dagster.connect() as connection:
            connection.execute("delete from daemon_heartbeats")
            connection.execute(
                "insert into daemon_heartbeats values (now() at time zone 'utc' - make_interval(secs => %s))",
                [seconds_ago],
            )

    return beat


def subjects(settings: Settings) -> list[str]:
    return [
        message_from_bytes(path.read_bytes(), policy=policy.default)["Subject"]
        for path in sorted(settings.outbox_dir.glob("*.eml"))
    ]


def looks(settings: Settings, database: Database, *steps: Callable[[], None]) -> None:
    """Keep watch for as many looks as there are steps, each of which happens before its look."""
    left = list(steps)

    def is_over(seconds: float) -> bool:
        assert seconds == watch.LOOK_EVERY_SECONDS
        if left:
            left.pop(0)()
            return False
        return True

    watch.keep_watch(settings, database.as_role(DatabaseRole.TRANSFORM), is_over)


def test_a_silent_daemon_is_mailed_once_by_the_watch_itself(
    database: Database, environment: Settings, heartbeat: Callable[[int], None]
) -> None:
    dead, alive = (lambda: heartbeat(150)), (lambda: heartbeat(10))
    looks(environment, database, alive, dead, alive, dead)
    assert subjects(environment) == [], "never twice in a row"
    looks(environment, database, dead, dead, dead, dead)
    assert subjects(environment) == ["tutorq: the Dagster daemon is silent"]


def test_how_long_is_a_setting(database: Database, environment: Settings, heartbeat: Callable[[int], None]) -> None:
    patient = environment.model_copy(update={"daemon_silent_seconds": 300})
    looks(patient, database, *[lambda: heartbeat(150)] * 3)
    assert subjects(environment) == []
    looks(patient, database, *[lambda: heartbeat(310)] * 3)
    assert len(subjects(environment)) == 1


def test_a_database_that_is_away_for_a_while_does_not_end_the_watch(
    database: Database, environment: Settings, heartbeat: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    away = [True, False, False, False]
    look = watch.silence

    def silence(settings: Settings, database: Database) -> list[Condition]:
        if away.pop(0):
            raise OSError("gone")
        return look(settings, database)

    monkeypatch.setattr(watch, "silence", silence)
    looks(environment, database, *[lambda: heartbeat(150)] * 4)
    assert len(subjects(environment)) == 1


def test_once_for_cron(environment: Settings, heartbeat: Callable[[int], None]) -> None:
    heartbeat(10)
    assert CliRunner().invoke(app, ["watch", "--once"]).exit_code == 0
    heartbeat(150)
    told = CliRunner().invoke(app, ["watch", "--once"])
    assert told.exit_code == 1
    assert "the Dagster daemon is silent" in told.output
    assert subjects(environment) == ["tutorq: the Dagster daemon is silent"]


def test_a_service_that_ends_under_up_is_mailed(environment: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def bring_up(
        settings: Settings, database: Database, supervisor: processes.Supervisor, *rest: object, **others: object
    ) -> None:
        supervisor.start("dagster-daemon")

    short_lived = processes.Service("dagster-daemon", [sys.executable, "-c", "import time; time.sleep(0.5)"])
    monkeypatch.setattr(processes, "services", lambda *_: [short_lived])
    monkeypatch.setattr(up, "_bring_up", bring_up)
    settings = environment.model_copy(update={"api_port": processes.free_port(), "dagster_port": processes.free_port()})
    with pytest.raises(TutorqError, match="dagster-daemon ended unexpectedly"):
        up.run(settings, demo=False, console=Console(quiet=True))
    assert subjects(environment) == ["tutorq: dagster-daemon ended, and tutorq stopped all services"]


def test_what_cannot_be_told_hides_nothing(environment: Settings, tmp_path: Path) -> None:
    nowhere = Database(Settings(home=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    watch.tell_anyhow(environment, nowhere, service_ended("api", "api.log"))
