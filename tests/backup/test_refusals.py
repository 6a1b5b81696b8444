"""What a backup and a restore refuse, and what is there afterwards: a whole file or none, the old data or the new."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from typer.testing import CliRunner

import backup.make
from backup import in_use, make_backup, restore_backup
from backup.container import DATABASE
from backup.manifest import MANIFEST
from backup.programs import find_programs
from cli.app import app
from cli.doctor.objects import objects
from core import keys, locks
from core.database import Database
from core.errors import TutorqError
from core.home import only_one
from core.roles import Role
from core.settings import PROJECT_ROOT, Settings
from tests.api.conftest import serve

if TYPE_CHECKING:
    from tests.conftest import Postgres

TUTOR = "insert into raw.tutors (tutor_id, name) values (gen_random_uuid(), %s)"
# Like age: reads and writes pipes, knows its own files again, and wants the right key.
AGE = """#!/bin/sh
case "$1" in
    --encrypt) printf 'age-encryption.org/v1\\n'; exec tr 'A-Za-z' 'N-ZA-Mn-za-m' ;;
    --decrypt) [ "$(cat "$3")" = key ] || { echo 'age: error: no identity matched any of the recipients' >&2; exit 1; }
        tail -n +2 | tr 'A-Za-z' 'N-ZA-Mn-za-m' ;;
