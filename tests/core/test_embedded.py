"""An embedded server that cannot start, or must not, says why in one line."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import embedded
from core.database import Database, DatabaseRole
from core.embedded import EmbeddedPostgres
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from tests.conftest import Postgres

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose cluster has been made; whoever damages it mends it."""
    folder = tmp_path_factory.mktemp("embedded") / "home"
    server = EmbeddedPostgres(folder)
    server.start()
    server.release()
    yield folder
    EmbeddedPostgres(folder).stop()


@pytest.fixture
def home(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # What is told at once needs no patience: a test that waits for its end fails.
    monkeypatch.setattr(embedded, "START_TIMEOUT_SECONDS", 3600)
    return made


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("postgresql.conf", "this is no setting\n", "syntax error in file"),
        *(
            pytest.param(*case, marks=pytest.mark.soak)
            for case in (
                ("postgresql.conf", "max_connections = many\n", 'invalid value for parameter "max_connections"'),
                ("PG_VERSION", "9\n", "database files are incompatible with server"),
            )
        ),
    ],
)
def test_what_will_not_pass_is_told_once(
    home: Path, name: str, text: str, words: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    file = home / "postgres" / name
    before = file.read_text()
    file.write_text(before + text if name == "postgresql.conf" else text)
    server = EmbeddedPostgres(home)
    with caplog.at_level(logging.WARNING), pytest.raises(TutorqError) as told:
        server.start()
    message = str(told.value)
    assert message.startswith("the embedded Postgres did not start: ")
    assert words in message
    assert message.endswith(f"; its log is {home / 'postgres' / 'log'}")
    assert "\n" not in message
    assert "".join(capfd.readouterr()) + caplog.text == "", "nobody else prints the log of the server"

    file.write_text(before)
    server.start()
    server.release()


def test_a_killed_server_starts_again(home: Path) -> None:
    """Its processes end a moment later, and until then the new one finds the memory in use."""
    server = EmbeddedPostgres(home)
    server.start()
    postmaster = server._postmaster()
    assert postmaster is not None
    postmaster.kill()
    postmaster.wait()
    server.start()
    assert server.is_running
    server.release()


def test_a_home_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TutorqError, match=rf"cannot use {tmp_path}/file/home: Not a directory"):
        EmbeddedPostgres(tmp_path / "file" / "home").start()


@pytest.mark.parametrize("role", [None, *DatabaseRole])
def test_an_embedded_server_may_be_forbidden(role: DatabaseRole | None, tmp_path: Path) -> None:
    database = Database(Settings(home=tmp_path / "home", embedded="off"), role)
    own = f"TUTORQ_{role.setting.upper()} or " if role else ""
    for use in (lambda: database.url, lambda: database.dagster_url, database.check_settings):
        with pytest.raises(TutorqError, match="TUTORQ_DATABASE_URL, as TUTORQ_EMBEDDED=off keeps it from starting"):
            use()
    with pytest.raises(TutorqError, match=f"this needs {own}TUTORQ_DATABASE_URL"):
        database.check_settings()
    assert not (tmp_path / "home").exists()


def test_elsewhere_the_setting_changes_nothing(postgres: Postgres, tmp_path: Path) -> None:
    given = postgres.new_database(tmp_path)
    with Database(Settings(home=tmp_path, embedded="off", database_url=given.url)).connect() as connection:
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["api"], ["orchestration.code_location", "-p", "1"], ["cli.app", "watch", "--once"]], ids=lambda c: c[0]
)
def test_a_process_without_a_database_ends_with_one_line(command: list[str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT_ROOT,
        env={**os.environ, "TUTORQ_HOME": str(tmp_path / "home"), "TUTORQ_EMBEDDED": "off"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: this needs TUTORQ_")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "home").exists()


def test_the_image_starts_no_server_of_its_own() -> None:
    assert "TUTORQ_EMBEDDED=off" in (PROJECT_ROOT / "deploy" / "Dockerfile").read_text()
