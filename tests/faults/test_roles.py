"""A backup comes to a server that knows none of the logins: what works at once, what has to be made, and with whose
password. As docs/operations.md has it."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from backup import make_backup, restore_backup
from core.analysts import make_analyst
from core.database import Database, DatabaseRole
from core.dbt_runner import build
from core.migrate import migrate
from core.process_logins import migrate_with_logins
from core.settings import Settings
from tests.marts import AS_OF, DATA
from tests.servers import Server, documented_server

pytestmark = pytest.mark.soak


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    with documented_server(tmp_path / "first") as first, documented_server(tmp_path / "second") as second:
        yield first, second


def settings_on(server: Server, home: Path, password: str) -> Settings:
    return Settings(
        home=home,
        as_of=AS_OF,
        database_url=server.owner,
        dagster_database_url=server.url(f"dagster:{password}-d", "dagster"),
        **{role.setting: server.url(f"{role[7:]}:{password}-{role[7:]}", "tutorq") for role in DatabaseRole},
    )


def test_logins_are_the_servers_and_rights_are_the_backups(servers: tuple[Server, Server], tmp_path: Path) -> None:
    here, there = servers
    source = settings_on(here, tmp_path / "source", "old")
    database = Database(source)
    migrate_with_logins(database)
    with database.connect() as connection:
        connection.execute(DATA)
    build(source, database.as_role(DatabaseRole.TRANSFORM))
    with database.connect() as connection:
        password = make_analyst(connection, "ann", names=False)
    with psycopg.connect(here.url(f"ann:{password}", "tutorq")) as analyst:
        (scores,) = analyst.execute("select count(*) from tutor_scores").fetchone() or (0,)
    make_backup(source, database, tmp_path / "tutorq.zip")

    target = settings_on(there, tmp_path / "target", "new")
    restored = Database(target)
    migrate(restored, with_dagster=False)
    restore_backup(target.model_copy(update={"dagster_database_url": None}), Database(
        target.model_copy(update={"dagster_database_url": None, **{role.setting: None for role in DatabaseRole}})
    ), tmp_path / "tutorq.zip")  # fmt: skip

    # The owner reads and scores; nobody else gets in, with whichever password.
    with restored.connect() as connection:
        assert connection.execute("select count(*) from marts.tutor_scores").fetchone() == (scores,)
        owners = "select distinct tableowner from pg_tables where schemaname = %s"
        assert connection.execute(owners, ["marts"]).fetchall() == [("tutorq_transform",)]
        assert connection.execute(owners, ["raw"]).fetchall() == [("tutorq",)]
    for login in ("api:old-api", "api:new-api", f"ann:{password}"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(there.url(login, "tutorq"))

    # One command makes the processes' logins, with the passwords of the new settings.
    assert migrate_with_logins(restored) == ["api", "dagster", "ingest", "transform"]
    with restored.as_role(DatabaseRole.API).connect() as connection:
        assert connection.execute("select count(*) from marts.tutor_scores").fetchone() == (scores,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("drop table marts.tutor_scores")
    with restored.as_role(DatabaseRole.INGEST).connect() as connection:
        connection.execute("insert into raw.tutors (tutor_id, name) values (gen_random_uuid(), 'New')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select from marts.tutor_scores")
    with psycopg.connect(there.url("dagster:new-d", "dagster")) as connection:
        connection.execute("create table of_dagster ()")
    build(target, restored.as_role(DatabaseRole.TRANSFORM))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(there.url("api:old-api", "tutorq"))

    # An analyst is made anew, and sees as much as before.
    with restored.connect() as connection:
        renewed = make_analyst(connection, "ann", names=False)
    with psycopg.connect(there.url(f"ann:{renewed}", "tutorq")) as analyst:
        assert (analyst.execute("select count(*) from tutor_scores").fetchone() or (0,)) >= (scores,)
        assert analyst.execute("select count(*) from dim_tutors where name = 'New'").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute("select from raw.sessions")
