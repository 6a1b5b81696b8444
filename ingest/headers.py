"""Which columns of a file are the contract's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import TutorqError
from ingest.contract import Entity
from ingest.spelling import normal

NO_NAME = "(no name)"
# So many lines may stand above the header.
SEARCHED_LINES = 10


@dataclass(frozen=True)
class Header:
    """Where the known columns stand in a file, the names of the others, and all names, each of them once."""

    positions: dict[str, int]
    unknown: list[str]
    names: list[str]


def match_header(source: str, names: Sequence[str], entity: Entity) -> Header:
    """Match the column names of a file with the contract; case, blanks, hyphens and underscores do not matter.

    Raises:
        TutorqError: a required column is missing, or a known one stands there twice.
    """
    spelt = _spelt(entity)
    found = [spelt.get(normal(name)) for name in names]
    twice = sorted(name for name, times in Counter(found).items() if name is not None and times > 1)
    if twice:
        # Names that are not known are never repeated here: without a header they would be somebody's data.
        raise TutorqError(
            f"{source}: the header names {', '.join(twice)} more than once; case, blanks, hyphens and underscores do "
            "not matter in names. Rename or delete one of the columns"
        )
    if missing := missing_columns(names, entity):
        plural = "s" if len(missing) > 1 else ""
        raise TutorqError(
            f"{source}: required column{plural} missing: {', '.join(missing)}; rename columns, or give a mapping"
        )
    return Header(
        positions={name: place for place, name in enumerate(found) if name is not None},
        unknown=[name.strip() or NO_NAME for name, known in zip(names, found, strict=True) if known is None],
        names=_distinct(names),
    )


def missing_columns(names: Sequence[str], entity: Entity) -> list[str]:
    """Required columns that the names are without."""
    found = {normal(name) for name in names}
    return [name for name in entity.required if normal(name) not in found]


def known_count(names: Sequence[str], entity: Entity) -> int:
    """How many of the names are columns of the contract."""
    return len(_spelt(entity).keys() & {normal(name) for name in names})


def header_row(rows: Sequence[Sequence[str]], entity: Entity) -> int | None:
    """The first of the rows that names every required column, among the first ones that are not blank."""
    filled = [place for place, row in enumerate(rows) if any(cell.strip() for cell in row)]
    return next((place for place in filled[:SEARCHED_LINES] if not missing_columns(rows[place], entity)), None)


def _spelt(entity: Entity) -> dict[str, str]:
    return {normal(column.name): column.name for column in entity.columns}


def _distinct(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    distinct = []
    for name in map(str.strip, names):
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct
