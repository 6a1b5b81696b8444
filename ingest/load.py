"""Load landing files into the schema `raw`, each in one transaction."""

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from core.database import Database
from core.erased import erased_ids
from core.errors import DatabaseUnreachableError, TutorqError
from ingest import inside
from ingest.checksums import checksum, fingerprint
from ingest.contract import ENTITIES, SESSIONS, Entity
from ingest.file_load import FileLoad, OnProgress
from ingest.files import NAMES_HINT, entity_of
from ingest.folder import files_to_load
from ingest.mapping import FileMapping, read_mapping
from ingest.notes import Notes
from ingest.parts import Parts
from ingest.readers import open_mapped
from ingest.summary import FileError, FileSummary, FolderSummary
from ingest.unknown import unknown_people

# From here on, statistics of the table are stale enough to mislead the queries that follow a load.
ANALYZE_ROWS = 10_000
UNMIGRATED_ERRORS = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
)


log = logging.getLogger(__name__)


def load_folder(
    database: Database,
    folder: Path,
    *,
    timezone: str,
    mapping: Path | None = None,
    override_by: str | None = None,
    is_strict: bool = False,
    on_progress: OnProgress | None = None,
) -> FolderSummary:
    """Load all landing files of a folder; a file that cannot be loaded does not stop the others.

    Folders of months in it (`2026-01`, `year=2026/month=01`) are part of it, others are not.

    Args:
        timezone: zone in which times without an offset are read, such as `Europe/Vienna`.
        mapping: how all its files are read; by default each by the nearest `mapping.yml` in the folder, if any.
        is_strict: refuse files for which something had to be guessed.
        override_by: who says that these sessions and reschedules replace what is stored, even if that is newer. Each
            one that would not win by itself is noted in `app.audit_log`, which takes the owner of the database.

    Raises:
        TutorqError: there is no such folder, or no landing file in it, or its mapping is wrong.
    """
    started = time.monotonic()
    found_files, others = files_to_load(folder, read_mapping(mapping) if mapping else None)
    if not found_files:
        found = "".join(f"; {each}" for each in others if each.why)
        raise TutorqError(f"no landing file in {folder}; it takes files named like {NAMES_HINT}{found}")
    files: list[FileSummary] = []
    errors: list[FileError] = []
    for file in found_files:
        source = file.path.relative_to(folder).as_posix()
        try:
            with _opened(folder, source) as content:
                summary = load_file(
                    database,
                    file.path,
                    timezone=timezone,
                    entity=file.entity,
                    source=source,
                    content=content,
                    mapping=file.mapping,
                    override_by=override_by,
                    is_strict=is_strict,
                    on_progress=on_progress,
                )
            files.append(summary)
        except TutorqError as error:
            errors.append(FileError(source, str(error)))
        except OSError as error:
            errors.append(FileError(source, f"cannot read {file.path}: {error.strerror or error}"))
        except Exception as error:
            errors.append(FileError(source, unexpected(source, error)))
    unknown = []
    if any(file.entity == SESSIONS.name for file in files):
        with database.connect() as connection:
            unknown = unknown_people(connection, [file.load_id for file in files])
    return FolderSummary(
        source=str(folder),
        seconds=round(time.monotonic() - started, 3),
        files=files,
        errors=errors,
        others=others,
        unknown_people=unknown,
    )


def load_file(
    database: Database,
    path: Path,
    *,
    timezone: str,
    entity: str | None = None,
    source: str | None = None,
    override_by: str | None = None,
    content: Path | Parts | None = None,
    mapping: FileMapping | None = None,
    is_strict: bool = False,
    on_progress: OnProgress | None = None,
) -> FileSummary:
    """Load one landing file in one transaction; loading it again changes nothing.

    Args:
        timezone: zone in which times without an offset are read.
        entity: `tutors`, `students`, `sessions` or `reschedules`; by default the file name tells.
        source: what the file is called in `raw`; by default its name.
        override_by: as above.
        content: where to read it, if not by its path, which anybody may change meanwhile.
        mapping: how files are read whose columns or values are not the contract's.
        is_strict: refuse a file for which something had to be guessed.

    Raises:
        TutorqError: the file as a whole cannot be read, somebody writes to it meanwhile, or the database refuses;
            then nothing is loaded.
    """
    contract = _contract(path, entity)
    source = source or path.name
    if content is None:
        content = Parts(path.parent, path.name) if path.is_dir() else path
    started, found = time.monotonic(), _fingerprint(content)
    digest = content.checksum() if isinstance(content, Parts) else checksum(content)

    def check_unchanged() -> None:
        if _fingerprint(content) != found:
            raise TutorqError(f"{source} changed while it was read; load it when it is complete")

    notes = Notes()
    reader = open_mapped(source, contract, content, notes, timezone, mapping)
    if mapping is not None and mapping.timezone is not None:
        timezone = mapping.timezone
    try:
        with database.connect() as connection:
            digest_of_mapping = mapping.checksum if mapping else None
            load = FileLoad(
                connection,
                contract,
                source,
                reader,
                notes,
                digest_of_mapping,
                override_by,
                on_progress,
                erased_ids(database.settings),
            )
            summary = load.run(timezone, digest, found, started, check_unchanged, is_strict=is_strict)
        if summary.inserted + summary.updated >= ANALYZE_ROWS:
            with database.connect(autocommit=True) as connection:
                connection.execute("select raw.analyze_table(%s)", [contract.name])
    except UNMIGRATED_ERRORS as error:
        raise TutorqError("the database has no tables yet, or older ones: run `tutorq db migrate`") from error
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            # A lost connection, a deadlock, a full disk: nothing is wrong with the file.
            reason = "; its disk is full" if isinstance(error, psycopg.errors.DiskFull) else ""
            raise DatabaseUnreachableError(f"{path.name}: the database could not take it now{reason}") from error
        # Its own words may quote rows, which are nobody's business in a log.
        raise TutorqError(f"{path.name}: the database refused it ({type(error).__name__})") from error
    finally:
        reader.close()
    return summary


def unexpected(source: str, error: Exception) -> str:
    """What is told of a file whose load failed for a reason that nobody foresaw. The log has where it happened; the
    error's own words may quote rows, which are nobody's business there."""
    name = type(error).__name__
    log.error("%s cannot be read: %s\n%s", source, name, "".join(traceback.format_tb(error.__traceback__)))
    return f"{source} cannot be read: {name}; this is a fault of tutorq: please report it with the traceback in the log"


@contextmanager
def _opened(folder: Path, source: str) -> Iterator[Path | Parts]:
    path = folder / source
    if path.is_dir():
        yield Parts(folder, source)
        return
    try:
        with inside.opened(folder, source) as descriptor:
            yield inside.path_of(descriptor, path)
    except OSError as error:
        raise TutorqError(f"cannot read {path}: {error.strerror}") from error


def _fingerprint(content: Path | Parts) -> str:
    return content.present_fingerprint() if isinstance(content, Parts) else fingerprint(content)


def _contract(path: Path, entity: str | None) -> Entity:
    if entity is None:
        return entity_of(path)
    if entity not in ENTITIES:
        raise TutorqError(f"{entity!r} is not one of {', '.join(ENTITIES)}")
    return ENTITIES[entity]
