"""Who a process is in the database: its role, whatever the login; and who owns what it makes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from core.database import Database, DatabaseRole
from core.errors import DatabaseUnreachableError, TutorqError
from core.migrate import migrate
from core.process_logins import migrate_with_logins
from core.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Postgres

pytestmark = pytest.mark.slow

WHO = "select current_user::text, session_user::text"


@pytest.fixture
def owner(postgres: "Postgres", tmp_path: Path) -> Iterator[str]:
    """URL of an empty database, with the login of its owner, who is no superuser and may make roles."""
    with postgres.server.connect(autocommit=True) as connection:
        connection.execute("create role proprietor login createrole")
        connection.execute(
            "grant tutorq_ingest, tutorq_transform, tutorq_api, tutorq_analyst, tutorq_analyst_names to proprietor "
            "with admin option"
        )
        connection.execute("create database estate owner proprietor")
        yield postgres.url("estate").replace("postgres@", "proprietor@")
        connection.execute("drop database estate with (force)")
        connection.execute("drop database if exists estate_dagster with (force)")
        connection.execute("drop owned by proprietor cascade")
        for role in ("loader", "modeller", "server", "watchman", "proprietor"):
            connection.execute(f"drop role if exists {role}".encode())


def test_every_role_is_taken_at_the_start_and_kept(database: Database) -> None:
    for role in DatabaseRole:
        with database.as_role(role).connect() as connection:
            assert connection.execute(WHO).fetchone() == (role, "postgres")
            connection.execute("reset role")
            connection.rollback()
            assert connection.execute(WHO).fetchone() == (role, "postgres")


def test_options_of_the_url_stay(database: Database) -> None:
    url = f"{database.url}&options=-c%20statement_timeout%3D7s%20-c%20work_mem%3D5MB"
    with Database(Settings(database_url=url), DatabaseRole.INGEST).connect() as connection:
        found = connection.execute("select current_setting('statement_timeout'), current_setting('work_mem')")
        assert found.fetchone() == ("7s", "5MB")
        assert connection.execute(WHO).fetchone() == ("tutorq_ingest", "postgres")


def test_an_owner_who_is_no_superuser(owner: str, tmp_path: Path) -> None:
    database = Database(Settings(home=tmp_path, database_url=owner, dagster_database_url=owner))
    migrate(database)
    for role in DatabaseRole:
        with database.as_role(role).connect() as connection:
            assert connection.execute(WHO).fetchone() == (role, "proprietor")
    with database.as_role(DatabaseRole.TRANSFORM).connect() as connection:
        connection.execute("create table marts.made as select 1 as one")
    with database.connect() as connection:
        # Or a backup, which the owner makes, would lack it.
        assert connection.execute("table marts.made").fetchone() == (1,)


def test_an_owner_who_may_not_take_the_roles_is_told_what_to_do(postgres: "Postgres", owner: str) -> None:
    with postgres.server.connect() as connection:
        connection.execute("revoke tutorq_transform from proprietor")
    with pytest.raises(TutorqError, match=r"administrator .* grant tutorq_transform to proprietor"):
        migrate(Database(Settings(database_url=owner, dagster_database_url=owner)))


def test_a_schema_that_is_somebody_elses_is_to_be_renamed(owner: str, tmp_path: Path) -> None:
    with psycopg.connect(owner) as connection:
        connection.execute("create schema analytics")
    database = Database(Settings(home=tmp_path, database_url=owner, dagster_database_url=owner))
    with pytest.raises(TutorqError, match=r'schema "analytics" already exists.* rename it first'):
        migrate(database)
    with psycopg.connect(owner) as connection:
        connection.execute("alter schema analytics rename to reporting")
    migrate(database)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"database_url": "postgresql:///tutorq?host=/nowhere"}, "TUTORQ_DATABASE_URL names no user;"),
        ({"dagster_database_url": "postgresql://h/d"}, "TUTORQ_DAGSTER_DATABASE_URL names no user;"),
        ({"dagster_database_url": "postgresql://watchman@h/d"}, "TUTORQ_DAGSTER_DATABASE_URL names no password"),
        ({"api_database_url": "postgresql://server@h/tutorq"}, "TUTORQ_API_DATABASE_URL names no password"),
    ],
)
def test_what_a_url_lacks_is_named(tmp_path: Path, changes: dict[str, str], problem: str) -> None:
    urls = {"database_url": "postgresql://owner@h/tutorq", "ingest_database_url": "postgresql://loader:secret@h/tutorq"}
    with pytest.raises(TutorqError, match=problem):
        migrate_with_logins(Database(Settings(home=tmp_path, **{**urls, **changes})))


def test_another_port_is_another_server(owner: str, tmp_path: Path) -> None:
    ingest = owner.replace("proprietor@", "loader:secret@")
    dagster = owner.replace("proprietor@", "watchman:secret@") + "&port=1"
    settings = Settings(home=tmp_path, database_url=owner, ingest_database_url=ingest, dagster_database_url=dagster)
    with pytest.raises(DatabaseUnreachableError):
        migrate_with_logins(Database(settings))
    with psycopg.connect(owner) as connection:
        made = connection.execute("select rolname from pg_roles where rolname in ('loader', 'watchman')").fetchall()
    assert made == []


def test_logins_of_their_own(owner: str, tmp_path: Path) -> None:
    logins = {"ingest": "loader", "transform": "modeller", "api": "server"}
    urls = {f"{role}_database_url": owner.replace("proprietor@", f"{name}:secret@") for role, name in logins.items()}
    dagster = owner.replace("proprietor@", "watchman:secret@").replace("/estate?", "/estate_dagster?")
    with psycopg.connect(owner.replace("proprietor@", "postgres@"), autocommit=True) as connection:
        connection.execute("create database estate_dagster owner proprietor")
    for _ in range(2):
        given = Settings(home=tmp_path, database_url=owner, dagster_database_url=dagster, **urls)
        assert migrate_with_logins(Database(given)) == ["loader", "modeller", "server", "watchman"]

    # What the processes are given: no more than this.
    settings = Settings(home=tmp_path, dagster_database_url=dagster, **urls)
    for role, login in zip(DatabaseRole, logins.values(), strict=True):
        database = Database(settings, role)
        assert not database.is_embedded
        with database.connect() as connection:
            assert connection.execute(WHO).fetchone() == (role, login)
            others = {"proprietor", *DatabaseRole} - {role}
            for other in others:
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(f"set role {other}".encode())
    with psycopg.connect(dagster) as connection:
        connection.execute("create table runs ()")
    with pytest.raises(TutorqError, match="TUTORQ_DATABASE_URL"):
        Database(settings).ensure_database()
