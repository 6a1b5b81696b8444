"""How fast a landing file comes in, beside a bare COPY (the limit) and pandas (what most people write).

An Excel sheet is measured beside the same rows as CSV. The memory of the loader may not depend on the size of the file:
with more than `MOST_MEBIBYTES` the benchmark fails.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv
from rich.console import Console

from benchmarks.harness import Report, alternate, peak_mebibytes, ratios, run_apart, settings_of
from core.database import Database
from core.settings import Settings
from ingest import load_folder

TUTORS = 5_000
CHUNK_ROWS = 200_000
# 2021 to 2025, in minutes.
EPOCH = np.datetime64("2021-01-01T00:00", "m")
SPAN_MINUTES = 5 * 365 * 24 * 60
STATUSES = np.array(["completed", "rescheduled", "cancelled", "no_show", "scheduled"])
STATUS_SHARES = [0.88, 0.05, 0.04, 0.02, 0.01]
SUBJECTS = np.array(["maths", "physics", "latin", "chemistry"])
SESSIONS_FILE = "sessions.csv"
SHEET_FILE = "sessions.xlsx"
MOST_MEBIBYTES = 500

# The same columns, keys, checks, indexes and foreign keys as raw.sessions, but no triggers.
PEER_TABLE = """
create table public.sessions (like raw.sessions including all);
alter table public.sessions
    add foreign key (tutor_id) references raw.tutors,
    add foreign key (student_id) references raw.students;
"""


@dataclass(frozen=True)
class Size:
    """`sampled` rows go through pandas, whose seconds per row are the same for any number of rows. The sheet has
    `sheet_rows`."""

    sessions: int
    students: int
    sampled: int
    sheet_rows: int = 100_000
    rounds: int = 3


SMALL = Size(sessions=200_000, students=20_000, sampled=20_000)
FULL = Size(sessions=10_000_000, students=500_000, sampled=100_000)
TINY = replace(SMALL, sessions=500, students=50, sampled=100, sheet_rows=100, rounds=1)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Load, copy and insert the same sessions, and print the table; then the table of the sheet.

    Raises:
        SystemExit: the loader has taken too much memory.
    """
    settings = settings_of(home, database_url=database.url)
    with database.connect() as connection:
        add_people(connection, size.students)
        connection.execute(PEER_TABLE)
    peaks = [*_measure_file(size, console, home, database, settings)]
    peaks += _measure_sheet(size, console, home, database, settings)
    if max(peaks) > MOST_MEBIBYTES:
        sys.exit(f"the loader took {max(peaks):,.0f} MiB; it may take {MOST_MEBIBYTES}")


def _measure_file(size: Size, console: Console, home: Path, database: Database, settings: Settings) -> Sequence[float]:
    """Returns the peak memory of each load, in MiB."""
    report = Report(
        title="load: sessions.csv into raw.sessions",
        ratio="load ÷ this",
        sizes=(
            f"{size.sessions:,} new sessions in a CSV file, ids are UUIDs in random order; "
            f"{TUTORS:,} tutors and {size.students:,} students, known before"
        ),
        packages=["psycopg", "pyarrow", "pandas", "sqlalchemy"],
    )
    folder = home / "landing"
    folder.mkdir()
    for path in (home, folder):
        path.chmod(0o755)  # the server may run as another user, and reads the file by itself
    run_apart(write_sessions, folder / SESSIONS_FILE, size)

    def load() -> Mapping[str, float]:
        empty(database, "raw.sessions, raw.changes, raw.loads")
        seconds, peak = run_apart(load_sessions, settings, folder)
        return {"load": size.sessions / seconds, "load, peak": peak}

    def copy() -> Mapping[str, float]:
        empty(database, "public.sessions")
        return {"copy": size.sessions / _copy_on_server(database, folder / SESSIONS_FILE)}

    def pandas() -> Mapping[str, float]:
        empty(database, "public.sessions")
        seconds, peak = run_apart(insert_with_pandas, settings, folder / SESSIONS_FILE, size.sampled)
        return {"pandas": size.sampled / seconds, "pandas, peak": peak}

    figures = alternate({"load": load, "copy": copy, "pandas": pandas}, size.rounds)
    ours = figures["load"]
    report.add("load_folder", ours, "rows/s", note="validated, merged by version, changes noted, in one transaction")
    report.add(
        "COPY by the server (limit)",
        figures["copy"],
        "rows/s",
        ratios(ours, figures["copy"]),
        "same file and constraints; no validation, no merge, no triggers",
    )
    report.add(
        "pandas read_csv + to_sql",
        figures["pandas"],
        "rows/s",
        ratios(ours, figures["pandas"]),
        f"on the first {size.sampled:,} rows, taken as its speed for all",
    )
    report.add(
        "load_folder, peak memory", figures["load, peak"], "MiB", note=f"of the Python process; limit {MOST_MEBIBYTES}"
    )
    report.add("pandas, peak memory", figures["pandas, peak"], "MiB", note="of the sample alone")
    megabytes = (folder / SESSIONS_FILE).stat().st_size / 1e6
    report.remarks.append(f"the file has {megabytes:,.0f} MB; its checksum is part of the load")
    report.show(console, database)
    return figures["load, peak"]


