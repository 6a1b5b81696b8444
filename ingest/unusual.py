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


# A mask, without nulls, of the texts that are no values of their column.
AreWrong = Callable[[ArrowColumn], ArrowColumn]


def reread(
    column: Column, texts: ArrowColumn, is_odd: ArrowColumn, read: Reader, are_wrong: AreWrong, notes: Notes
) -> ArrowColumn:
    """`texts`, with the odd cells as `read` understands them; those that it does not understand stay as they are.

    Args:
        is_odd: a mask without nulls, true for no empty cell. Cells that are longer than the column may be are not read.
    """
    encoded = texts.filter(is_odd).dictionary_encode()
    values: list[Any] = encoded.dictionary.to_pylist()
    counts = np.bincount(encoded.indices.to_numpy(), minlength=len(values)).tolist()
    readings = [read(value) if len(value) <= column.longest else None for value in values]
    plain = pa.array(
        [value if reading is None else reading.text for value, reading in zip(values, readings, strict=True)],
        pa.string(),
    )
    wrong = are_wrong(plain).to_pylist()
    for value, count, reading, is_wrong in zip(values, counts, readings, wrong, strict=True):
        if reading is not None and reading.text != value and not is_wrong:
            example = f"{shown(value)!r} → {'empty' if reading.text is None else shown(reading.text)}"
            notes.add(reading.kind, f"{column.name}: {reading.what}", count, [example])
    found = plain.take(encoded.indices)
    reread_texts: ArrowColumn = compute.replace_with_mask(texts, is_odd, found)
    return reread_texts


def note_rewritten(
    column: Column, what: str, before: ArrowColumn, after: ArrowColumn, are_wrong: AreWrong, notes: Notes
) -> None:
    """Notes cells that were rewritten as a whole column was, without a look at each; not those that are refused."""
    is_taken = compute.invert(are_wrong(after))
    before, after = before.filter(is_taken), after.filter(is_taken)
    if not len(before):
        return
    examples = zip(before[:SHOWN_EXAMPLES].to_pylist(), after[:SHOWN_EXAMPLES].to_pylist(), strict=True)
    notes.add("understood", f"{column.name}: {what}", len(before), [f"{old!r} → {new}" for old, new in examples])


def shown(text: str) -> str:
    """A cell as it stands in a sentence."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
