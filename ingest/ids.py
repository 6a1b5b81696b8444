"""Ids of tutors, students and sessions: UUIDs stay, any other text becomes a UUIDv5.

`raw.entity_uuid(text)` (migration 0027) says the same in SQL.
"""

import re
from hashlib import sha1
from typing import Any
from uuid import UUID, uuid5

import pyarrow as pa

from ingest.arrow import ArrowColumn, compute
from ingest.spelling import EMPTY_MARKS
from ingest.unusual import EMPTY, Reading

# Never change it: every id derived from a text depends on it.
NAMESPACE = UUID("0d9d7c0e-5b0a-4c55-9d0b-6a3f5a1c7e42")

_HEX = "[0-9A-Fa-f]"
_HYPHENATED = rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_BARE = rf"{_HEX}{{32}}"
UUID_PATTERN = rf"^{_HYPHENATED}$"
_OTHER_UUID = rf"{_BARE}|\{{(?:{_HYPHENATED}|{_BARE})\}}|[Uu][Rr][Nn]:[Uu][Uu][Ii][Dd]:(?:{_HYPHENATED}|{_BARE})"
# What a column of whole numbers becomes when one of them is missing.
_FLOAT = r"[0-9]{1,30}\.0"
# As Excel shows numbers of twelve digits and more: the digits are lost.
_ROUNDED = r"[0-9](?:[.,][0-9]{1,20})?[Ee]\+[0-9]{2,3}"
# Ids that are another one than they look, or none.
ODD_PATTERN = rf"^(?:{_OTHER_UUID}|{_FLOAT}|{_ROUNDED})$"
ROUNDED_RULE = (
    "is a number as Excel shows it, whose last digits are lost: set the cell format of the column to 0 (no decimals), "
    "or to text, and save the file again"
)

_UUID = re.compile(UUID_PATTERN)
_IS_OTHER_UUID = re.compile(_OTHER_UUID)
_IS_FLOAT = re.compile(_FLOAT)
_IS_ROUNDED = re.compile(_ROUNDED)
_IS_ODD = re.compile(ODD_PATTERN)
_NAMESPACE_BYTES = NAMESPACE.bytes
# The two top bits of the ninth byte of a UUID are 10: the hex digit there becomes 8, 9, a or b.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

CACHED_IDS = 200_000


def is_uuid(text: str) -> bool:
    """True for the usual form with four hyphens, in any case."""
    return len(text) == 36 and _UUID.match(text) is not None


def is_odd(text: str) -> bool:
    """True for what `read_id` reads otherwise than it stands there, and for what is no id."""
    return text in EMPTY_MARKS or _IS_ODD.match(text) is not None


def read_id(text: str) -> Reading | None:
    """What an odd id means; None if it is as it stands there, or is rounded."""
    if text in EMPTY_MARKS:
        return EMPTY
    if _IS_OTHER_UUID.fullmatch(text):
        return Reading(str(UUID(text.lower())), "UUIDs in another form")
    if _IS_FLOAT.fullmatch(text):
        return Reading(text[:-2], "whole numbers with .0 behind them")
    return None


def entity_uuid(text: str) -> UUID:
    """The UUID of an id as delivered: itself if it is one, else its UUIDv5 under `NAMESPACE`.

    Raises:
        ValueError: the id is empty, or a number that was rounded.
    """
    text = _plain(text)
    return UUID(text) if is_uuid(text) else uuid5(NAMESPACE, text)


def external_id(text: str) -> str | None:
    """The id as delivered where it is not a UUID, else None.

    Raises:
        ValueError: as `entity_uuid`.
    """
    text = _plain(text)
    return None if is_uuid(text) else text


def _plain(text: str) -> str:
    text = text.strip()
    reading = read_id(text)
    if not text:
        raise ValueError("an id must not be empty")
    if reading is EMPTY:
        raise ValueError(f"{text} marks an empty cell and is no id: send the id")
    if _IS_ROUNDED.fullmatch(text):
        raise ValueError(f"{text} {ROUNDED_RULE}")
    return text if reading is None or reading.text is None else reading.text


def uuid5_hex(text: str) -> str:
    """`uuid5(NAMESPACE, text).hex`, several times faster (no UUID object is made)."""
    digest = sha1(_NAMESPACE_BYTES + text.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:12]}5{digest[13:16]}{_VARIANT[digest[16]]}{digest[17:32]}"


def convert_keys(texts: ArrowColumn) -> tuple[ArrowColumn, ArrowColumn]:
    """Plain ids without nulls to (UUIDs as text that Postgres reads, external ids)."""
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
        """Plain ids without nulls to (UUIDs as text, pairs of UUID and external id not met before)."""
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
                original = None if is_uuid(text) else text
                uuid = text if original is None else uuid5_hex(text)
                known[text] = uuid
                fresh.append((uuid, original))
            uuids.append(uuid)
        return pa.array(uuids, pa.string()).take(encoded.indices), fresh
