"""Analysts get in by TCP, with a password, and read `analytics`; nobody else does, and without the setting nobody."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from cli.app import app
from core import postgres_urls
from core.analysts import make_analyst, remove_analyst
from core.database import Database
from core.embedded import EmbeddedPostgres
from core.errors import TutorqError
from core.migrate import migrate
from core.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An embedded server of its own: its roles are those of no other test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # A blank, as people have in names of folders.
    database = Database(Settings(home=tmp_path_factory.mktemp("listening") / "a home", embedded_port=port))
    migrate(database)
    with database.connect() as connection:
        connection.execute("create view analytics.facts as select 42 as answer")
        connection.execute("grant select on analytics.facts to tutorq_analyst")
    yield database
    database.release()


@pytest.fixture
def said(listening: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings = listening._settings
    monkeypatch.setenv("TUTORQ_HOME", str(settings.home))
    monkeypatch.setenv("TUTORQ_EMBEDDED_PORT", str(settings.embedded_port))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments])
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    return run


def ask(url: str, statement: str, **changes: str) -> Any:
    with psycopg.connect(make_conninfo(url, **changes)) as connection:
        return connection.execute(statement.encode()).fetchone()


def test_an_analyst_gets_in_by_tcp_and_reads_analytics(listening: Database, said: Any) -> None:
    url = said("db", "analyst", "ada")
    place = conninfo_to_dict(url)
    assert (place["host"], place["port"]) == ("127.0.0.1", str(listening._settings.embedded_port))
    assert ask(url, "select answer, current_user::text, inet_server_addr()::text from facts") == (
        42, "ada", "127.0.0.1/32",
    )  # fmt: skip
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(url, "select * from raw.sessions")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(url, "create table analytics.mine (id integer)")


def test_nobody_else_gets_in_by_tcp(said: Any) -> None:
    url = said("db", "analyst", "bea")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(url, "select 1", password="guessed")
    for changes in ({"user": "postgres"}, {"dbname": "postgres"}, {"dbname": "dagster"}):
        with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
            ask(url, "select 1", **changes)


def test_processes_of_ours_come_by_the_socket(listening: Database) -> None:
    """Each by its own driver: dbt and psql by variables, the API by asyncpg, Dagster by psycopg 2."""

    async def connected() -> object:
        connection = await asyncpg.connect(**postgres_urls.for_asyncpg(listening.url)[0])
        try:
            return await connection.fetchval("select inet_server_addr()")
        finally:
            await connection.close()

    assert asyncio.run(connected()) is None
    listening.ensure_databases()
    with create_engine(listening.dagster_url).connect() as connection:
        assert connection.scalar(text("select inet_server_addr()")) is None
    given = listening.libpq_environment()
    assert given["PGHOST"].startswith("/")
    assert given["PGPORT"] == str(listening._settings.embedded_port)


def test_a_new_password_ends_the_old_one(said: Any) -> None:
    old, new = said("db", "analyst", "carl"), said("db", "analyst", "carl")
    assert ask(new, "select 1") == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(old, "select 1")
    assert said("db", "analyst", "carl", "--remove") == "The login carl is removed."
    with pytest.raises(psycopg.OperationalError):
        ask(new, "select 1")


def test_names_are_given_and_taken(listening: Database) -> None:
    asked = "select pg_has_role('dora', 'tutorq_analyst_names', 'usage')"
    for names in (True, False):
        with listening.connect() as connection:
            make_analyst(connection, "dora", names=names)
            assert connection.execute(asked).fetchone() == (names,)


def test_the_log_tells_who_was_made(listening: Database) -> None:
    with listening.connect() as connection:
        password = make_analyst(connection, "emil", names=True)
        remove_analyst(connection, "emil")
        entries = connection.execute(
            "select action, details::text from app.audit_log where subject_id = 'emil' order by entry_id"
        ).fetchall()
    assert entries == [("analyst.add", '{"names": true}'), ("analyst.remove", "{}")]
    assert password not in str(entries)


def test_other_roles_keep_their_password(listening: Database) -> None:
    for login in ("postgres", "tutorq_api"):
        with listening.connect() as connection, pytest.raises(TutorqError, match="is no analyst; choose another name"):
            make_analyst(connection, login, names=False)
    with listening.connect() as connection, pytest.raises(TutorqError, match="is no login: use small letters"):
        make_analyst(connection, "Ada; drop", names=False)
    with listening.connect() as connection, pytest.raises(TutorqError, match="there is no analyst nobody"):
        remove_analyst(connection, "nobody")


def test_a_shell_can_have_the_rights_of_an_analyst(said: Any, capfd: pytest.CaptureFixture[str]) -> None:
    said("db", "shell", "--role", "analyst", "-tAc", "select answer, current_user from facts")
    assert capfd.readouterr().out == "42|tutorq_analyst\n"


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TutorqError, match=rf"TUTORQ_EMBEDDED_PORT: 127\.0\.0\.1:{port} cannot be listened on"):
            EmbeddedPostgres(tmp_path / "home", port).start()


def test_without_a_port_nothing_listens(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "home")
    server.start()
    try:
        postmaster = server._postmaster()
        assert isinstance(postmaster, psutil.Process)
        assert postmaster.net_connections(kind="tcp") == []
        assert server.tcp_port is None
    finally:
        server.release()
