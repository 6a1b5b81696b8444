"""Which files of a folder are landing files."""

import re
from collections.abc import Iterable
from pathlib import Path

from core.errors import TutorqError
from ingest.contract import ENTITIES, Entity

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


def is_landing_file(path: Path, entity: str | None = None) -> bool:
    """Whether its name is that of a landing file (of one entity)."""
    return bool(_NAME.fullmatch(path.name)) and (entity is None or entity_of(path).name == entity)


def in_loading_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted by entity, people first, and by name."""
    return sorted(paths, key=lambda path: (_ORDER.index(entity_of(path).name), path))


def landing_files(folder: Path, entity: str | None = None) -> list[Path]:
    """Landing files of `folder` (of one entity), in the order in which they are loaded; links are not followed.

    Raises:
        TutorqError: there is no such folder.
    """
    _check_folder(folder)
    return in_loading_order(path for path in folder.iterdir() if _is_file(path) and is_landing_file(path, entity))


def ignored_files(folder: Path) -> list[str]:
    """Names of the other files of `folder` and of its links to files, sorted; hidden ones are left out."""
    _check_folder(folder)
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and not (_is_file(path) and is_landing_file(path))
    )


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise TutorqError(f"there is no folder {folder}")
