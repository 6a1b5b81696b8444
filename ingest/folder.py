"""What of a folder is loaded, and how it is read."""

from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from core.errors import TutorqError
from ingest import inside
from ingest.contract import ENTITIES
from ingest.files import Other, landing_files, name_says, other_files
from ingest.mapping import MAPPING_NAME, FileMapping, read_mapping


def mapping_path(folder: Path, source: str) -> Path | None:
    """Where the mapping of a file in a folder lies: in the nearest of the folders that lead to it and have one."""
    paths = (folder / inner / MAPPING_NAME for inner in PurePosixPath(source).parents)
    return next((path for path in paths if path.exists()), None)


def mapping_above(folder: Path, source: str) -> FileMapping | None:
    """The mapping of a file in a folder; no link is followed to it.

    Raises:
        TutorqError: it cannot be read or understood.
    """
    path = mapping_path(folder, source)
    if path is None:
        return None
    try:
        with inside.opened(folder, path.relative_to(folder).as_posix()) as descriptor:
            return read_mapping(inside.path_of(descriptor, path), MAPPING_NAME)
    except OSError as error:
        raise TutorqError(f"cannot read {path}: {error.strerror}") from error


def kinds(path: PurePath, mapping: FileMapping | None) -> list[str]:
    """As what a file is loaded, by its mapping or by its name, people first; empty: it is left alone."""
    by_name = name_says(path)
    if mapping is not None:
        return mapping.entities_of(path.name, by_name)
    return [by_name] if by_name else []


def kinds_of(folder: Path, source: str) -> list[str]:
    """The same for a file in a folder."""
    try:
        mapping = mapping_above(folder, source)
    except TutorqError:
        mapping = None  # whoever loads the file tells
    return kinds(PurePosixPath(source), mapping)


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
        found += [FileToLoad(path, kind, said) for kind in kinds(path, said)]
    taken = {file.path for file in found}
    order = list(ENTITIES)
    found.sort(key=lambda file: (order.index(file.entity), file.path))
    return found, [other for other in others if folder / other.source not in taken]
