"""What of a folder is loaded, and how it is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from core.errors import TutorqError
from ingest import inside
from ingest.contract import ENTITIES
from ingest.files import Other, entity_of, landing_files, name_says, other_files
from ingest.mapping import MAPPING_NAME, FileMapping, read_mapping


def folder_mapping(folder: Path) -> FileMapping | None:
    """The folder's own mapping, if there is one; no link is followed to it.

    Raises:
        TutorqError: it cannot be read or understood.
    """
    return mapping_above(folder, MAPPING_NAME)


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


def files_to_load(folder: Path, mapping: FileMapping | None) -> tuple[list[tuple[Path, str]], list[Other]]:
    """Files with the kind as which each is loaded, people first, and the files that are left alone.

    A file that a mapping names under several kinds is loaded as each of them.

    Raises:
        TutorqError: there is no such folder.
    """
    paths, others = landing_files(folder), other_files(folder)
    if mapping is None:
        found = [(path, entity_of(path).name) for path in paths]
    else:
        paths += [path for other in others if (path := folder / other.source).is_file() and not path.is_symlink()]
        found = [(path, entity) for path in paths for entity in mapping.entities_of(path.name, name_says(path))]
        taken = {path for path, _ in found}
        others = [other for other in others if folder / other.source not in taken]
    order = list(ENTITIES)
    return sorted(found, key=lambda item: (order.index(item[1]), item[0])), others
