"""Rows of ml.match_predictions as Postgres reads them from COPY … (format binary), made for a whole block at once."""

import numpy as np

from ml.pairs import Block, bucket_of

COLUMNS = ("student_id", "tutor_id", "churn_probability", "run_id", "bucket")
WIDTHS = (16, 16, 4, 4, 2)

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"


class RowEncoder:
    """Encodes the blocks of one run. All rows have one layout, most of which is the same in all of them."""

    def __init__(self, run_id: int) -> None:
        layout: list[tuple[str, str]] = [("fields", ">i2")]
        for name, width in zip(COLUMNS, WIDTHS, strict=True):
            layout += [(f"{name} length", ">i4"), (name, f"V{width}")]
        self._blank = np.zeros(1, dtype=layout)
        self._blank["fields"] = len(COLUMNS)
        for name, width in zip(COLUMNS, WIDTHS, strict=True):
            self._blank[f"{name} length"] = width
        self._blank["run_id"] = np.void(run_id.to_bytes(4, "big"))

    def encode(self, block: Block) -> memoryview:
        """The rows of a block, without HEADER and TRAILER."""
        of_one = np.broadcast_to(self._blank, len(block.tutors)).copy()
        of_one["tutor_id"] = np.ascontiguousarray(block.tutors).view("V16")[:, 0]
        rows = np.tile(of_one, (len(block.students), 1))
        rows["student_id"] = np.ascontiguousarray(block.students).view("V16")
        rows["bucket"] = bucket_of(block.students).astype(">i2").view("V2")[:, np.newaxis]
        rows["churn_probability"] = block.probability.reshape(rows.shape).astype(">f4").view("V4")
        return rows.view(np.uint8).reshape(-1).data
