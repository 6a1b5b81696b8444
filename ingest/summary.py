"""What a load did, and how far it is."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ingest.files import Other
from ingest.notes import Note
from ingest.unknown import UnknownPeople


@dataclass(frozen=True)
class Progress:
    """How far one file is: rows of the present phase, bytes read of all bytes."""

    source: str
    phase: Literal["reading", "merging", "done"]
    rows_done: int
    bytes_done: int
    bytes_total: int


@dataclass(frozen=True)
class FileSummary:
    """What became of the rows of one file: read = inserted + updated + unchanged + stale + quarantined.

    Unchanged rows say what is stored already; stale ones are an older version of it. `remarks` of the rows that were
    taken are in quarantine, too: some cell of theirs could not be read and was left empty. `notes` say what was not
    plain in the file.
    """

    load_id: int
    source: str
    entity: str
    read: int
    inserted: int
    updated: int
    unchanged: int
    stale: int
    quarantined: int
    unknown_columns: list[str]
    seconds: float
    remarks: int = 0
    notes: list[Note] = field(default_factory=list)

    @property
    def is_lost(self) -> bool:
        """It has rows, and all of them are in quarantine."""
        return 0 < self.read == self.quarantined

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class FileError:
    """A file of which nothing was loaded, and why."""

    source: str
    message: str


@dataclass(frozen=True)
class FolderSummary:
    """What became of a folder; the counts are sums over the files that could be loaded."""

    source: str
    seconds: float
    files: list[FileSummary] = field(default_factory=list)
    errors: list[FileError] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)
    unknown_people: list[UnknownPeople] = field(default_factory=list)

    @property
    def read(self) -> int:
        return sum(file.read for file in self.files)

    @property
    def inserted(self) -> int:
        return sum(file.inserted for file in self.files)

    @property
    def updated(self) -> int:
        return sum(file.updated for file in self.files)

    @property
    def unchanged(self) -> int:
        return sum(file.unchanged for file in self.files)

    @property
    def stale(self) -> int:
        return sum(file.stale for file in self.files)

    @property
    def quarantined(self) -> int:
        return sum(file.quarantined for file in self.files)

    @property
    def neglected(self) -> list[Other]:
        """Files that look like data and are not loaded: tables that only lack the right name, and files of any other
        form, if nothing of their kind was loaded."""
        loaded = {file.entity for file in self.files}
        return [other for other in self.others if other.entity and (other.is_misnamed or other.entity not in loaded)]

    @property
    def remarks(self) -> int:
        return sum(file.remarks for file in self.files)

    @property
    def unknown_columns(self) -> dict[str, list[str]]:
        """Columns that the contract does not know, by file."""
        return {file.source: file.unknown_columns for file in self.files if file.unknown_columns}

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "read": self.read,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "stale": self.stale,
            "quarantined": self.quarantined,
            "remarks": self.remarks,
            "unknown_columns": self.unknown_columns,
            "seconds": self.seconds,
            "files": [file.to_dict() for file in self.files],
            "errors": [asdict(error) for error in self.errors],
            "others": [asdict(other) for other in self.others],
            "unknown_people": [asdict(people) for people in self.unknown_people],
        }
