"""What of a folder is loaded, and how it is read."""

from pathlib import Path

from core.errors import TutorqError
from ingest import inside
from ingest.contract import ENTITIES
from ingest.files import Other, entity_of, landing_files, other_files
from ingest.mapping import MAPPING_NAME, FileMapping, read_mapping


def folder_mapping(folder: Path) -> FileMapping | None:
    """The folder's own mapping, if there is one; no link is followed to it.

    Raises:
        TutorqError: it cannot be read or understood.
    """
    if not (folder / MAPPING_NAME).exists():
        return None
    try:
        with inside.opened(folder, MAPPING_NAME) as descriptor:
            return read_mapping(inside.path_of(descriptor, folder / MAPPING_NAME), MAPPING_NAME)
    except OSError as error:
        raise TutorqError(f"cannot read {folder / MAPPING_NAME}: {error.strerror}") from error


def files_to_load(folder: Path, mapping: FileMapping | None) -> tuple[list[tuple[Path, str]], list[Other]]:
    """Files with the kind as which each is loaded, people first, and the files that are left alone.

    A file that a mapping names under several kinds is loaded as each of them.

    Raises:
        TutorqError: there is no such folder.
    """
    found = [(path, entity_of(path).name) for path in landing_files(folder)]
    others = other_files(folder)
    if mapping is not None:
        found = [(path, entity) for path, entity in found if not mapping.entities_of(path.name)]
        candidates = {*(folder / other.source for other in others), *landing_files(folder)}
        named = [path for path in sorted(candidates) if path.is_file() and not path.is_symlink()]
        found += [(path, entity) for path in named for entity in mapping.entities_of(path.name)]
        taken = {path for path, _ in found}
        others = [other for other in others if folder / other.source not in taken]
    order = list(ENTITIES)
    return sorted(found, key=lambda item: (order.index(item[1]), item[0])), others
