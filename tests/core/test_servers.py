"""Servers of other versions, with other defaults, and those that tutorq cannot use.

The whole way of a row is gone on the oldest server that this machine has, be it the embedded one. That no SQL asks for
a newer one than the oldest is looked up in the sources as well, for machines that have no other server.
"""

import asyncio
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.database import open_pool
from api.sessions.ledger import Ledger, Outcome, Post, Receipt
from api.sessions.live import Refreshed
from core.database import Database, DatabaseRole
from core.dbt_runner import build
from core.errors import TutorqError
from core.migrate import migrate
from core.postgres_urls import parse, render
from core.server import OLDEST, server_problem
from core.settings import PROJECT_ROOT, Settings
from ingest import load_folder
from ingest.landing_directory import take_files
from ingest.rows import Row, check
from verify import verify

if TYPE_CHECKING:
    from tests.conftest import Postgres

NEWEST = 18
OWNER = "steward"
# What the code must not depend on.
FOREIGN = {"datestyle": "SQL, DMY", "intervalstyle": "iso_8601", "timezone": "Asia/Tokyo", "client_encoding": "LATIN1"}


def older_binaries() -> Path | None:
    """Where the programs of the oldest server are that Debian's packages have put here, if it is one before 18."""
    for version in range(OLDEST, NEWEST):
        for folder in (f"/usr/lib/postgresql/{version}/bin", f"/usr/pgsql-{version}/bin"):
            if (Path(folder) / "initdb").exists():
                return Path(folder)
    return None