esac
"""


@pytest.fixture
def source(database: Database) -> Database:
    add_tutor(database, "Ada")
    return database


@pytest.fixture
def target(postgres: "Postgres", tmp_path: Path) -> Database:
    return postgres.new_database(tmp_path / "target")


@pytest.fixture
def file(source: Database, tmp_path: Path) -> Path:
    make_backup(settings_of(source), source, path := tmp_path / "tutorq.zip")
    return path


def settings_of(database: Database) -> Settings:
    return database._settings


def restore(database: Database, file: Path, **options: Any) -> None:
    restore_backup(settings_of(database), database, file, **options)


def add_tutor(database: Database, name: str) -> None:
    with database.connect() as connection:
        connection.execute(TUTOR, [name])


def tutors(database: Database) -> list[str]:
    with database.connect() as connection:
        return [name for (name,) in connection.execute("select name from raw.tutors order by 1")]


def with_manifest(file: Path, **changes: object) -> Path:
    """The same backup, which says other things of itself."""
    changed = file.with_name("changed.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, json.dumps({**json.loads(content), **changes}) if name == MANIFEST else content)
    return changed


def until(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.02)


def test_a_file_that_exists_is_not_overwritten(source: Database, tmp_path: Path) -> None:
    (tmp_path / "old.zip").write_text("old")
    with pytest.raises(TutorqError, match=r"old\.zip exists; .* choose another name"):
        make_backup(settings_of(source), source, tmp_path / "old.zip")
    assert (tmp_path / "old.zip").read_text() == "old"


@pytest.mark.parametrize("table", ["raw.sessions", "raw.tutors"])
def test_a_backup_that_fails_leaves_no_file(
    source: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setattr(backup.make, "LOCK_SECONDS", "0.1")
    with source.connect() as connection:
        connection.execute(f"lock table {table} in access exclusive mode".encode())
        with pytest.raises(TutorqError, match="somebody holds a table locked") as raised:
            make_backup(settings_of(source), source, tmp_path / "new.zip")
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.glob("new.zip*"))


def test_nothing_to_back_up_is_told(postgres: "Postgres", source: Database, tmp_path: Path) -> None:
    with source.connect() as connection:
        connection.execute("drop schema ml cascade")
    with pytest.raises(TutorqError, match="no whole installation to back up here"):
        make_backup(settings_of(source), source, tmp_path / "new.zip")
    assert not list(tmp_path.glob("new.zip*"))


@pytest.mark.slow
def test_a_killed_backup_leaves_nothing_under_its_name(source: Database, tmp_path: Path) -> None:
    file, part = tmp_path / "killed.zip", tmp_path / "killed.zip.part"
    with source.connect() as connection:
        connection.execute("select pg_advisory_lock(%s)", [locks.DBT])
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.app", "db", "backup", str(file)],
            cwd=PROJECT_ROOT, env={**os.environ, **settings_of(source).as_environment()}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(part.exists)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not file.exists()
    make_backup(settings_of(source), source, file)
    assert file.exists()
    assert not part.exists()


@pytest.mark.slow
def test_it_waits_for_a_run_and_is_one_state_of_what_goes_on(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """Somebody writes a tutor and an excuse in each transaction, so there are as many of one as of the other."""
    told: list[str] = []
    stop = threading.Event()

    def write() -> None:
        with source.connect(autocommit=True) as connection:
            while not stop.is_set():
                with connection.transaction():
                    connection.execute(TUTOR, ["Ben"])
                    connection.execute("insert into app.excuses values (gen_random_uuid(), 'ill', 'Ben', now())")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: "Ben" in tutors(source))
        with source.connect() as run:
            run.execute("select pg_advisory_lock(%s)", [locks.DBT])
            waiting = threading.Thread(
                target=make_backup,
                args=(settings_of(source), source, tmp_path / "new.zip"),
                kwargs={"tell": told.append},
            )
            waiting.start()
            until(lambda: told)
            assert told == ["a scoring run to end"]
        waiting.join()
    finally:
        stop.set()
        writer.join()

    restore(target, tmp_path / "new.zip")
    with target.connect() as connection:
        (excuses,) = connection.execute("select count(*) from app.excuses").fetchone() or (0,)
    assert tutors(target).count("Ben") == excuses > 0


def test_data_are_replaced_only_on_demand(file: Path, target: Database) -> None:
    add_tutor(target, "Cleo")
    with pytest.raises(TutorqError, match=r"has data already \(raw.changes and 2 more tables\).*--replace"):
        restore(target, file)
    assert tutors(target) == ["Cleo"]
    restore(target, file, replace=True)
    assert tutors(target) == ["Ada"]


def test_a_database_in_use_is_left_alone(file: Path, target: Database) -> None:
    with target.connect(), pytest.raises(TutorqError, match="1 other program is connected"):
        restore(target, file)


def test_an_idle_api_is_seen(file: Path, target: Database) -> None:
    """Nobody has asked it for anything."""
    with serve(settings_of(target)):
        until(lambda: noted_settings(target))
        with pytest.raises(TutorqError, match="connected to this database; stop `tutorq up`"):
            restore(target, file, replace=True)
    restore(target, file)  # what the API has written at its start is no data
    assert tutors(target) == ["Ada"]


def noted_settings(database: Database) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return connection.execute("select from app.audit_log, app.known_settings limit 1").fetchall()


def test_a_home_that_is_up_is_left_alone(file: Path, tmp_path: Path) -> None:
    """Before its server is asked anything."""
    settings = Settings(home=tmp_path / "up")
    database = Database(settings)
    assert database.is_embedded
    with only_one(settings.home), pytest.raises(TutorqError, match=r"already running .* stop it, then restore"):
        restore_backup(settings, database, file, replace=True)
    # Without `tutorq up`: any other process of ours.
    with (settings.home / "postgres.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with pytest.raises(TutorqError, match="another tutorq process uses the embedded server"):
            restore_backup(settings, database, file, replace=True)
    assert database.embedded.is_new


@pytest.mark.parametrize(("age", "goes_on", "refused"), [(5, True, True), (5, False, False), (600, False, False)])
def test_a_daemon_that_lives_is_seen(
    file: Path, target: Database, monkeypatch: pytest.MonkeyPatch, age: int, goes_on: bool, refused: bool
) -> None:
    """Dagster's processes connect for moments; the daemon's signs of life are what can be seen of it."""
    monkeypatch.setattr(in_use, "SILENT_SECONDS", 7)
    target.ensure_databases()
    told: list[str] = []

    def tell(what: str) -> None:
        told.append(what)
        if goes_on and "daemon" in what:
            beat("update daemon_heartbeats set timestamp = now() at time zone 'utc'")

    def beat(*statements: str) -> None:
        with psycopg.connect(target.dagster_url, autocommit=True) as dagster:
            for statement in statements:
                dagster.execute(statement.encode())

    beat(
        "drop table if exists daemon_heartbeats",
        "create table daemon_heartbeats (timestamp timestamp)",
        f"insert into daemon_heartbeats values (now() at time zone 'utc' - interval '{age} s')",
    )
    try:
        if refused:
            with pytest.raises(TutorqError, match="the Dagster daemon is running"):
                restore(target, file, tell=tell)
        else:
            restore(target, file, tell=tell)
            assert tutors(target) == ["Ada"]
    finally:
        beat("drop table daemon_heartbeats")
    assert any("daemon" in what for what in told) == (age < 60)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schema_version": "9999", "tutorq": "7.0"}, r"made by a newer tutorq \(7.0, schema 9999\)"),
        ({"postgres": 990001}, "backup is of Postgres 99, and this server is"),
        ({"format": 2, "tutorq": "7.0"}, "made by tutorq 7.0, .* cannot read its format"),
        ({"roles": ["ada", "tutorq_api"]}, "rights of ada, .*: create role ada nologin$"),
        ({"pg_dump": 99}, "pg_dump, pg_restore and psql of Postgres 99 or newer"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(
    file: Path, target: Database, changes: dict[str, object], problem: str
) -> None:
    add_tutor(target, "Cleo")
    with pytest.raises(TutorqError, match=problem):
        restore(target, with_manifest(file, **changes), replace=True)
    assert tutors(target) == ["Cleo"]


def test_a_server_newer_than_all_clients_is_told() -> None:
    with pytest.raises(TutorqError, match="postgresql-client-99") as raised:
        find_programs(99, tls=True)
    assert "without TLS" in str(raised.value)


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_no_backup(file: Path, target: Database, part: float) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(TutorqError, match="is no backup, or is not whole"):
        restore(target, file, replace=True)


def test_a_damaged_file_changes_nothing(file: Path, target: Database) -> None:
    add_tutor(target, "Cleo")
    with zipfile.ZipFile(file) as archive:
        dump = archive.getinfo(DATABASE)
    content = bytearray(file.read_bytes())
    content[dump.header_offset + dump.compress_size] ^= 0xFF  # near the end of the dump
    file.write_bytes(content)
    with pytest.raises(TutorqError, match="nothing was restored"):
        restore(target, file, replace=True)
    assert tutors(target) == ["Cleo"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"PGDMP...", "is a file of pg_dump"), (b"", "is no backup"), (b"age-encryption.org/v1\n", "--identity")],
)
def test_other_files_are_told_apart(target: Database, tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(TutorqError, match=problem):
        restore(target, tmp_path / "other")


@pytest.mark.parametrize(
    "name",
    ["landing/../../evil", "landing/{elsewhere}/evil", "landing/./evil", "landing/a//evil", "models/{elsewhere}/x"],
)
def test_a_name_that_leads_out_of_the_folder_is_refused(
    file: Path, target: Database, tmp_path: Path, name: str
) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name.format(elsewhere=tmp_path / "elsewhere"), "x")
    add_tutor(target, "Cleo")
    with pytest.raises(TutorqError, match="tampered with"):
        restore(target, file, landing=True, replace=True)
    assert not (tmp_path / "elsewhere").exists()
    assert tutors(target) == ["Cleo"]


@pytest.mark.parametrize("name", ["models/match/m-1/certificate.json", "landing/sessions.csv"])
def test_a_damaged_file_beside_the_database_changes_nothing(file: Path, target: Database, name: str) -> None:
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("landing/tutors.csv", "whole")
        archive.writestr(name, "session_id," * 500)
        start = archive.getinfo(name).header_offset + 30 + len(name)
    content = bytearray(file.read_bytes())
    content[start : start + 20] = b"\xff" * 20
    file.write_bytes(content)
    add_tutor(target, "Cleo")
    with pytest.raises(TutorqError, match="is not whole"):
        restore(target, file, landing=True, replace=True)
    assert tutors(target) == ["Cleo"]
    assert not (settings_of(target).home / "landing").exists()


def test_a_model_without_its_certificate_is_told(file: Path, target: Database) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("models/churn/c-1/certificate.json", "{}")
        archive.writestr("models/match/m-1/model.ubj", "trees")
    with pytest.raises(TutorqError, match=r"the model match/m-1 has no certificate\.json$"):
        restore(target, file)
    assert not (settings_of(target).home / "models").exists()


def test_encrypted_by_age(source: Database, target: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "age").write_text(AGE)
    (programs / "age").chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for name in ("key", "other"):
        (tmp_path / name).write_text(name)

    file = tmp_path / "tutorq.zip.age"
    make_backup(settings_of(source), source, file, recipients=["age1public"])
    assert MANIFEST.encode() not in file.read_bytes()
    with pytest.raises(TutorqError, match=r"did not decrypt .*no identity matched"):
        restore(target, file, identity=tmp_path / "other")
    restore(target, file, identity=tmp_path / "key")
    assert tutors(target) == ["Ada"]
    assert not list(tmp_path.glob("target/tmp*"))


def test_a_restore_names_the_admin_keys_of_the_other_machine(
    source: Database, target: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with source.connect() as connection:
        keys.ensure_local_key(connection, tmp_path / "api-key")
        keys.create(connection, "wall", Role.READ)
        other = next(key for key in keys.list_keys(connection) if key.role == Role.ADMIN)
    make_backup(settings_of(source), source, file := tmp_path / "tutorq.zip")
    for name, value in settings_of(target).as_environment().items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(app, ["db", "restore", str(file)]).stderr
    assert f"admin keys other than this machine's are in use: {other.name}; to end one: `tutorq keys revoke`" in told


@pytest.mark.soak
def test_through_pipes(source: Database, target: Database, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.app", "db"]

    def run(database: Database, verb: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, **settings_of(database).as_environment()}
        # As in a container, whose home nobody can write to.
        environment |= {"TUTORQ_HOME": "/proc/home", "TUTORQ_MODEL_STORE": str(tmp_path), "TMPDIR": str(tmp_path)}
        return subprocess.run(
            [*command, verb, "-"], cwd=PROJECT_ROOT, env=environment, input=given, capture_output=True, check=False
        )

    made = run(source, "backup")
    assert made.returncode == 0, made.stderr
    cut = run(target, "restore", made.stdout[:-1000])
    assert cut.returncode == 1
    assert cut.stderr.startswith(b"error: - is no backup, or is not whole")
    done = run(target, "restore", made.stdout)
    assert done.returncode == 0, done.stderr
    assert tutors(target) == ["Ada"]


def test_doctor_says_what_to_do_with_half_a_restore(file: Path, postgres: "Postgres", target: Database) -> None:
    """pg_restore alone, broken off before keys, triggers and rights."""
    with target.connect() as connection:
        assert objects(connection).ok
        connection.execute("drop schema raw, app, ml, staging, intermediate, marts, test_failures, analytics cascade")
    with zipfile.ZipFile(file) as archive:
        archive.extract(DATABASE, file.parent)
    programs = find_programs(18, tls=False)
    subprocess.run(
        [programs.restore, "--no-owner", "--section=pre-data", "--section=data", "--dbname=", file.parent / DATABASE],
        env={**os.environ, **target.libpq_environment()}, check=True,
    )  # fmt: skip
    with target.connect() as connection:
        finding = objects(connection)
    assert not finding.ok
    assert "belongs to postgres" in finding.found
    assert "tutorq db restore FILE --replace" in str(finding.advice)
    restore(target, file, replace=True)
    with target.connect() as connection:
        assert objects(connection).ok
