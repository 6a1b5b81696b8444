"""What of a folder is loaded, and how it is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.errors import TutorqError
from ingest import inside
from ingest.contract import ENTITIES
from ingest.files import Other, landing_files, name_says, other_files
from ingest.mapping import MAPPING_NAME, FileMapping, read_mapping


@contextmanager
def _opened_mapping(folder: Path, source: str) -> Iterator[Path]:
    try:
        with inside.opened(folder, source) as descriptor:
            yield inside.path_of(descriptor, folder / source)
    except OSError as error:
        raise TutorqError(f"cannot read {folder / source}: {error.strerror}") from error


def mapping_above(folder: Path, source: str) -> FileMapping | None:
    """The mapping of a file in a folder: of the folders that lead to it, the nearest one that has a mapping.

    Raises:
        TutorqError: it cannot be read or understood.
    """
    for inner in PurePosixPath(source).parents:
        if (folder / inner / MAPPING_NAME).exists():
            with _opened_mapping(folder, (inner / MAPPING_NAME).as_posix()) as path:
                return read_mapping(path, MAPPING_NAME)
    return None


def kinds_of(folder: Path, source: str) -> list[str]:
    """As what a file in a folder is loaded, by its mapping or by its name, people first; empty: it is left alone."""
    path = PurePosixPath(source)
    try:
        mapping = mapping_above(folder, source)
    except TutorqError:
        mapping = None  # whoever loads the file tells
    by_name = name_says(path)
    if mapping is not None:
        return mapping.entities_of(path.name, by_name)
    return [by_name] if by_name else []


@dataclass(frozen=True)
class FileToLoad:
    """A file, the kind as which it is loaded, and its mapping."""

    path: Path
    entity: str
    mapping: FileMapping | None


def files_to_load(folder: Path, mapping: FileMapping | None = None) -> tuple[list[FileToLoad], list[Other]]:
    """The files of a folder that are loaded, people first, and those that are left alone.

    A file that a mapping names under several kinds is loaded as each of them.

    Args:
        mapping: that of all files; by default each has the nearest one.

    Raises:
        TutorqError: there is no such folder, or a mapping is wrong.
    """
    paths, others = landing_files(folder), other_files(folder)
    paths += [path for other in others if (path := folder / other.source).is_file() and not path.is_symlink()]
    found = []
    for path in paths:
        said = mapping or mapping_above(folder, path.relative_to(folder).as_posix())
        by_name = name_says(path)
        kinds = said.entities_of(path.name, by_name) if said else [by_name] if by_name else []
        found += [FileToLoad(path, kind, said) for kind in kinds]
    taken = {file.path for file in found}
    order = list(ENTITIES)
    found.sort(key=lambda file: (order.index(file.entity), file.path))
    return found, [other for other in others if folder / other.source not in taken]
