"""What cells mean that are not written plainly. Times are in time_forms.py, ids in ids.py."""

import csv
import json
import re
from email.utils import parseaddr

from ingest import spelling
from ingest.contract import Column
from ingest.spelling import EMPTY_MARKS
from ingest.unusual import EMPTY, Reading

_ZERO = re.compile(r"[+-]?0(?:\.0*)?")
# One address and no more than that. Whether there is such a mailbox is another question.
EMAIL = r"[^\s@<>(),;:\\\"\[\]]+@[^\s@<>(),;:\\\"\[\]]+"
_EMAIL = re.compile(EMAIL)
_MAILTO = re.compile(r"^mailto:", re.IGNORECASE)
# The longest address there is (RFC 3696). `parseaddr` calls itself once per bracket.
_LONGEST_EMAIL = 320
# An entry of a Postgres array: in double quotes, with a backslash before quotes and backslashes, or bare. No quantifier
# gives back what it took: a bare entry takes blanks, too, and trying all shares of them would take cubic time.
_ARRAY_ENTRY = re.compile(r'\s*+(?:"((?:[^"\\]|\\.)*+)"|([^",{}\\]*+))\s*+(?:,|$)', re.DOTALL)


def read_text(text: str) -> Reading | None:
    """An empty cell, or nothing unusual: a text may say whatever it likes."""
    return EMPTY if text in EMPTY_MARKS else None


def read_value(text: str) -> Reading | None:
    """An empty cell, where texts have no place."""
    return EMPTY if spelling.is_empty_word(text) else None


def read_number(text: str, column: Column) -> Reading | None:
    if column.is_zero_empty and _ZERO.fullmatch(text):
        return Reading(None, "0 as not given")
    return read_value(text)


def number_reason(text: str, _: bool) -> str:
    """Why a number is refused, and what to do."""
    return _number_reason(text, "a number")


def whole_number_reason(text: str, _: bool) -> str:
    """Why a whole number is refused, and what to do."""
    return _number_reason(text, "a whole number")


def boolean_reason(_: str, is_in_file: bool) -> str:
    """Why a word is refused, and what to do."""
    return f"is neither true nor false{spelling.MAPPING if is_in_file else ''}"


def _number_reason(text: str, what: str) -> str:
    is_marked = re.fullmatch(r"[+-]?[0-9][0-9.,'\s]*[,'\s][0-9.,'\s]*[0-9]", text[:40])
    hint = "; write a point before decimals, and no mark between thousands" if is_marked else ""
    return f"is not {what}{hint}"


def read_choice(text: str, column: Column) -> Reading | None:
    """A word of the list, however it is spelt."""
    word = spelling.word(text, column.allowed)
    return read_value(text) if word is None else Reading(word, "words in another spelling")


def read_email(text: str) -> Reading | None:
    """The one address in it, without the name of the person."""
    if spelling.is_empty_word(text):
        return EMPTY
    if len(text) > _LONGEST_EMAIL or text.count("@") != 1:
        return None
    address = parseaddr(_MAILTO.sub("", text, count=1))[1]
    return Reading(address, "addresses with something around them") if _EMAIL.fullmatch(address) else None


def read_list(text: str) -> Reading | None:
    """Entries joined by `;`."""
    if text in EMPTY_MARKS:
        return EMPTY
    if text[0] == "[" and text[-1] == "]":
        return _joined(_json_entries(text), "lists in JSON")
    if text[0] == "{" and text[-1] == "}":
        return _joined(_array_entries(text), "lists as Postgres writes them")
    if ";" in text:
        return None
    if "|" in text:
        return _joined(text.split("|"), "lists with | between")
    if "," not in text:
        return None
    # It may be one name with a comma in it, such as `Reading, Writing & Maths`.
    reading = _joined(_comma_entries(text), "lists with a comma between")
    return None if reading is None else Reading(reading.text, reading.what, "guessed")


def _joined(entries: list[str] | None, what: str) -> Reading | None:
    if entries is None:
        return None
    return Reading(";".join(entry.strip() for entry in entries if entry.strip()) or None, what)


def _json_entries(text: str) -> list[str] | None:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not all(entry is None or isinstance(entry, str) for entry in entries):
        return None
    return [entry for entry in entries if entry is not None]


def _comma_entries(text: str) -> list[str] | None:
    try:
        return [entry for row in csv.reader(text.splitlines(keepends=True), skipinitialspace=True) for entry in row]
    except csv.Error:
        return None


def _array_entries(text: str) -> list[str] | None:
    inside, at = text[1:-1], 0
    entries: list[str] = []
    while at < len(inside):
        found = _ARRAY_ENTRY.match(inside, at)
        if found is None:
            return None
        quoted, bare = found.groups()
        if quoted is not None:
            entries.append(re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
        elif bare.strip().upper() != "NULL":
            entries.append(bare)
        at = found.end()
    return entries
