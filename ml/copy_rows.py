"""Rows of ml.match_predictions as Postgres reads them from COPY … (format binary), made for a whole block at once."""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from ml.features import COMPATIBILITY_WEIGHTS, RISK_LEVELS, Matrix, risk_codes
from ml.pairs import Block, bucket_of

COLUMNS = (
    "bucket", "student_id", "tutor_id", "churn_probability", "risk_level", "compatibility_score",
    *COMPATIBILITY_WEIGHTS, "model_version", "predicted_at",
)  # fmt: skip

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
LONGEST_LEVEL = max(len(level) for level in RISK_LEVELS)


class RowEncoder:
    """Encodes the blocks of one model at one time. Single rows differ in length only by the level and by nulls, so all
    are laid out at their longest, and what a row does not need is cut out of it at the end."""

    def __init__(self, model_version: str, predicted_at: datetime, *, low: float, high: float) -> None:
        """`low` and `high` are the probabilities from which a risk is medium and high."""
        version = model_version.encode()
        self._limits = (low, high)
        widths = {"bucket": 2, "student_id": 16, "tutor_id": 16, "risk_level": LONGEST_LEVEL,
                  "model_version": len(version), "predicted_at": 8}  # fmt: skip
        layout: list[tuple[str, str]] = [("fields", ">i2")]
        for name in COLUMNS:
            layout += [(f"{name} length", ">i4"), (name, f"V{widths.get(name, 4)}")]
        self._row = np.dtype(layout)
        self._blank = np.zeros(1, dtype=self._row)
        self._blank["fields"] = len(COLUMNS)
        for name in COLUMNS:
            self._blank[f"{name} length"] = widths.get(name, 4)
        self._blank["model_version"] = np.void(version)
        microseconds = round((predicted_at - POSTGRES_EPOCH).total_seconds() * 1_000_000)
        self._blank["predicted_at"] = np.void(microseconds.to_bytes(8, "big", signed=True))
        self._levels = np.array([np.void(level.encode().ljust(LONGEST_LEVEL)) for level in RISK_LEVELS])

    def encode(self, block: Block) -> bytes:
        """The rows of a block, without HEADER and TRAILER."""
        students, tutors = len(block.students), len(block.tutors)
        rows = np.empty((students, tutors), dtype=self._row)
        rows[:] = self._blank
        buckets = bucket_of(block.students).astype(">i2")
        rows["bucket"] = buckets.view("V2")[:, np.newaxis]
        rows["student_id"] = np.ascontiguousarray(block.students).view("V16")
        rows["tutor_id"] = np.ascontiguousarray(block.tutors).view("V16")[:, 0]
        flat = rows.reshape(-1)
        codes = risk_codes(block.probability, *self._limits)
        flat["churn_probability"] = _reals(block.probability)
        flat["risk_level"] = self._levels[codes]
        lengths = np.array([len(level) for level in RISK_LEVELS])
        flat["risk_level length"] = lengths[codes]
        flat["compatibility_score"] = _reals(block.compatibility)
        needed = np.ones((len(flat), self._row.itemsize), dtype=np.bool_)
        self._cut(needed, "risk_level", LONGEST_LEVEL - lengths[codes])
        for name, values in block.mismatches.items():
            flat[name] = _reals(values)
            unknown = np.isnan(values)
            if unknown.any():
                flat[f"{name} length"][unknown] = -1
                self._cut(needed, name, np.where(unknown, 4, 0))
        return flat.view(np.uint8).reshape(needed.shape)[needed].tobytes()

    def _cut(self, needed: npt.NDArray[np.bool_], name: str, surplus: npt.NDArray[np.int64]) -> None:
        """Mark the last `surplus` bytes of a field, row by row, as not needed."""
        kind, start = self._row.fields[name][:2]  # type: ignore[index]
        for place in range(kind.itemsize):
            needed[:, start + place] &= place < kind.itemsize - surplus


def _reals(values: Matrix) -> npt.NDArray[np.void]:
    return values.astype(">f4").view("V4")
