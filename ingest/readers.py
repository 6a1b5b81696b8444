"""The reader that fits a landing file: each yields batches of text columns, in constant memory."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from ingest.batches import RawBatch
from ingest.contract import Entity
from ingest.csv_reader import CsvReader
from ingest.excel_reader import ExcelReader
from ingest.form import Form
from ingest.headers import Header
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


def open_reader(source: str, entity: Entity, content: Path | Parts, notes: Notes, form: Form | None = None) -> Reader:
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
        return ParquetReader(source, entity, content, notes)
    if ending == ".xlsx":
        return ExcelReader(source, entity, content, notes)
    return CsvReader(source, entity, content, notes, form)
