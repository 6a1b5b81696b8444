"""Rows of a landing file as text, before any check of their values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.arrow import ArrowColumn

NOT_UTF8 = "is not valid UTF-8"
HAS_NUL = "contains a NUL character"


@dataclass(frozen=True)
class Reject:
    """A row that cannot be taken: where it stands, why, and the row as delivered."""

    line: int
    reason: str
    content: object


@dataclass(frozen=True)
class RawBatch:
    """Some rows of a file as text, before any check of their values.

    `columns` holds the known columns that the file has, `problems` what was found wrong while reading
    (by row), `rejects` what could not even be made a row, `delivered(i)` the i-th row for the quarantine.
    """

    lines: npt.NDArray[np.int64]
    columns: dict[str, ArrowColumn]
    delivered: Callable[[int], object]
    problems: dict[int, list[str]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)


def text_array(values: Sequence[str | None], name: str, problems: dict[int, list[str]]) -> ArrowColumn:
    """Texts to an Arrow column; values with bytes that are not UTF-8, or with NUL, are noted as problems."""
    try:
        texts = pa.array(values, pa.string())
    except UnicodeEncodeError:
        cleaned = []
        for row, value in enumerate(values):
            escaped = None if value is None else value.encode("utf-8", "backslashreplace").decode()
            if escaped != value:
                problems.setdefault(row, []).append(f"{name}: {NOT_UTF8}")
            cleaned.append(escaped)
        texts = pa.array(cleaned, pa.string())
    return without_nul(texts, name, problems)


def without_nul(texts: ArrowColumn, name: str, problems: dict[int, list[str]]) -> ArrowColumn:
    data = texts.buffers()[2]
    if data is None or b"\0" not in data.to_pybytes():
        return texts
    values = texts.to_pylist()
    for row, value in enumerate(values):
        if value is not None and "\0" in value:
            problems.setdefault(row, []).append(f"{name}: {HAS_NUL}")
            values[row] = value.replace("\0", "")
    return pa.array(values, pa.string())
