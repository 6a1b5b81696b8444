"""A backup of one server, restored on another by an owner who is no superuser, and used on."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from backup import make_backup, restore_backup
from core.database import Database, DatabaseRole
from core.dbt_runner import build
from core.errors import TutorqError
from core.settings import Settings
from tests.conftest import PUBLISHED
from tests.dbt.test_roles import DEFAULTS, GRANTS
from tests.marts import DAY, Marts
from tests.servers import Server, documented_server
from verify import verify

if TYPE_CHECKING:
    from tests.conftest import Postgres

ADDRESS = "match/match-2026-01-30-0123456789ab"
MODEL = f"""
insert into ml.models (model_version, kind, is_champion, promotion_reason, metrics, parameters, features, trained_rows,
    artifact_uri)
values ('match-2026-01-30-0123456789ab', 'match', true, 'test', '{{}}', '{{}}', '{{}}', 1, '{ADDRESS}'),
    ('match-2025-01-30-000000000000', 'match', false, 'test', '{{}}', '{{}}', '{{}}', 1, 'match/z-lost');
"""
MAILS = """
insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, state)
select 'alert', 'test', 'test ' || state, 'a@example.org', 'x', '{}', state
from unnest(array['queued', 'sent']) as state;
"""
# A completed session of a tutor who has some, after all others.
NEW_SESSION = """
insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, rating, updated_at)
select gen_random_uuid(), tutor_id, student_id, '2026-01-31 09:00+00', 'completed', 1, now()
from raw.sessions order by session_id limit 1 returning session_id
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with documented_server(tmp_path_factory.mktemp("other")) as server:
        yield server


@pytest.fixture
def target(server: Server, tmp_path: Path) -> Iterator[Database]:
    """An empty database of the other server, with its plain owner."""
    home = tmp_path / "target"
    yield Database(Settings(home=home, database_url=server.owner, as_of=DAY.isoformat()))
    server.as_superuser("drop database tutorq with (force)", "create database tutorq owner tutorq")


@pytest.fixture
def source(postgres: "Postgres", tmp_path: Path) -> Database:
    """A scored installation, with a model, mail and landing files."""
    database = postgres.new_database(tmp_path / "source", PUBLISHED)
    with database.connect() as connection:
        connection.execute(MODEL)
        connection.execute(MAILS)
    folder = tmp_path / "source" / "models" / ADDRESS
    folder.mkdir(parents=True)
    (folder / "model.ubj").write_bytes(b"\0trees")
    (folder / "certificate.json").write_text("{}")
    landing = tmp_path / "source" / "landing"
    (landing / "processed" / "2026-01-30").mkdir(parents=True)
    (landing / "processed" / "2026-01-30" / "sessions.csv").write_text("session_id\n")
    (landing / "tutors.csv.gz").write_bytes(b"\x1f\x8b")
    (landing / "students.csv").symlink_to("/etc/passwd")
    return database


def settings_of(database: Database) -> Settings:
    return database._settings


def content(database: Database) -> dict[str, object]:
    with database.connect() as connection:
        rows = {
            table: sorted(str(row) for row in connection.execute(f"select t::text from {table} as t".encode()))
            for table in (
                "raw.sessions",
                "raw.tutors",
                "raw.changes",
                "app.excuses",
                "ml.models",
                "ml.match_runs",
                "ml.match_predictions",
            )
        }
        return {**rows, **Marts(connection).content()}


def rights(database: Database) -> tuple[object, object]:
    with database.connect() as connection:
        grants = connection.execute(GRANTS).fetchall()
        return [row for row in grants if row[2] != "public"], connection.execute(DEFAULTS).fetchall()


@pytest.mark.soak
def test_sessions_of_other_logins_count(database: Database, server: Server, target: Database, tmp_path: Path) -> None:
    """What they are is kept from a plain owner; that they are there is not."""
    make_backup(settings_of(database), database, tmp_path / "tutorq.zip")
    server.as_superuser("create role guest login password 'word'")
    with (
        psycopg.connect(server.url("guest:word", "tutorq")),
        pytest.raises(TutorqError, match="1 other program is connected"),
    ):
        restore_backup(settings_of(target), target, tmp_path / "tutorq.zip")
    restore_backup(settings_of(target), target, tmp_path / "tutorq.zip")


@pytest.mark.slow
def test_restored_by_a_plain_owner_it_scores_on(source: Database, target: Database, tmp_path: Path) -> None:
    file = tmp_path / "tutorq.zip"
    made = make_backup(settings_of(source), source, file, landing=True)
    assert (made.as_of, made.landing_files, made.models) == (DAY.isoformat(), 2, [ADDRESS, "match/z-lost"])
    assert made.missing_models == ["match/z-lost"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.part"))

    done = restore_backup(settings_of(target), target, file, landing=True)

    assert content(target) == content(source)
    assert rights(target) == rights(source)
    home = settings_of(target).home
    assert (done.models, done.landing_files) == (1, 2)
    assert (home / "models" / ADDRESS / "model.ubj").read_bytes() == b"\0trees"
    assert (home / "landing" / "processed" / "2026-01-30" / "sessions.csv").read_text() == "session_id\n"
    assert not (home / "landing" / "students.csv").is_symlink()
    with target.connect() as connection:
        mails = connection.execute("select unique_key, state from app.email_reports order by 1").fetchall()
        assert mails == [("test queued", "unknown"), ("test sent", "sent")]

    # Live, as the API does it, and then by a run.
    with target.connect() as connection:
        (session,) = connection.execute(NEW_SESSION).fetchone() or (None,)
    with target.as_role(DatabaseRole.API).connect() as connection:
        connection.execute("select marts.refresh_sessions(%s::uuid[])", [[session]])
    build(settings_of(target), target.as_role(DatabaseRole.TRANSFORM))
    report = verify(target, settings=settings_of(target))
    assert report.ok, report
