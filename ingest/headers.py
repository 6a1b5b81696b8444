"""Which columns of a file are wanted, and where they stand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.errors import TutorqError
from ingest.contract import Column, Entity, Kind
from ingest.spelling import normal

NO_NAME = "(no name)"
# So many lines may stand above the header.
SEARCHED_LINES = 10


class MissingColumnsError(TutorqError):
    """A file lacks columns that it has to have; `names` are those that it has."""

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = list(names)


@dataclass(frozen=True)
class Header:
    """Where the wanted columns stand in a file, the names of the others, and all names, each of them once.

    `required` are the places of the columns without which no row is one; something stands in the first of them.
    """

    positions: dict[str, int]
    unknown: list[str]
    names: list[str]
    required: tuple[int, ...]


class Wanted(Protocol):
    """Which columns a file should have."""

    name: str

    def missing(self, names: Sequence[str]) -> list[str]:
        """Required columns that the names of a file are without."""

    def known(self, names: Sequence[str]) -> int:
        """How many of the names are wanted."""

    def header(self, source: str, names: Sequence[str]) -> Header:
        """
        Raises:
            TutorqError: a required column is missing, or a known one stands there twice.
        """

    def column(self, name: str) -> Column:
        """What is to become of a column of the header."""


class OfContract:
    """The columns of the contract; case, blanks, hyphens and underscores in their names do not matter."""

    def __init__(self, entity: Entity) -> None:
        self.name = entity.name
        self._entity = entity
        self._spelt = {normal(column.name): column.name for column in entity.columns}

    def missing(self, names: Sequence[str]) -> list[str]:
        found = {normal(name) for name in names}
        return [name for name in self._entity.required if normal(name) not in found]

    def known(self, names: Sequence[str]) -> int:
        return len(self._spelt.keys() & {normal(name) for name in names})

    def header(self, source: str, names: Sequence[str]) -> Header:
        found = [self._spelt.get(normal(name)) for name in names]
        twice = sorted(name for name, times in Counter(found).items() if name is not None and times > 1)
        if twice:
            # Names that are not known are never repeated here: without a header they would be somebody's data.
            raise TutorqError(
                f"{source}: the header names {', '.join(twice)} more than once; case, blanks, hyphens and underscores "
                "do not matter in names. Rename or delete one of the columns"
            )
        if missing := self.missing(names):
            plural = "s" if len(missing) > 1 else ""
            raise MissingColumnsError(f"{source}: required column{plural} missing: {', '.join(missing)}", names)
        positions = {name: place for place, name in enumerate(found) if name is not None}
        return Header(
            positions,
            unknown=[name.strip() or NO_NAME for name, known in zip(names, found, strict=True) if known is None],
            names=distinct(names),
            required=tuple(positions[name] for name in (self._entity.key, *self._entity.required)),
        )

    def column(self, name: str) -> Column:
        return self._entity.column(name)


class OfFile:
    """Whatever columns a file has, as texts: to look at one of which nothing is known."""

    name = "a table"

    def missing(self, names: Sequence[str]) -> list[str]:
        return [] if sum(bool(name.strip()) for name in names) > 1 else ["a second column"]

    def known(self, names: Sequence[str]) -> int:
        return sum(bool(name.strip()) for name in names)

    def header(self, source: str, names: Sequence[str]) -> Header:  # noqa: ARG002
        names = distinct(names)
        positions = {name: place for place, name in enumerate(names) if name}
        return Header(positions, [NO_NAME] * names.count(""), names, required=(0,))

    def column(self, name: str) -> Column:
        return Column(name, Kind.TEXT, "text")


def header_row(rows: Sequence[Sequence[str]], wanted: Wanted) -> int | None:
    """The first of the rows that names every required column, among the first ones that are not blank."""
    filled = [place for place, row in enumerate(rows) if any(cell.strip() for cell in row)]
    return next((place for place in filled[:SEARCHED_LINES] if not wanted.missing(rows[place])), None)


def distinct(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unlike = []
    for name in map(str.strip, names):
        seen[name] += 1
        unlike.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unlike
