"""The reader that fits a landing file: each yields batches of text columns, in constant memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from core.errors import TutorqError
from ingest.batches import RawBatch
from ingest.contract import SESSIONS, Entity
from ingest.csv_reader import CsvReader
from ingest.draft import way_out
from ingest.excel_reader import ExcelReader
from ingest.files import name_says
from ingest.form import Form
from ingest.headers import Header, MissingColumnsError, OfContract, Wanted
from ingest.mapped import OfMapping
from ingest.mapping import FileMapping
from ingest.moves import MOVE_COLUMNS, Bookings
from ingest.notes import Notes
from ingest.parquet_reader import ParquetReader
from ingest.parts import Parts


class Reader(Protocol):
    """A file that is open to be read once."""

    bytes_total: int

    @property
    def header(self) -> Header: ...

    @property
    def bytes_done(self) -> int: ...

    def batches(self) -> Iterator[RawBatch]: ...

    def close(self) -> None: ...


Convert = Callable[[Iterator[RawBatch]], Iterator[RawBatch]]


class ConvertedReader:
    """A reader of the file's own columns, which come out as columns of the contract."""

    def __init__(self, reader: Reader, columns: Iterable[str], convert: Convert) -> None:
        self.origin = reader
        self._reader = reader
        self._convert = convert
        self.bytes_total = reader.bytes_total
        self.header = replace(reader.header, positions=dict.fromkeys(columns, 0))

    @property
    def bytes_done(self) -> int:
        return self._reader.bytes_done

    def batches(self) -> Iterator[RawBatch]:
        return self._convert(self._reader.batches())

    def close(self) -> None:
        self._reader.close()


def open_mapped(
    source: str, entity: Entity, content: Path | Parts, notes: Notes, timezone: str, mapping: FileMapping | None = None
) -> Reader:
    """The reader of a file, whose columns come out as those of the contract.

    Args:
        source: what the file is called; the end of this name tells what it is.
        content: where to read it.
        timezone: in which times without an offset are, unless the mapping says it.
        mapping: how files are read that are not as in the contract.

    Raises:
        TutorqError: the file as a whole cannot be read; as do the methods of the reader.
    """
    path = PurePosixPath(source)
    moves = mapping.moves_of(entity.name, path.name, name_says(path)) if mapping else None
    section = mapping.sections.get(SESSIONS.name if moves else entity.name) if mapping else None
    if mapping is None or section is None:
        try:
            return open_reader(source, OfContract(entity), content, notes)
        except MissingColumnsError as error:
            raise TutorqError(f"{error}; {way_out(error.names)}") from error
    zone = mapping.timezone or timezone
    mapped = OfMapping(SESSIONS if moves else entity, section, zone, notes)
    if moves is None:
        reader = open_reader(source, mapped, content, notes, section.form)
        return ConvertedReader(reader, mapped.columns, lambda batches: map(mapped.apply, batches))
    reader = open_reader(source, mapped, content, Notes(), section.form)
    try:
        bookings = Bookings(source, reader.batches(), mapped, moves, zone)
    finally:
        reader.close()
    reader = open_reader(source, mapped, content, notes, section.form)
    if entity.name == SESSIONS.name:
        return ConvertedReader(
            reader, mapped.columns, lambda batches: bookings.sessions(map(mapped.apply, batches), notes)
        )
    return ConvertedReader(reader, MOVE_COLUMNS, lambda _: iter([bookings.moves()]))


def open_reader(source: str, wanted: Wanted, content: Path | Parts, notes: Notes, form: Form | None = None) -> Reader:
    """
    Args:
        source: what the file is called; the end of this name tells what it is.
        content: where to read it.
        form: how it is written, if it is a CSV file.

    Raises:
        TutorqError: the file as a whole cannot be read; as do the methods of the reader.
    """
    ending = PurePosixPath(source.lower()).suffix
    if isinstance(content, Parts):
        content.check()
    if isinstance(content, Parts) or ending == ".parquet":
        return ParquetReader(source, wanted, content, notes)
    if ending == ".xlsx":
        return ExcelReader(source, wanted, content, notes)
    return CsvReader(source, wanted, content, notes, form)