def _measure_sheet(size: Size, console: Console, home: Path, database: Database, settings: Settings) -> Sequence[float]:
    """Returns the peak memory of each load of the sheet, in MiB."""
    folders = {name: home / name for name in ("sheet", "csv")}
    for folder in folders.values():
        folder.mkdir()
    run_apart(write_sheet, folders["sheet"] / SHEET_FILE, folders["csv"] / SESSIONS_FILE, size)

    def load(name: str) -> Mapping[str, float]:
        empty(database, "raw.sessions, raw.changes, raw.loads")
        seconds, peak = run_apart(load_sessions, settings, folders[name])
        return {name: seconds, f"{name}, peak": peak}

    figures = alternate({name: partial(load, name) for name in folders}, size.rounds)
    report = Report(
        title="load: an Excel sheet, beside the same rows as CSV",
        ratio="sheet ÷ this",
        sizes=f"{size.sheet_rows:,} rows of 12 columns; times are cells of Excel's own type",
        packages=["python-calamine", "pyarrow", "psycopg"],
    )
    report.add("the sheet", figures["sheet"], "s")
    report.add("the same rows as CSV", figures["csv"], "s", ratios(figures["sheet"], figures["csv"]))
    report.add("the sheet, peak memory", figures["sheet, peak"], "MiB", note=f"limit {MOST_MEBIBYTES}")
    report.add("CSV, peak memory", figures["csv, peak"], "MiB", ratios(figures["sheet, peak"], figures["csv, peak"]))
    report.show(console, database)
    return figures["sheet, peak"]


def add_people(connection: psycopg.Connection, students: int) -> None:
    """The tutors and students of `write_sessions`."""
    for table, key, count in (("tutors", "tutor_id", TUTORS), ("students", "student_id", students)):
        connection.execute(
            f"insert into raw.{table} ({key}) select lpad(to_hex(i), 32, '0')::uuid "
            f"from generate_series(0, {count} - 1) as i".encode()
        )


def load_sessions(settings: Settings, folder: Path) -> tuple[float, float]:
    """Load the folder in this process; seconds, and peak memory in MiB."""
    database = Database(settings)
    database.url  # noqa: B018 - connects, which is no part of the load
    started = time.perf_counter()
    outcome = load_folder(database, folder, timezone="UTC")
    seconds = time.perf_counter() - started
    (file,) = outcome.files
    assert file.inserted == file.read, outcome
    database.release()
    return seconds, peak_mebibytes()


def insert_with_pandas(settings: Settings, path: Path, rows: int) -> tuple[float, float]:
    """Read and insert the first rows with pandas in this process; seconds, and peak memory in MiB."""
    import pandas as pd
    import sqlalchemy as sa

    database = Database(settings)
    engine = database.sqlalchemy_engine()
    times = ["scheduled_time", "booked_at", "completed_time", "updated_at"]
    started = time.perf_counter()
    frame = pd.read_csv(path, nrows=rows, parse_dates=times)
    types = {"session_id": sa.Uuid(as_uuid=False), "tutor_id": sa.Uuid(as_uuid=False)}
    types["student_id"] = sa.Uuid(as_uuid=False)
    frame.to_sql("sessions", engine, if_exists="append", index=False, chunksize=10_000, dtype=types)
    seconds = time.perf_counter() - started
    engine.dispose()
    database.release()
    return seconds, peak_mebibytes()


