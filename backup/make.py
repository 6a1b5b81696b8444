"""Write a backup: landing files if wanted, then the database in one snapshot, then the models that it speaks of."""

import os
import shutil
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from backup.container import CHUNK, DATABASE, LANDING, MODELS, new_archive, new_member, pack
from backup.manifest import LOCKED, MANIFEST, Manifest, describe
from backup.programs import Programs, find_programs, first_error
from core import locks
from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from ml.registry import model_store
from ml.store import ModelStoreError

# A table that somebody else has locked for so long is told, instead of waited for without end.
LOCK_SECONDS = 120
# The landing directory's own folders come last: a file is moved there when it has been loaded.
MOVED_TO = ("processed", "failed")


def make_backup(
    settings: Settings,
    database: Database,
    path: Path,
    *,
    landing: bool = False,
    recipients: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Write a backup to `path` (`-`: standard output), encrypted with age for `recipients` if there are any.

    The file is there when it is whole, for its owner alone. Posts and readers go on meanwhile; scoring waits.

    Raises:
        TutorqError: the file exists, there is nothing to back up, or something failed; then there is no file.
    """
    with new_archive(path, recipients) as archive:
        # Before the database: a file that is loaded in between is then in both, and loading it again changes nothing.
        # The other way round it would be nowhere but in `processed`, from where nothing is loaded.
        files = _pack_landing(archive, settings.landing) if landing else None
        with frozen(database, tell) as (connection, snapshot):
            programs = find_programs(connection.info.server_version // 10_000, tls=connection.pgconn.ssl_in_use)
            manifest = describe(connection, programs.version, datetime.now(UTC))
            manifest.landing_files = files
            tell("the database")
            _dump(archive, programs, database, manifest.schemas, snapshot)
        tell("the models")
        manifest.missing_models = _pack_models(archive, settings, manifest.models)
        pack(archive, MANIFEST, manifest.to_json())
    return manifest


@contextmanager
def frozen(database: Database, tell: Callable[[str], None]) -> Iterator[tuple[psycopg.Connection, str]]:
    """A transaction, and the name under which pg_dump sees exactly what it sees.

    No dbt runs meanwhile: pg_dump holds the tables that a run wants to swap, the run would wait for it, and readers for
    the run.
    """
    with database.connect(autocommit=True) as connection:
        lock = connection.execute("select pg_try_advisory_lock(%s)", [locks.DBT]).fetchone()
        if lock != (True,):
            tell("a scoring run to end")
            connection.execute("select pg_advisory_lock(%s)", [locks.DBT])
        connection.execute("set idle_in_transaction_session_timeout = 0")
        connection.execute(f"set lock_timeout = '{LOCK_SECONDS}s'".encode())
        connection.execute("begin isolation level repeatable read, read only")
        row = connection.execute("select pg_export_snapshot()").fetchone()
        assert row is not None, "a function yields a row"
        yield connection, str(row[0])


def _dump(
    archive: zipfile.ZipFile, programs: Programs, database: Database, schemas: Sequence[str], snapshot: str
) -> None:
    command = [
        programs.dump, "--format=custom", f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_SECONDS}s",
        *(f"--schema={schema}" for schema in schemas),
    ]  # fmt: skip
    environment = {**os.environ, **database.libpq_environment()}  # a password has no place in a list of arguments
    with tempfile.TemporaryFile() as stderr, new_member(archive, DATABASE, compress=False) as member:
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr) as dump:
            assert dump.stdout is not None
            try:
                shutil.copyfileobj(dump.stdout, member, CHUNK)
            except BaseException:
                dump.kill()
                raise
        if dump.returncode != 0:
            reason = first_error(stderr)
            if "statement timeout" in reason:  # that is how pg_dump limits its waiting for locks
                raise TutorqError(LOCKED)
            raise TutorqError(f"the database could not be dumped: {reason}")


def _pack_models(archive: zipfile.ZipFile, settings: Settings, addresses: Sequence[str]) -> list[str]:
    """Put the files of these models into the archive; returns the addresses that the store does not have."""
    store = model_store(settings)
    missing = []
    for address in addresses:
        try:
            files = store.read_files(address)
        except ModelStoreError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            missing.append(address)
            continue
        for name, content in files.items():
            pack(archive, f"{MODELS}/{address}/{name}", content)
    return missing


def _pack_landing(archive: zipfile.ZipFile, folder: Path) -> int:
    count = 0
    for top in (folder, *(folder / name for name in MOVED_TO)):
        for path in _files(top, leave_out=MOVED_TO if top == folder else ()):
            try:
                # No link is followed: the folder is for files that others drop.
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue  # moved meanwhile, and found where it is now
            with os.fdopen(descriptor, "rb") as file:
                name = f"{LANDING}/{path.relative_to(folder).as_posix()}"
                with new_member(archive, name, compress=path.suffix not in (".gz", ".parquet", ".xlsx")) as member:
                    shutil.copyfileobj(file, member, CHUNK)
            count += 1
    return count


def _files(top: Path, leave_out: Sequence[str]) -> Iterator[Path]:
    """Regular files below a folder; not what links lead to."""
    for folder, names, files in os.walk(top):
        if Path(folder) == top:
            names[:] = [name for name in names if name not in leave_out]
        for name in files:
            path = Path(folder) / name
            try:
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path
            except FileNotFoundError:
                continue
