"""What `tutorq doctor` says of one thing that it looked at."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import psycopg

from core.errors import TutorqError
from core.words import plural


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do if it is not well."""

    what: str
    ok: bool
    found: str
    advice: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def row(connection: psycopg.Connection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    if row is None:
        raise TutorqError(f"no answer to: {query}")
    return row


def in_words(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return plural(seconds // length, unit)
    return plural(seconds, "second")