def write_sessions(path: Path, size: Size, seed: int = 1) -> None:
    """A landing file of `size.sessions` new sessions, written chunk by chunk."""
    random = np.random.default_rng(seed)
    writer: pyarrow.csv.CSVWriter | None = None
    for first in range(0, size.sessions, CHUNK_ROWS):
        chunk = _sessions(random, min(CHUNK_ROWS, size.sessions - first), size.students)
        if writer is None:
            writer = pyarrow.csv.CSVWriter(path, chunk.schema)
        writer.write_table(chunk)
    if writer is not None:
        writer.close()


def write_sheet(path: Path, csv_path: Path, size: Size, seed: int = 2) -> None:
    """The same new sessions as an Excel sheet and as a CSV file."""
    import openpyxl  # type: ignore[import-untyped]

    rows = _sessions(np.random.default_rng(seed), size.sheet_rows, size.students)
    pyarrow.csv.write_csv(rows, csv_path)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("sessions")
    sheet.append(rows.column_names)
    are_times = [name.endswith(("_time", "_at")) for name in rows.column_names]
    for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        # Excel knows no offsets; the benchmark reads in UTC.
        sheet.append(
            datetime.fromisoformat(cell).replace(tzinfo=None) if is_time and cell else cell
            for is_time, cell in zip(are_times, row, strict=True)
        )
    book.save(path)


def _sessions(random: np.random.Generator, rows: int, students: int) -> pa.Table:
    minutes = np.sort(random.integers(0, SPAN_MINUTES, rows))
    starts = EPOCH + minutes.astype("timedelta64[m]")
    status = random.choice(len(STATUS_SHARES), rows, p=STATUS_SHARES)
    is_completed = status == 0
    ends = starts + np.timedelta64(60, "m")
    rating = np.where(is_completed & (random.random(rows) < 0.4), random.integers(2, 11, rows) / 2, np.nan)
    is_stopped = (status == 2) | (status == 3)
    initiators = np.where(is_stopped, random.choice(["tutor", "student"], rows), "")
    return pa.table(
        {
            "session_id": [
                _uuid(f"{high:016x}{low:016x}") for high, low in random.integers(0, 2**63, (rows, 2)).tolist()
            ],
            "tutor_id": [_uuid(f"{number:032x}") for number in random.integers(0, TUTORS, rows).tolist()],
            "student_id": [_uuid(f"{number:032x}") for number in random.integers(0, students, rows).tolist()],
            "scheduled_time": _iso(starts),
            "status": pa.array(STATUSES[status]),
            "subject": pa.array(SUBJECTS[random.integers(0, len(SUBJECTS), rows)]),
            "booked_at": _iso(starts - np.timedelta64(5, "D")),
            "completed_time": pa.array(_iso(ends), mask=~is_completed),
            "duration_minutes": pa.array(np.full(rows, 60), mask=~is_completed),
            "rating": pa.array(rating, mask=np.isnan(rating)),
            "initiator": pa.array(initiators, mask=~is_stopped),
            "updated_at": _iso(ends),
        }
    )


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _iso(times: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> list[str]:
    return [f"{text}:00Z" for text in np.datetime_as_string(times, unit="m").tolist()]


def _copy_on_server(database: Database, path: Path) -> float:
    """Seconds for the server to read the file into the peer table by itself."""
    with path.open() as file:
        columns = file.readline().strip().replace('"', "")
    with database.connect() as connection:
        started = time.perf_counter()
        connection.execute(f"copy public.sessions ({columns}) from '{path}' (format csv, header)".encode())
        connection.commit()
        return time.perf_counter() - started


def empty(database: Database, tables: str) -> None:
    """Truncate, and have what is dirty written now rather than while the next contestant is measured."""
    with database.connect(autocommit=True) as connection:
        connection.execute(f"truncate {tables}".encode())
        connection.execute("checkpoint")