@pytest.fixture(scope="module")
def superuser(postgres: "Postgres") -> Iterator[str]:
    """URL of the database `postgres` of the oldest server at hand."""
    binaries = older_binaries()
    if binaries is None:
        yield postgres.server.login_url
        return
    # A short path, because those of sockets are limited; for a user of its own, because a server refuses to be root.
    folder = Path(tempfile.mkdtemp(prefix="tutorq-pg-"))
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        subprocess.run([binaries / program, *arguments], user=user, cwd="/", check=True, stdout=subprocess.DEVNULL)

    data, log = str(folder / "data"), str(folder / "log")
    try:
        run("initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale")
        settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=50"
        run("pg_ctl", f"--pgdata={data}", f"--log={log}", f"--options={settings}", "--wait", "start")
        yield render({"user": "postgres", "dbname": "postgres", "host": str(folder), "port": "5432"})
        run("pg_ctl", f"--pgdata={data}", "--mode=immediate", "--wait", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installation(superuser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A migrated, empty installation whose owner is no superuser, on a server with other defaults."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"create role {OWNER} login createrole".encode())
        roles = [name for (name,) in connection.execute("select rolname from pg_roles where rolname ~ '^tutorq_'")]
        if roles:
            connection.execute(f"grant {', '.join(roles)} to {OWNER} with admin option".encode())
        connection.execute(f"create database estate owner {OWNER} encoding 'UTF8' template template0".encode())
        for name, value in FOREIGN.items():
            connection.execute(f"alter database estate set {name} = '{value}'".encode())
    url = render({**parse(superuser), "user": OWNER, "dbname": "estate"})
    home = tmp_path_factory.mktemp("estate")
    settings = Settings(home=home, database_url=url, dagster_database_url=url, as_of="2026-01-31")
    migrate(Database(settings))
    yield settings
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("drop database estate with (force)")
        connection.execute(f"drop owned by {OWNER} cascade".encode())
        connection.execute(f"drop role {OWNER}".encode())


def post(database: Database, **changes: Any) -> Ledger:
    """Post one session; the ledger, for what became of its scores."""
    body = {
        "session_id": "posted",
        "tutor_id": "t1",
        "student_id": "p1",
        "scheduled_time": "2026-01-30T10:00:00Z",
        "status": "completed",
        "updated_at": "2026-01-30T12:00:00Z",
        **changes,
    }

    def render_answer(outcomes: Sequence[Outcome]) -> Receipt:
        assert [outcome.error for outcome in outcomes] == [None]
        return Receipt("{}")

    async def work() -> Ledger:
        async with open_pool(database.as_role(DatabaseRole.API).url, size=2) as pool:
            ledger = Ledger(pool, 60)
            rows = [row for row in check([body], "UTC") if isinstance(row, Row)]
            assert await ledger.write([Post(rows, render_answer)]) == ["{}"]
            return ledger

    return asyncio.run(work())


@pytest.mark.soak
def test_the_whole_way_of_a_row_on_the_oldest_server_at_hand(
    installation: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    database, landing = Database(installation), installation.home / "landing"
    landing.mkdir()
    (landing / "tutors.csv").write_text("tutor_id,name\nt1,Zoë ✓\n")
    (landing / "sessions.csv").write_text(
        "session_id,tutor_id,student_id,scheduled_time,status\n"
        + "".join(f"s{at},t1,p{at % 3},2026-01-{at:02}T10:00:00Z,completed\n" for at in range(1, 29))
    )
    ingest = database.as_role(DatabaseRole.INGEST)
    assert load_folder(ingest, landing, timezone="UTC").errors == []
    # Loaded already, so it is only moved; and once more, to another place.
    os.utime(landing / "tutors.csv", (0, 0))
    (taken,) = take_files(ingest, landing, "tutors", timezone="UTC")
    assert (taken.report.outcome, taken.stays) == ("already_loaded", None)
    with ingest.connect() as connection:
        connection.execute("select raw.analyze_table('sessions')")

    build(installation, database.as_role(DatabaseRole.TRANSFORM))
    assert verify(database.as_role(DatabaseRole.TRANSFORM), settings=installation).ok
    # Of these two, the second one wins without being newer, and contradicts the first one.
    ledgers = [post(database, rating=rating) for rating in (3, 5)]
    assert [ledger.live.sessions[Refreshed.AT_ONCE] for ledger in ledgers] == [1, 1]
    with database.as_role(DatabaseRole.TRANSFORM).connect() as connection:
        found = connection.execute("select name, sessions_30d, rating_mean_90d from marts.tutor_scores").fetchall()
        lost = connection.execute("select (content::json ->> 'rating')::float from raw.quarantine").fetchall()
    assert found == [("Zoë ✓", 28, 5)]
    assert lost == [(3,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("making", "problem"),
    [
        ("encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'", "stores text as LATIN1, and names need UTF8"),
        ("encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'", "stores text as SQL_ASCII, and names need UTF8"),
        ("", "is read-only for postgres; reset default_transaction_read_only"),
    ],
    ids=["latin", "ascii", "read-only"],
)
def test_what_cannot_be_used_is_refused_before_the_first_migration(
    postgres: "Postgres", tmp_path: Path, making: str, problem: str
) -> None:
    database = postgres.database("unusable", tmp_path)
    with postgres.server.connect(autocommit=True) as connection:
        connection.execute(f"create database unusable {making} template template0".encode())
        if not making:
            connection.execute("alter database unusable set default_transaction_read_only = on")
        try:
            with pytest.raises(TutorqError, match=problem) as caught:
                migrate(database)
            assert "\n" not in str(caught.value)
            with database.connect() as unusable:
                schemas = unusable.execute("select from pg_namespace where nspname in ('app', 'raw')").fetchall()
            assert schemas == []
        finally:
            connection.execute("drop database unusable with (force)")


def told(version: int, **status: str) -> Any:
    """A connection to a server that says this of itself."""
    known = {"server_encoding": "UTF8", "in_hot_standby": "off", "default_transaction_read_only": "off", **status}
    info = SimpleNamespace(server_version=version, dbname="d", user="u", parameter_status=known.get)
    return SimpleNamespace(info=info)


@pytest.mark.parametrize(
    ("connection", "problem"),
    [
        (told(140_022), "the server is Postgres 14, and tutorq needs 15 or newer"),
        (told(180_001, in_hot_standby="on"), "the server is a standby"),
        (told(150_000), None),
        (told(180_001), None),
    ],
)
def test_what_a_server_says_of_itself(connection: Any, problem: str | None) -> None:
    found = server_problem(connection)
    assert found is None if problem is None else problem in (found or "")


# What Postgres has had since 16 to 18, and somebody might write without knowing.
NEWER = re.compile(
    r"returning\s+(with\s*\(|old\.|new\.)|\bvirtual\s*[,)]|\bmaintain\b|with\s+(inherit|set)\s+true|'set'\)"
    r"|\b(any_value|json_table|json_query|json_value|json_exists|json_scalar|json_serialize|uuidv7|random_normal"
    r"|array_sort|array_shuffle|array_sample|crc32c?|date_add|date_subtract|pg_input_is_valid|merge_action)\s*\("
    r"|\bwithout overlaps\b|\bon_error\b|\breject_limit\b|\bsplit partition\b|\bmerge\s+into\b",
    re.IGNORECASE,
)
# Asks for the version before.
GUARDED = {"core/migrations/versions/0012_roles.py", "core/process_logins.py"}


@pytest.mark.slow
def test_no_sql_asks_for_a_newer_server() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.py", "*.sql"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    sources = [name for name in tracked if not name.startswith(("tests/", "benchmarks/")) and name not in GUARDED]
    assert len(sources) > 100
    found = {name: match[0] for name in sources if (match := NEWER.search((PROJECT_ROOT / name).read_text()))}
    assert found == {}
