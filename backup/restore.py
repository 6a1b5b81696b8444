"""Put a backup back: models, then the database in one transaction, then the migrations that it lacks.

The owner of the database need not be a superuser. So pg_restore sets no owners (it would before it grants what an owner
needs); everything is made by the owner, and given to the roles afterwards.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import psycopg

from backup.container import CHUNK, DATABASE, LANDING, MODELS, members, open_archive, scratch_folder
from backup.in_use import alone, refuse_if_in_use
from backup.manifest import MANIFEST, SCHEMAS, Manifest
from backup.programs import Programs, find_programs, first_error
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.migrate import ensure_roles, known_versions, migrate
from core.settings import Settings
from ml.registry import model_store
from ml.store import CERTIFICATE

# Where data are that are not made again from others, and the tables that an installation fills by being started.
KEPT_SCHEMAS = ("raw", "app", "ml")
NO_DATA = [
    *("app.alembic_version", "ml.prediction_version", "ml.holdout_key", "app.report_switches", "app.known_settings"),
    *("app.audit_log", "app.audit_chain"),
    *("app.api_keys", "app.people", "app.login_tokens", "app.browser_sessions"),
    *("app.undeclared_proxies", "app.alert_conditions", "app.forgotten_events", "app.event_look"),
    *("app.code_location", "ml.prediction_plans", "ml.prediction_parts"),
]
# Newer programs set what older servers do not know.
NEWER_SETTINGS = {b"SET transaction_timeout = 0;\n": 17}
SETTINGS_LINES = 40
# Sent or not, nobody here knows: the lost installation may have sent them after the backup.
MAIL = """
update app.email_reports
set state = 'unknown', settled_at = now(), error = 'waiting when the backup was made; it may have been sent since'
where state in ('queued', 'sending');
"""
# No code location has been started on this database yet.
CODE_LOCATION = "delete from app.code_location;\n"
# Nor are chats and persons told again of events from before. Receivers of webhooks can tell a repetition by its id.
EVENTS = """
update app.notification_preferences set since = now();
update app.notifications set told_at = now() where told_at is null;
delete from app.report_switches where switch ^@ 'chat:';
"""
# The one right that is granted for things that are still to be made; a dump of schemas does not have it.
DEFAULTS = "alter default privileges for role tutorq_transform revoke execute on functions from public;\n"


@dataclass(frozen=True)
class Restored:
    """What a restore has done."""

    manifest: Manifest
    migrated_to: str
    models: int
    landing_files: int


def restore_backup(
    settings: Settings,
    database: Database,
    path: Path,
    *,
    replace: bool = False,
    landing: bool = False,
    identity: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Restored:
    """Restore `path` (`-`: standard input) to the database of these settings, as its owner.

    All of the database or none of it is restored, and with `replace` what was there stays until then.

    Raises:
        TutorqError: the backup is not whole or too new, there are data already, or something failed.
    """
    with alone(settings, database), open_archive(path, identity, scratch_folder(settings)) as archive:
        manifest = Manifest.from_json(archive.read(MANIFEST))
        database.ensure_databases()
        with database.connect() as connection:
            server = connection.info.server_version
            manifest.refuse_if_newer(known_versions(), server)
            programs = find_programs(max(server // 10_000, manifest.pg_dump), tls=connection.pgconn.ssl_in_use)
            refuse_if_in_use(connection, database, tell)
            if not replace:
                _refuse_if_filled(connection)
            ensure_roles(connection)
            _refuse_if_roles_are_missing(connection, manifest.roles)
        models = _models(archive)
        if landing:
            _refuse_if_damaged(archive, LANDING)
        tell("the models")
        _restore_models(models, settings)
        tell("the database")
        with archive.open(DATABASE) as dump:
            _restore_database(programs, database, dump, manifest, server)
        tell("what the planner needs to know")
        migrate(database)
        with database.connect(autocommit=True) as connection:
            connection.execute(EVENTS)
            connection.execute(CODE_LOCATION)
            for schema in manifest.schemas:
                _analyze(connection, schema)
        files = _restore_landing(archive, settings.landing) if landing else 0
    return Restored(manifest, max(known_versions()), len(models), files)


def _refuse_if_filled(connection: psycopg.Connection) -> None:
    if filled := _filled_tables(connection):
        more = f" and {len(filled) - 1} more tables" if len(filled) > 1 else ""
        raise TutorqError(
            f"this database has data already ({filled[0]}{more}); restore to an empty one, or replace all of it with "
            "--replace"
        )


def _filled_tables(connection: psycopg.Connection) -> list[str]:
    """Tables with rows, and those that this login may not read, as a restore that went wrong leaves them."""
    query = """
        select format('%%I.%%I', schemaname, tablename) from pg_tables
        where schemaname = any(%s) and schemaname || '.' || tablename <> all(%s)
        order by array_position(%s::name[], schemaname), 1
    """
    filled = []
    for (table,) in connection.execute(query, [list(KEPT_SCHEMAS), NO_DATA, list(KEPT_SCHEMAS)]).fetchall():
        try:
            with connection.transaction():
                rows = connection.execute(f"select from {table} limit 1".encode()).rowcount
        except psycopg.errors.InsufficientPrivilege:
            rows = 1
        if rows:
            filled.append(table)
    return filled


def _refuse_if_roles_are_missing(connection: psycopg.Connection, roles: Sequence[str]) -> None:
    query = "select quote_ident(name) from unnest(%s::text[]) as name where name not in (select rolname from pg_roles)"
    if missing := [name for (name,) in connection.execute(query, [[*roles]])]:
        statements = "; ".join(f"create role {name} nologin" for name in missing)
        raise TutorqError(
            f"the backup has rights of {', '.join(missing)}, which this server does not have; run first (later give "
            f"them a login, or drop them): {statements}"
        )


def _restore_database(programs: Programs, database: Database, dump: IO[bytes], manifest: Manifest, server: int) -> None:
    """One transaction of psql: away with the old, the script of pg_restore, then owners. It commits only after all of
    that; an error, or this process's end, leaves the database as it was."""
    environment = {**os.environ, **database.libpq_environment()}
    restore = [programs.restore, "--no-owner", "--no-tablespaces", "--no-security-labels", "--file=-"]
    psql = [programs.psql, "--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", "--file=-"]
    with (
        tempfile.TemporaryFile() as refused,
        tempfile.TemporaryFile() as unreadable,
        subprocess.Popen(psql, env=environment, stdin=subprocess.PIPE, stderr=refused) as writer,
        subprocess.Popen(restore, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=unreadable) as reader,
    ):
        assert writer.stdin is not None
        assert reader.stdin is not None
        assert reader.stdout is not None
        feeder = _Feeder(dump, reader.stdin)
        try:
            writer.stdin.write(_before().encode())
            settings = islice(reader.stdout, SETTINGS_LINES)
            writer.stdin.writelines(line for line in settings if server // 10_000 >= NEWER_SETTINGS.get(line, 0))
            shutil.copyfileobj(reader.stdout, writer.stdin, CHUNK)
            feeder.join()
            reader.wait()
            if feeder.error is None and reader.returncode == 0:
                writer.stdin.write(_after(manifest).encode())
            writer.stdin.close()
        except BrokenPipeError:
            pass  # psql says below why it ended
        except BaseException:
            writer.kill()
            raise
        finally:
            reader.kill()
            feeder.join()
            writer.wait()
        if feeder.error is not None:
            raise TutorqError(f"the backup is damaged, and nothing was restored: {feeder.error}")
        if writer.returncode != 0:
            raise TutorqError(f"nothing was restored, the database is as it was: {first_error(refused)}")
        if reader.returncode != 0:
            raise TutorqError(f"the backup cannot be read, and nothing was restored: {first_error(unreadable)}")


class _Feeder(threading.Thread):
    """Gives a program its input while its output is read."""

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._source, self._target = source, target
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            shutil.copyfileobj(self._source, self._target, CHUNK)
        except BrokenPipeError:
            pass  # the program has ended, and says why
        except Exception as error:  # whatever is wrong with the file, the restore has to end
            self.error = error
        finally:
            with suppress(BrokenPipeError):
                self._target.close()


def _before() -> str:
    return f"begin;\nset local lock_timeout = '30s';\ndrop schema if exists {', '.join(SCHEMAS)} cascade;\n"


def _after(manifest: Manifest) -> str:
    """Owners, mail, and the end of the transaction."""
    owners = [
        f"alter {thing} owner to {DatabaseRole(role)};\n" for role, things in manifest.owned.items() for thing in things
    ]
    return "".join(["set local check_function_bodies = off;\n", *owners, DEFAULTS, MAIL, "commit;\n"])


def _analyze(connection: psycopg.Connection, schema: str) -> None:
    """Without statistics, the first readers would wait for bad plans."""
    tables: Iterable[tuple[str]] = connection.execute(
        "select format('%%I.%%I', schemaname, tablename) from pg_tables where schemaname = %s", [schema]
    ).fetchall()
    for (table,) in tables:
        connection.execute(f"analyze {table}".encode())


def _models(archive: zipfile.ZipFile) -> dict[str, dict[str, bytes]]:
    """The files of each model by its address.

    Raises:
        TutorqError: one of them is not whole; told while nothing has been written.
    """
    models: dict[str, dict[str, bytes]] = {}
    for info in members(archive, MODELS):
        address, _, name = info.filename.removeprefix(f"{MODELS}/").rpartition("/")
        models.setdefault(address, {})[name] = archive.read(info)
    for address, files in models.items():
        if CERTIFICATE not in files:
            raise TutorqError(
                f"the backup is damaged, and nothing was restored: the model {address or '(without a name)'} has no "
                f"{CERTIFICATE}"
            )
    return models


def _refuse_if_damaged(archive: zipfile.ZipFile, folder: str) -> None:
    """Reads files whose turn comes when the database is restored already."""
    for info in members(archive, folder):
        with archive.open(info) as file:
            while file.read(CHUNK):
                pass


def _restore_models(models: Mapping[str, Mapping[str, bytes]], settings: Settings) -> None:
    """Put the models into the store; they are named by their content, so this replaces nothing by something else."""
    if models:
        store = model_store(settings)
        for address, files in models.items():
            store.write_files(address, files)


def _restore_landing(archive: zipfile.ZipFile, folder: Path) -> int:
    """Put landing files back where they were, and leave alone what is there."""
    count = 0
    for info in members(archive, LANDING):
        path = folder / info.filename.removeprefix(f"{LANDING}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as target, archive.open(info) as source:
            shutil.copyfileobj(source, target, CHUNK)
        count += 1
    return count
