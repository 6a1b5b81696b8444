"""Ids of people who were erased: keyed hashes in `raw.erased_ids`, by which rows that name them are refused.

The key stands in `TUTORQ_ERASURE_KEY`, or in a file of the home: the database alone does not tell whose ids they are.
"""

import hashlib
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Literal
from uuid import UUID

import psycopg

from core.database import Database
from core.errors import TutorqError
from core.sealing import kept_keys
from core.settings import Settings

IdKind = Literal["tutor", "student", "session"]

# For one parameter: hashes, the first one `ErasedIds.check`; null for all. To be asked before rows are written, in the
# same transaction (decision 86).
AMONG = "select * from raw.erased_among({parameter}::bytea[])"
REASON = "names a tutor, a student or a session that was erased; `tutorq person allow` lifts that"
NO_KEY = (
    "TUTORQ_ERASURE_KEY is not set, or is not the key that people were erased with: without it, rows that name them "
    "cannot be told apart"
)
NOT_SET = (
    "TUTORQ_ERASURE_KEY is not set: ids of erased people are kept as hashes under it. `openssl rand -base64 32` makes "
    "one; every process needs the same, for ever"
)
_HASH_BYTES = 16


class ErasedIds:
    """Hashes ids with the key of the settings; without a key it finds nobody."""

    def __init__(self, key: str | None) -> None:
        self._key = hashlib.sha256((key or "").encode()).digest()
        self.has_key = key is not None

    @cached_property
    def check(self) -> bytes:
        """The hash of the key itself."""
        return self._hash("key", "")

    def hash(self, kind: IdKind, key: UUID | str) -> bytes:
        """16 bytes that only the key leads to. `key`: the UUID, or its text with hyphens or without."""
        return self._hash(kind, key.hex if isinstance(key, UUID) else key.replace("-", "").lower())

    def hash_all(self, kind: IdKind, keys: Iterable[UUID | str]) -> list[bytes]:
        return [self.hash(kind, key) for key in keys]

    def read_all(self, connection: psycopg.Connection) -> frozenset[bytes]:
        """All hashes; keeps an erasure waiting until the transaction ends.

        Raises:
            TutorqError: people were erased with another key.
        """
        found = frozenset(row[0] for row in connection.execute(AMONG.format(parameter="%s"), [None]))
        self.require_key(found)
        return found

    def require_key(self, found: Collection[bytes]) -> None:
        """
        Raises:
            TutorqError: `found`, of the database, was made with another key.
        """
        if found and self.check not in found:
            raise TutorqError(NO_KEY)

    def _hash(self, kind: str, text: str) -> bytes:
        return hashlib.blake2b(f"{kind}\0{text}".encode(), key=self._key, digest_size=_HASH_BYTES).digest()


def erased_ids(settings: Settings, *, make: bool = False) -> ErasedIds:
    """With the key of the settings; else with the one in the home, which `make` makes.

    Raises:
        TutorqError: to `make` one, no key is set, and the database is not embedded: other machines could not have it.
    """
    if settings.erasure_key:
        return ErasedIds(settings.erasure_key.get_secret_value())
    path = settings.erasure_key_file
    if make and not path.exists() and not Database(settings).is_embedded:
        raise TutorqError(NOT_SET)
    return ErasedIds(kept_keys(path)[0] if make or path.exists() else None)
