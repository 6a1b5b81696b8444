"""The reader that fits a landing file: each yields batches of text columns, in constant memory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from core.errors import TutorqError
from ingest.batches import RawBatch
from ingest.contract import Entity
from ingest.csv_reader import CsvReader
from ingest.draft import way_out
from ingest.excel_reader import ExcelReader
from ingest.form import Form
from ingest.headers import Header, MissingColumnsError, OfContract, Wanted
from ingest.mapped import OfMapping
from ingest.mapping import FileMapping
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


class MappedReader:
    """A reader of the file's own columns, which come out as those of the contract."""

    def __init__(self, reader: Reader, mapped: OfMapping) -> None:
        self._reader = reader
        self._mapped = mapped
        self.bytes_total = reader.bytes_total
        positions = dict.fromkeys(mapped.columns, 0)
        self.header = replace(reader.header, positions=positions)

    @property
    def bytes_done(self) -> int:
        return self._reader.bytes_done

    def batches(self) -> Iterator[RawBatch]:
        return map(self._mapped.apply, self._reader.batches())

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
    section = mapping.sections.get(entity.name) if mapping else None
    if mapping is None or section is None:
        try:
            return open_reader(source, OfContract(entity), content, notes)
        except MissingColumnsError as error:
            raise TutorqError(f"{error}; {way_out(error.names)}") from error
    wanted = OfMapping(entity, section, mapping.timezone or timezone, notes)
    return MappedReader(open_reader(source, wanted, content, notes, section.form), wanted)


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
