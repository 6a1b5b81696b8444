"""All pairs as earlier versions predicted and stored them: XGBoost is asked about each pair, and all that readers are
shown is kept in its row."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
from psycopg import sql

from core.database import Database
from ml.copy_rows import HEADER, TRAILER
from ml.features import COMPATIBILITY_WEIGHTS, RISK_LEVELS, risk_codes
from ml.model import BoostedModel
from ml.pairs import BUCKETS, Block, Students, Tutors, bucket_of, matrix
from ml.people import active_people

TABLE = """
create table {} (
    bucket smallint not null,
    student_id uuid not null,
    tutor_id uuid not null,
    churn_probability real not null check (churn_probability between 0 and 1),
    risk_level text not null check (risk_level in ('low', 'medium', 'high')),
    compatibility_score real not null check (compatibility_score between 0 and 1),
    pace_mismatch real,
    style_mismatch real,
    communication_mismatch real,
    age_mismatch real,
    model_version text not null,
    predicted_at timestamptz not null default now()
)
"""
BLOCK_ROWS = 32_768
LONGEST_LEVEL = max(map(len, RISK_LEVELS))


def predict_all(database: Database, model: BoostedModel) -> float:
    """Predict every pair into a table per bucket, and return the seconds. All preferences have to be known."""
    started = time.perf_counter()
    with database.connect() as connection:
        students, tutors = active_people(connection)
    owner = bucket_of(students.ids)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda bucket: _fill(database, model, bucket, students[owner == bucket], tutors), range(BUCKETS)))
    return time.perf_counter() - started


def _fill(database: Database, model: BoostedModel, bucket: int, students: Students, tutors: Tutors) -> None:
    table = sql.Identifier(f"twin_{bucket}")
    per_block = max(1, BLOCK_ROWS // len(tutors))
    with database.connect() as connection:
        connection.execute(sql.SQL("drop table if exists {}").format(table))
        connection.execute(sql.SQL(TABLE).format(table))
        with connection.cursor().copy(sql.SQL("copy {} from stdin (format binary, freeze)").format(table)) as copy:
            copy.write(HEADER)
            for start in range(0, len(students), per_block):
                copy.write(_rows(model, students[start : start + per_block], tutors))
            copy.write(TRAILER)
        connection.execute(
            sql.SQL("alter table {0} add primary key (bucket, student_id, tutor_id), add check (bucket = {1})").format(
                table, sql.Literal(bucket)
            )
        )
        connection.execute(sql.SQL("create index on {} (tutor_id)").format(table))
        connection.execute(sql.SQL("analyze {}").format(table))


def _rows(model: BoostedModel, students: Students, tutors: Tutors) -> bytes:
    """Rows differ in length by their level: laid out at the longest, and what a row does not need is cut out."""
    block = Block.of(students, tutors, model.predict(matrix(model, students, tutors)).astype(np.float32))
    codes = risk_codes(block.probability, 0.3, 0.7)
    version, moment = model.version.encode(), datetime.now(UTC) - datetime(2000, 1, 1, tzinfo=UTC)
    columns: dict[str, np.ndarray] = {
        "bucket": bucket_of(block.students).astype(">i2").view("V2").repeat(len(tutors)),
        "student_id": np.ascontiguousarray(block.students).view("V16")[:, 0].repeat(len(tutors)),
        "tutor_id": np.tile(np.ascontiguousarray(block.tutors).view("V16")[:, 0], len(students)),
        "churn_probability": block.probability.astype(">f4").view("V4"),
        "risk_level": np.array([np.void(level.encode().ljust(LONGEST_LEVEL)) for level in RISK_LEVELS])[codes],
        "compatibility_score": block.compatibility.astype(">f4").view("V4"),
        **{name: block.mismatches[name].astype(">f4").view("V4") for name in COMPATIBILITY_WEIGHTS},
        "model_version": np.array([np.void(version)]),
        "predicted_at": np.array([np.void(round(moment.total_seconds() * 1e6).to_bytes(8, "big"))]),
    }
    layout = [("fields", ">i2")]
    for name, values in columns.items():
        layout += [(f"{name} length", ">i4"), (name, values.dtype.str)]
    rows = np.empty(len(block), dtype=layout)
    rows["fields"] = len(columns)
    for name, values in columns.items():
        rows[f"{name} length"], rows[name] = values.dtype.itemsize, values
    lengths = np.array([len(level) for level in RISK_LEVELS])[codes]
    rows["risk_level length"] = lengths
    needed = np.ones((len(rows), rows.dtype.itemsize), dtype=np.bool_)
    start = rows.dtype.fields["risk_level"][1]  # type: ignore[index]
    for place in range(LONGEST_LEVEL):
        needed[:, start + place] = place < lengths
    return rows.view(np.uint8).reshape(needed.shape)[needed].tobytes()
