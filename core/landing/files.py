"""Which files of a folder are landing files, and whether they are in already."""

import re
import time
from collections.abc import Sequence
from pathlib import Path

from core.database import Database
from core.errors import TutorqError
from core.landing.checksums import SETTLED_SECONDS, checksums
from core.landing.contract import ENTITIES, Entity

_NAME = re.compile(rf"({'|'.join(ENTITIES)})\.(?:.+\.)?(?:csv|csv\.gz|parquet)", re.IGNORECASE)
_ORDER = list(ENTITIES)

NAMES_HINT = "sessions.csv, sessions.2026-01.csv.gz or tutors.parquet"


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


def loaded_files(database: Database, paths: Sequence[Path]) -> set[Path]:
    """Those of the files that need not be loaded again: it would change nothing, their content is in.

    Sessions and reschedules have versions, so any earlier load of the content counts. Tutors and students are
    what the last file says, so only the last load under this name does.

    Raises:
        TutorqError: a file cannot be read.
    """
    with database.connect() as connection:
        contents = checksums(connection, paths)
        rows = connection.execute(
            """
            select file.position
            from unnest(%s::text[], %s::text[], %s::text[], %s::boolean[]) with ordinality
                as file (entity, source, checksum, is_versioned, position)
            where
                case
                    when file.is_versioned then exists (
                        select from raw.loads where loads.entity = file.entity and loads.checksum = file.checksum
                    )
                    else file.checksum = (
                        select checksum from raw.loads
                        where loads.entity = file.entity and loads.source = file.source
                        order by load_id desc
                        limit 1
                    )
                end
            """,
            [
                [entity_of(path).name for path in paths],
                [path.name for path in paths],
                [contents[path] for path in paths],
                [entity_of(path).is_versioned for path in paths],
            ],
        ).fetchall()
    return {paths[position - 1] for (position,) in rows}


def refusal(database: Database, path: Path) -> str | None:
    """Why this content was found to be no landing file; None if it was not."""
    with database.connect() as connection:
        row = connection.execute(
            "select reason from raw.refused_files where entity = %s and checksum = %s",
            (entity_of(path).name, checksums(connection, [path])[path]),
        ).fetchone()
    return str(row[0]) if row else None


def refuse(database: Database, path: Path, reason: str) -> None:
    """Note that a file is no landing file, so that it is not tried again unless its content changes."""
    with database.connect() as connection:
        connection.execute(
            "insert into raw.refused_files (entity, source, checksum, reason) values (%s, %s, %s, %s) "
            "on conflict (entity, checksum) do update set source = excluded.source, refused_at = now()",
            (entity_of(path).name, path.name, checksums(connection, [path])[path], reason),
        )


def settled_files(folder: Path, entity: str | None = None) -> list[Path]:
    """Landing files that nobody has written to for two seconds; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return [path for path in landing_files(folder, entity) if abs(time.time() - path.stat().st_mtime) > SETTLED_SECONDS]


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise TutorqError(f"there is no folder {folder}")
