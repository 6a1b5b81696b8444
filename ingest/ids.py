"""Ids of tutors, students and sessions: UUIDs stay, any other text becomes a UUIDv5."""

import re
from hashlib import sha1
from typing import Any
from uuid import UUID, uuid5

import pyarrow as pa

from ingest.arrow import ArrowColumn, compute

# Never change it: every id derived from a text depends on it.
NAMESPACE = UUID("0d9d7c0e-5b0a-4c55-9d0b-6a3f5a1c7e42")

UUID_PATTERN = r"^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
_UUID = re.compile(UUID_PATTERN)
_NAMESPACE_BYTES = NAMESPACE.bytes
# The two top bits of the ninth byte of a UUID are 10: the hex digit there becomes 8, 9, a or b.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

CACHED_IDS = 200_000


def is_uuid(text: str) -> bool:
    """True for the usual form with four hyphens, in any case."""
    return len(text) == 36 and _UUID.match(text) is not None


def entity_uuid(text: str) -> UUID:
    """The UUID of an id as delivered: itself if it is one, else its UUIDv5 under `NAMESPACE`.

    Raises:
        ValueError: the id is empty.
    """
    text = text.strip()
    if not text:
        raise ValueError("an id must not be empty")
    return UUID(text) if is_uuid(text) else uuid5(NAMESPACE, text)


def external_id(text: str) -> str | None:
    """The id as delivered where it is not a UUID, else None."""
    text = text.strip()
    return None if is_uuid(text) else text


def uuid5_hex(text: str) -> str:
    """`uuid5(NAMESPACE, text).hex`, several times faster (no UUID object is made)."""
    digest = sha1(_NAMESPACE_BYTES + text.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:12]}5{digest[13:16]}{_VARIANT[digest[16]]}{digest[17:32]}"


def convert_keys(texts: ArrowColumn) -> tuple[ArrowColumn, ArrowColumn]:
    """Ids without nulls to (UUIDs as text that Postgres reads, external ids)."""
    are_uuids = compute.match_substring_regex(texts, UUID_PATTERN)
    uuids_count = compute.sum(are_uuids).as_py() or 0
    if uuids_count == len(texts):
        return texts, pa.nulls(len(texts), pa.string())
    originals: list[Any] = texts.to_pylist()
    hashed = pa.array([uuid5_hex(text) for text in originals], pa.string())
    if uuids_count == 0:
        return hashed, texts
    nothing = pa.scalar(None, pa.string())
    return compute.if_else(are_uuids, texts, hashed), compute.if_else(are_uuids, nothing, texts)


class ReferenceIds:
    """Converts ids that repeat (tutors, students), and tells which were met for the first time.

    It remembers a bounded number of ids; one that was forgotten is reported as new once more.
    """

    def __init__(self, limit: int = CACHED_IDS) -> None:
        self._limit = limit
        self._known: dict[str, str] = {}

    def convert(self, texts: ArrowColumn) -> tuple[ArrowColumn, list[tuple[str, str | None]]]:
        """Ids without nulls to (UUIDs as text, pairs of UUID and external id not met before)."""
        encoded = texts.dictionary_encode()
        known = self._known
        if len(known) > self._limit:
            known.clear()
        uuids: list[str] = []
        fresh: list[tuple[str, str | None]] = []
        distinct: list[Any] = encoded.dictionary.to_pylist()
        for text in distinct:
            uuid = known.get(text)
            if uuid is None:
                original = external_id(text)
                uuid = text if original is None else uuid5_hex(text)
                known[text] = uuid
                fresh.append((uuid, original))
            uuids.append(uuid)
        return pa.array(uuids, pa.string()).take(encoded.indices), fresh
