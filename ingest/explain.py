"""How a file would be read, without loading anything of it."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from core.errors import TutorqError
from ingest.batches import RawBatch
from ingest.contract import ENTITIES, Entity, Kind
from ingest.draft import additions, draft, fitting_ready_made, likely_entity
from ingest.files import other_format
from ingest.folder import kinds, mapping_above
from ingest.headers import OfFile
from ingest.mapping import FileMapping, read_mapping
from ingest.notes import Note, Notes
from ingest.parser import BatchParser, TypedBatch
from ingest.parts import Parts
from ingest.readers import Reader, open_mapped, open_reader

# Rows that are looked at, and of them those that are shown.
LOOKED_AT = 1_000
SHOWN_ROWS = 3


@dataclass(frozen=True)
class ReadColumn:
    """A column of the contract: its text in the first rows, by the mapping if there is one, and what it is read as."""

    name: str
    cells: list[str | None]
    values: list[str | None]


@dataclass(frozen=True)
class Reading:
    """How a file would be read as one kind of file."""

    entity: str
    rows: int
    columns: list[ReadColumn]
    unknown_columns: list[str]
    refused: list[tuple[int, str]]
    notes: list[Note]
    # What a mapping would have to say besides, so that all words and times are read; its text.
    additions: str


@dataclass(frozen=True)
class Explanation:
    """How a file would be read; with `failure` it would not.

    `use` is a ready-made mapping that reads it, `draft` the text of one to begin with.
    """

    source: str
    is_mapped: bool
    readings: list[Reading] = field(default_factory=list)
    failure: str = ""
    use: str | None = None
    draft: str | None = None


def explain(path: Path, *, timezone: str, mapping: Path | None = None) -> Explanation:
    """Read the first rows of a file as `load_folder` would.

    Raises:
        TutorqError: there is no such file, or it cannot be read at all, or its mapping is wrong.
    """
    if not path.exists():
        raise TutorqError(f"there is no file {path}")
    said = read_mapping(mapping) if mapping else mapping_above(path.parent, path.name)
    content = Parts(path.parent, path.name) if path.is_dir() else path
    named = kinds(path, said)
    if not named:
        if other := other_format(path.name):
            raise TutorqError(f"{path.name}: {other}")
        return _drafted(path, content, f"the name {path.name} does not say what the file holds", is_mapped=False)
    try:
        readings = [_reading(path, content, ENTITIES[name], timezone, said) for name in named]
    except TutorqError as error:
        is_mapped = said is not None
        return _drafted(path, content, str(error), is_mapped=is_mapped, entity=ENTITIES[named[-1]])
    return Explanation(path.name, said is not None, readings)


def _reading(path: Path, content: Path | Parts, entity: Entity, timezone: str, mapping: FileMapping | None) -> Reading:
    notes = Notes()
    reader = open_mapped(path.name, entity, content, notes, timezone, mapping)
    try:
        raw = _first_rows(reader)
        if raw is None:
            raise TutorqError(f"{path.name} has no rows")
        zone = mapping.timezone if mapping and mapping.timezone else timezone
        typed = BatchParser(entity, zone, notes).parse(raw)
    finally:
        reader.close()
    return Reading(
        entity.name,
        len(raw.lines),
        _columns(entity, raw, typed),
        reader.header.unknown,
        [(reject.line, reject.reason) for reject in typed.rejects[:SHOWN_ROWS]],
        notes.all,
        additions(entity, _texts(raw)),
    )


def _first_rows(reader: Reader) -> RawBatch | None:
    return next((batch for batch in reader.batches() if len(batch.lines)), None)


def _columns(entity: Entity, raw: RawBatch, typed: TypedBatch) -> list[ReadColumn]:
    """Of the first good rows."""
    lines = typed.rows.column("line").to_pylist()[:SHOWN_ROWS]
    places = {line: place for place, line in enumerate(raw.lines.tolist())}
    found = []
    for column in entity.columns:
        if column.name in raw.columns:
            cells = [raw.columns[column.name][places[line]].as_py() for line in lines]
            # An id is told as it came; what it becomes in the database means nothing to anybody.
            values = cells if column.kind is Kind.ID else typed.rows.column(column.name).to_pylist()[:SHOWN_ROWS]
            found.append(ReadColumn(column.name, cells, [_shown(value) for value in values]))
    return found


def _texts(raw: RawBatch) -> dict[str, list[str]]:
    """Cells of the first rows by column, empty ones left out."""
    return {name: [cell for cell in cells.to_pylist()[:LOOKED_AT] if cell] for name, cells in raw.columns.items()}


def _shown(value: Any) -> str | None:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return value if value is None else str(value)


def _drafted(
    path: Path, content: Path | Parts, failure: str, *, is_mapped: bool, entity: Entity | None = None
) -> Explanation:
    """What else there is to say about a file that cannot be read as it is."""
    reader = open_reader(path.name, OfFile(), content, Notes())
    try:
        names = [name for name in reader.header.names if name]
        batch = _first_rows(reader)
    finally:
        reader.close()
    if use := fitting_ready_made(names):
        return Explanation(path.name, is_mapped, failure=failure, use=use)
    samples = _texts(batch) if batch else {}
    text = draft(path.name, names, samples, entity or likely_entity(names))
    return Explanation(path.name, is_mapped, failure=failure, draft=text)
