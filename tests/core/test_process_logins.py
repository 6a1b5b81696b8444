"""`tutorq db migrate --logins`, on a server that an administrator prepared by exactly the SQL of docs/operations.md."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.process_logins import migrate_with_logins
from core.settings import Settings
from tests.servers import PASSWORD, Server, documented_server, documented_sql

LOGINS = {DatabaseRole.INGEST: "ingest", DatabaseRole.TRANSFORM: "transform", DatabaseRole.API: "api"}
MADE = "select rolname::text from pg_roles where rolname in ('ingest', 'transform', 'api', 'dagster') order by 1"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with documented_server(tmp_path_factory.mktemp("prepared")) as server:
        yield server


@pytest.fixture
def server(prepared: Server) -> Iterator[Server]:
    """As the administrator left it."""
    yield prepared
    roles = [*LOGINS.values(), "dagster", "tutorq", *DatabaseRole, "tutorq_analyst", "tutorq_analyst_names"]
    prepared.as_superuser(
        "drop database if exists tutorq with (force)",
        "drop database if exists dagster with (force)",
        *(f"drop role if exists {role}" for role in roles),
        *documented_sql("External Postgres"),
    )


def settings_for(server: Server, home: Path, **changes: str) -> Settings:
    """What the docs tell the operator to set, for the migration only."""
    urls = {role.setting: server.url(f"{login}:{login}-word", "tutorq") for role, login in LOGINS.items()}
    return Settings(
        home=home,
        **{
            "database_url": server.owner,
            "dagster_database_url": server.url("dagster:dagster-word", "dagster"),
            **urls,
            **changes,
        },
    )


def made(server: Server) -> list[str]:
    with psycopg.connect(server.url("postgres", "postgres")) as connection:
        return [name for (name,) in connection.execute(MADE)]


@pytest.mark.slow
def test_the_documented_sql_is_all_it_takes(server: Server, tmp_path: Path) -> None:
    settings = settings_for(server, tmp_path)
    for _ in range(2):
        assert migrate_with_logins(Database(settings)) == ["api", "dagster", "ingest", "transform"]

    for role, login in LOGINS.items():
        with Database(settings, role).connect() as connection:
            who = connection.execute("select current_user::text, session_user::text").fetchone()
            assert who == (role, login)
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute("set role tutorq")
    with psycopg.connect(server.url("dagster:dagster-word", "dagster")) as connection:
        connection.execute("create table runs (id bigserial)")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url("api:another", "tutorq"))


@pytest.mark.slow
def test_the_owner_s_password_may_be_beside_its_url(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on AWS, where RDS keeps that password and changes it at times (deploy/aws/stacks/migration.py)."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    settings = settings_for(server, tmp_path, database_url=server.url("tutorq", "tutorq"))
    assert migrate_with_logins(Database(settings)) == ["api", "dagster", "ingest", "transform"]
    monkeypatch.setenv("PGPASSWORD", "another")
    with pytest.raises(TutorqError):
        migrate_with_logins(Database(settings))


@pytest.mark.slow
def test_what_dagster_has_made_as_the_owner_goes_to_its_login(server: Server, tmp_path: Path) -> None:
    with psycopg.connect(server.owner.replace("/tutorq?", "/dagster?")) as connection:
        connection.execute("create table runs (id bigserial)")
    migrate_with_logins(Database(settings_for(server, tmp_path)))
    with psycopg.connect(server.url("dagster:dagster-word", "dagster")) as connection:
        connection.execute("insert into runs default values")
        connection.execute("alter table runs add column status text")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "problem"),
    [
        ("alter role tutorq nocreaterole", "administrator run: alter role tutorq createrole"),
        (
            "drop database dagster",
            "administrator run: create database dagster owner tutorq encoding 'UTF8' template template0",
        ),
        (
            # What the docs give an owner without CREATEROLE.
            "alter role tutorq nocreaterole; create role tutorq_ingest; create role tutorq_transform; "
            "create role tutorq_api; create role tutorq_analyst; create role tutorq_analyst_names; "
            "grant tutorq_ingest, tutorq_transform, tutorq_api to tutorq",
            "administrator run: alter role tutorq createrole; grant tutorq_api to tutorq with admin option; "
            "grant tutorq_ingest to tutorq with admin option; grant tutorq_transform to tutorq with admin option;",
        ),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_made(
    server: Server, tmp_path: Path, before: str, problem: str
) -> None:
    server.as_superuser(before)
    with pytest.raises(TutorqError, match=problem):
        migrate_with_logins(Database(settings_for(server, tmp_path)))
    assert made(server) == []
    # What the message says is all that it takes.
    server.as_superuser(problem.partition("run: ")[2])
    assert len(migrate_with_logins(Database(settings_for(server, tmp_path)))) == 4


@pytest.mark.slow
def test_it_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    """A table of somebody else in Dagster's database is beyond the owner; what was made before stays, and serves."""
    server.as_superuser("create table runs ()", database="dagster")
    with pytest.raises(TutorqError, match="running this again goes on from there"):
        migrate_with_logins(Database(settings_for(server, tmp_path)))
    server.as_superuser("drop table runs", database="dagster")
    assert len(migrate_with_logins(Database(settings_for(server, tmp_path)))) == 4


@pytest.mark.slow
def test_logins_of_an_administrator_are_used_as_they_are(server: Server, tmp_path: Path) -> None:
    server.as_superuser("create role api login password 'api-word'", "create role dagster login password 'other'")
    with pytest.raises(TutorqError, match="login of TUTORQ_DAGSTER_DATABASE_URL is refused") as raised:
        migrate_with_logins(Database(settings_for(server, tmp_path)))
    assert "dagster-word" not in str(raised.value)
    server.as_superuser("alter role dagster password 'dagster-word'")
    assert len(migrate_with_logins(Database(settings_for(server, tmp_path)))) == 4


@pytest.mark.slow
def test_memberships_that_only_an_administrator_can_give_are_named(server: Server, tmp_path: Path) -> None:
    """Logins and roles are an administrator's; the owner may neither make nor grant them."""
    server.as_superuser(
        "alter role tutorq nocreaterole",
        *(f"create role {role}" for role in (*DatabaseRole, "tutorq_analyst", "tutorq_analyst_names")),
        *(f"grant {role} to tutorq" for role in DatabaseRole),
        *(f"create role {login} login password '{login}-word'" for login in (*LOGINS.values(), "dagster")),
        "grant tutorq_api to api",
    )
    database = Database(settings_for(server, tmp_path))
    with pytest.raises(TutorqError) as raised:
        migrate_with_logins(database)
    statements = "grant tutorq_ingest to ingest; grant tutorq_transform to transform;"
    assert str(raised.value).endswith(f"nothing was changed; let an administrator run: {statements}")
    server.as_superuser(statements)
    assert len(migrate_with_logins(database)) == 4
