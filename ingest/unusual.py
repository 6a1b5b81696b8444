"""Cells that are not written plainly: each distinct value is read once more, and noted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.arrow import ArrowColumn, compute
from ingest.contract import Column
from ingest.notes import SHOWN_EXAMPLES, NoteKind, Notes

SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cell means: its plain text, or None if it is empty; `what` says in the summary how it was written."""

    text: str | None
    what: str
    kind: NoteKind = "understood"


EMPTY = Reading(None, "words for an empty cell")

# Of the text of a cell; None if it is not understood.
Reader = Callable[[str], Reading | None]


def reread(column: Column, texts: ArrowColumn, is_odd: ArrowColumn, read: Reader, notes: Notes) -> ArrowColumn:
    """`texts`, with the odd cells as `read` understands them; those that it does not understand stay as they are.

    Args:
        is_odd: a mask without nulls, true for no empty cell. Cells that are longer than the column may be are not read.
    """
    encoded = texts.filter(is_odd).dictionary_encode()
    values: list[Any] = encoded.dictionary.to_pylist()
    counts = np.bincount(encoded.indices.to_numpy(), minlength=len(values)).tolist()
    plain: list[str | None] = []
    for value, count in zip(values, counts, strict=True):
        reading = read(value) if len(value) <= column.longest else None
        if reading is not None and reading.text == value:
            reading = None
        plain.append(value if reading is None else reading.text)
        if reading is not None:
            example = f"{shown(value)!r} → {'empty' if reading.text is None else shown(reading.text)}"
            notes.add(reading.kind, f"{column.name}: {reading.what}", count, [example])
    found = pa.array(plain, pa.string()).take(encoded.indices)
    reread_texts: ArrowColumn = compute.replace_with_mask(texts, is_odd, found)
    return reread_texts


def note_rewritten(column: str, what: str, before: ArrowColumn, after: ArrowColumn, notes: Notes) -> None:
    """Notes cells that were rewritten as a whole column was, without a look at each."""
    examples = zip(before[:SHOWN_EXAMPLES].to_pylist(), after[:SHOWN_EXAMPLES].to_pylist(), strict=True)
    notes.add("understood", f"{column}: {what}", len(before), [f"{old!r} → {new}" for old, new in examples])


def shown(text: str) -> str:
    """A cell as it stands in a sentence."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
