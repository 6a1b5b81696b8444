"""Who a person is: how the marketplace and tutorq call them, and where texts name them."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import psycopg

from core.errors import TutorqError
from ingest.ids import entity_uuid
from persons.registry import Kind

ERASED: Final = "[erased]"
KINDS: Final[tuple[Kind, ...]] = ("tutor", "student")
# A shorter id, or one of digits, is looked for only where a field says that it is one: 42 stands in any text.
_SHORTEST = 4
_LONGEST_NUMBER = 8

KNOWN = {
    "tutor": "select external_id, name, email from raw.tutors where tutor_id = %s",
    "student": "select external_id, name, null from raw.students where student_id = %s",
}
SESSIONS = {
    kind: f"select session_id, external_id from raw.sessions where {kind}_id = %s order by session_id" for kind in KINDS
}


@dataclass(frozen=True)
class Identity:
    """A tutor or a student. `is_known`: there is a row of them in `raw`. `sessions`: ids of their sessions, each with
    what the marketplace calls it."""

    kind: Kind
    person_id: UUID
    external_id: str | None = None
    name: str | None = None
    email: str | None = None
    is_known: bool = False
    sessions: Sequence[tuple[UUID, str | None]] = field(default=())

    @property
    def called(self) -> str:
        """As people call them."""
        return self.name or self.external_id or str(self.person_id)

    @property
    def texts(self) -> list[str]:
        """What their id looks like."""
        return [str(self.person_id), *([self.external_id] if self.external_id else [])]

    @property
    def session_texts(self) -> list[str]:
        return [text for pair in self.sessions for text in map(str, filter(None, pair))]

    @property
    def emails(self) -> list[str]:
        return [self.email.lower()] if self.email else []

    def parameters(self, stub: UUID) -> list[Any]:
        """For the statements of the registry."""
        sessions = [session for session, _ in self.sessions]
        return [[self.person_id], self.texts, sessions, self.session_texts, self.emails, stub]

    @cached_property
    def needles(self) -> list[str]:
        """What names them in any text, the longest first."""
        plain = [str(self.person_id), self.person_id.hex]
        if self.email:
            plain.append(self.email)
        if self.external_id and not _is_weak(self.external_id):
            plain.append(self.external_id)
        if self.name and len(self.name.split()) > 1:
            plain.append(self.name)
        spelt = {form for each in plain for form in (each, html.escape(each), json.dumps(each)[1:-1])}
        return sorted(spelt, key=lambda each: (-len(each), each))

    @cached_property
    def pattern(self) -> str:
        """A regular expression, for Postgres as for Python, of what names them as a word; case does not matter."""
        names = "|".join(map(re.escape, self.needles))
        found = rf"(?<![\w-])(?:{names})(?![\w-])"
        if self.external_id and _is_weak(self.external_id):
            found += rf'|"{self.kind}[ _-]?(?:id|external_id)"\s*:\s*"?{re.escape(self.external_id)}(?![\w-])'
        return found

    def names_in(self, text: str) -> bool:
        return self._compiled.search(text) is not None

    def redacted(self, text: str) -> str:
        """The text without what names them."""
        return self._words.sub(ERASED, text)

    def redacted_json(self, value: Any) -> Any:
        """The same of decoded JSON. Where an object has their id, their name and the id that the marketplace gives them
        go, too, be they ever so short. From a list their id vanishes."""
        if isinstance(value, str):
            return self.redacted(value)
        if isinstance(value, list):
            return [self.redacted_json(each) for each in value if each not in self.texts[:1]]
        if not isinstance(value, dict):
            return value
        is_of_them = str(self.person_id) in value.values() or any(
            str(value.get(key)) == self.external_id for key in (f"{self.kind}_id", f"{self.kind}_external_id")
        )
        own = {*self.texts, self.name, self.email} if is_of_them else set()
        other = "student" if self.kind == "tutor" else "tutor"
        return {
            # A student and a tutor who are both called 17 have one UUID.
            self.redacted(str(key)): each if str(key) == f"{other}_id" else self._cleared(each, own)
            for key, each in value.items()
        }

    def _cleared(self, value: Any, own: set[str | None]) -> Any:
        if value == str(self.person_id):
            return None  # who reads it expects a UUID
        return ERASED if value is not None and str(value) in own else self.redacted_json(value)

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE)

    @cached_property
    def _words(self) -> re.Pattern[str]:
        """Where a text names them, a single name and any id that is no number count, too."""
        return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, self.needles))})(?![\w-])", re.IGNORECASE)


def _is_weak(external_id: str) -> bool:
    if external_id.isdigit():
        return len(external_id) < _LONGEST_NUMBER
    return len(external_id) < _SHORTEST


def identify(connection: psycopg.Connection, called: str, kind: Kind | None = None) -> Identity:
    """The person whom the marketplace or tutorq calls so.

    Args:
        kind: what they are; by default, whichever there is.

    Raises:
        TutorqError: there is neither a tutor nor a student of that id, or both; or the id is none.
    """
    try:
        person_id = entity_uuid(called)
    except ValueError as error:
        raise TutorqError(f"that is no id of a person: {error}") from error
    external_id = None if called.strip().lower() == str(person_id) else called.strip()
    found = [
        one
        for each in ([kind] if kind else KINDS)
        if (one := with_id(connection, each, person_id, external_id)).is_known
    ]
    if len(found) > 1:
        raise TutorqError("both a tutor and a student have this id; say which: --kind tutor or --kind student")
    if found:
        return found[0]
    if kind is None:
        raise TutorqError(
            "there is neither a tutor nor a student of this id. If one was erased, or stands only in files or in "
            "quarantine, say --kind tutor or --kind student"
        )
    return Identity(kind, person_id, external_id)


def with_id(connection: psycopg.Connection, kind: Kind, person_id: UUID, external_id: str | None = None) -> Identity:
    """The same by the UUID, as far as anything is known of them."""
    row = connection.execute(KNOWN[kind].encode(), [person_id]).fetchone()
    sessions = connection.execute(SESSIONS[kind].encode(), [person_id]).fetchall()
    if row is None:
        return Identity(kind, person_id, external_id, sessions=sessions)
    stored, name, email = row
    return Identity(kind, person_id, stored or external_id, name, email, True, sessions)
