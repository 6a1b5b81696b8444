"""Which files of a folder are landing files, and whether they are in already."""

import hashlib
import re
import time
from pathlib import Path

from core.database import Database
from core.errors import TutorqError
from core.landing.contract import ENTITIES, Entity

_NAME = re.compile(rf"({'|'.join(ENTITIES)})\.(?:.+\.)?(?:csv|csv\.gz|parquet)", re.IGNORECASE)
_ORDER = list(ENTITIES)

NAMES_HINT = "sessions.csv, sessions.2026-01.csv.gz or tutors.parquet"


SETTLED_SECONDS = 2


def entity_of(path: Path) -> Entity:
    """The entity that a file name stands for.

    Raises:
        TutorqError: it is not the name of a landing file.
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise TutorqError(f"{path.name} is not the name of a landing file, such as {NAMES_HINT}")
    return ENTITIES[match.group(1).lower()]


def landing_files(folder: Path, entity: str | None = None) -> list[Path]:
    """Landing files of `folder` (of one entity), in the order in which they are loaded.

    Raises:
        TutorqError: there is no such folder.
    """
    _check_folder(folder)
    found = [path for path in folder.iterdir() if path.is_file() and _NAME.fullmatch(path.name)]
    chosen = [path for path in found if entity is None or entity_of(path).name == entity]
    return sorted(chosen, key=lambda path: (_ORDER.index(entity_of(path).name), path.name))


def ignored_files(folder: Path) -> list[str]:
    """Names of the other files of `folder`, sorted; hidden files are left out."""
    _check_folder(folder)
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and not _NAME.fullmatch(path.name)
    )


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        TutorqError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TutorqError(f"cannot read {path}: {error.strerror}") from error


def is_loaded(database: Database, path: Path) -> bool:
    """Whether loading this file again would change nothing: its content is in.

    Sessions and reschedules have versions, so any earlier load of the content counts. Tutors and students are
    what the last file says, so only the last load under this name does.
    """
    entity = entity_of(path)
    with database.connect() as connection:
        loads = connection.execute(
            "select checksum from raw.loads where entity = %s and (source = %s or %s) order by load_id desc",
            (entity.name, path.name, entity.is_versioned),
        )
        checksums = [str(row[0]) for row in (loads.fetchall() if entity.is_versioned else loads.fetchmany(1))]
    return checksum(path) in checksums


def refusal(database: Database, path: Path) -> str | None:
    """Why this content was found to be no landing file; None if it was not."""
    with database.connect() as connection:
        row = connection.execute(
            "select reason from raw.refused_files where entity = %s and checksum = %s",
            (entity_of(path).name, checksum(path)),
        ).fetchone()
    return str(row[0]) if row else None


def refuse(database: Database, path: Path, reason: str) -> None:
    """Note that a file is no landing file, so that it is not tried again unless its content changes."""
    with database.connect() as connection:
        connection.execute(
            "insert into raw.refused_files (entity, source, checksum, reason) values (%s, %s, %s, %s) "
            "on conflict (entity, checksum) do update set source = excluded.source, refused_at = now()",
            (entity_of(path).name, path.name, checksum(path), reason),
        )


def settled_files(folder: Path, entity: str | None = None) -> list[Path]:
    """Landing files that nobody has written to for two seconds; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return [path for path in landing_files(folder, entity) if abs(time.time() - path.stat().st_mtime) > SETTLED_SECONDS]


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise TutorqError(f"there is no folder {folder}")
