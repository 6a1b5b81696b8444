"""Parquet as pandas, Spark, DuckDB and others write it, as a file and as a folder of parts."""

import json
import os
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.database import Database
from ingest import arrivals, complete_files, failures, left_alone, take_files
from ingest.ids import entity_uuid
from tests.ingest.landed import HEADER, load, notes, rows, session_ids

AT = datetime.fromisoformat("2026-11-02T15:00:00")
KEYS = [UUID(int=number * 10**35 + 12345) for number in range(1, 4)]


@pytest.fixture
def database(raw_database: Database) -> Database:
    return raw_database


def parquet(columns: dict[str, Any]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def sessions(*names: str, **others: Any) -> bytes:
    """Rows that differ in their ids; other columns replace these or come behind them."""
    count = len(names)
    columns: dict[str, Any] = {
        "session_id": list(names), "tutor_id": ["T1"] * count, "student_id": ["S1"] * count,
        "scheduled_time": [AT] * count, "status": ["completed"] * count,
    }  # fmt: skip
    return parquet(columns | others)


@pytest.mark.parametrize("kind", [pa.uuid(), pa.binary(16), pa.binary(), pa.string(), pa.large_string()])
def test_uuids_of_any_type_are_the_same_ids(database: Database, tmp_path: Path, kind: pa.DataType) -> None:
    is_text = kind in (pa.string(), pa.large_string())
    values = [str(key) if is_text else key.bytes for key in KEYS]
    column = pa.array(values, pa.string()).cast(kind) if is_text else pa.array(values, pa.binary(16)).cast(
        pa.binary(16) if isinstance(kind, pa.UuidType) else kind
    )  # fmt: skip
    if isinstance(kind, pa.UuidType):
        column = pa.ExtensionArray.from_storage(kind, column)
    summary = load(database, tmp_path, {"sessions.parquet": sessions("a", "b", "c", session_id=column)})
    assert (summary.inserted, summary.quarantined) == (3, 0)
    stored = rows(database, "select session_id, external_id from raw.sessions order by 1")
    assert stored == [(key, None) for key in sorted(KEYS)]


def test_sixteen_bytes_that_are_a_text_are_one(database: Database, tmp_path: Path) -> None:
    ids = pa.array([b"session-00000001", b"session-00000002"], pa.binary(16))
    load(database, tmp_path, {"sessions.parquet": sessions("a", "b", session_id=ids)})
    assert session_ids(database) == ["session-00000001", "session-00000002"]


def test_values_of_every_type(database: Database, tmp_path: Path) -> None:
    vienna = pa.timestamp("us", "Europe/Vienna")
    tutors = {
        "tutor.id": pa.array([12.0, 13.0, float("nan")]),
        "is_active": pa.array([1, 0, None], pa.int8()),
        "hired_at": pa.array([datetime(2020, 3, 1, 23, 30), None, None], pa.timestamp("ns")),
        "capacity": pa.array([Decimal("5.00"), None, None], pa.decimal128(10, 2)),
        "experience_years": pa.array([float("nan"), 7.5, None]),
        "subjects": pa.array([["math", "physics"], [], None], pa.large_list(pa.string())),
        "name": pa.array(["Ann", "Ben", None]).dictionary_encode(),
        "teaching_style": pa.array(["flexible", None, None], pa.large_string()),
        "extra.thing": pa.array([1, 2, 3]),
    }
    students = {
        "student_id": pa.array([Decimal("7"), Decimal("8")], pa.decimal128(20, 2)),
        "age": pa.array([12.0, float("nan")], pa.float32()),
    }
    summary = load(
        database,
        tmp_path,
        {
            "tutors.parquet": parquet(tutors),
            "students.parquet": parquet(students),
            "sessions.parquet": sessions(
                "x1",
                tutor_id=pa.array([12], pa.int64()),
                student_id=pa.array([7], pa.int32()),
                scheduled_time=pa.array([datetime(2026, 11, 2, 14, tzinfo=UTC)], vienna),
                rating=pa.array([4.5], pa.float32()),
                technical_issue=pa.array([1.0]),
                booked_at=pa.array([date(2026, 10, 1)], pa.date64()),
            ),
        },
    )
    assert summary.errors == []
    query = (
        "select external_id, is_active, hired_at, capacity, experience_years::float, subjects, name, teaching_style"
        " from raw.tutors order by 1"
    )
    assert rows(database, query) == [
        ("12", True, date(2020, 3, 1), 5, None, ["math", "physics"], "Ann", "flexible"),
        ("13", False, None, None, 7.5, [], "Ben", None),
    ]
    assert rows(database, "select line, reason from raw.quarantine") == [(3, "tutor_id: is missing")]
    assert rows(database, "select external_id, age, is_stub from raw.students order by 1") == [
        ("7", 12, False), ("8", None, False),
    ]  # fmt: skip
    query = "select scheduled_time, booked_at::date, rating::float, technical_issue from raw.sessions"
    assert rows(database, query) == [(datetime(2026, 11, 2, 14, tzinfo=UTC), date(2026, 10, 1), 4.5, True)]
    assert summary.unknown_people == []


def test_the_day_of_a_time_with_a_zone_is_the_day_there(database: Database, tmp_path: Path) -> None:
    midnight = pa.array([datetime(2020, 2, 29, 23, tzinfo=UTC)], pa.timestamp("ms", "Europe/Vienna"))
    load(database, tmp_path, {"tutors.parquet": parquet({"tutor_id": ["T1"], "hired_at": midnight})})
    assert rows(database, "select hired_at from raw.tutors") == [(date(2020, 3, 1),)]


def test_a_type_that_is_no_value_is_told(database: Database, tmp_path: Path) -> None:
    [error] = load(database, tmp_path, {"sessions.parquet": sessions("a", status=pa.array([{"is": "x"}]))}).errors
    assert error.message == "sessions.parquet: column status is of type struct<is: string>, which is no text"


def spark(folder: str = "sessions.parquet", *names: str) -> dict[str, bytes]:
    """A folder as Spark writes it, one part each."""
    parts = {f"{folder}/part-0000{at}.snappy.parquet": sessions(name) for at, name in enumerate(names)}
    noise = ("_SUCCESS", "_metadata", "_common_metadata", ".part-00000.snappy.parquet.crc", "._SUCCESS.crc")
    return parts | {f"{folder}/{name}": b"" for name in noise}


def test_a_folder_of_parts_is_one_file(database: Database, tmp_path: Path) -> None:
    summary = load(
        database, tmp_path, spark("sessions.parquet", "x1", "x2", "x3") | spark("2026-01/sessions.parquet", "y")
    )
    assert [(file.source, file.read) for file in summary.files] == [
        ("2026-01/sessions.parquet", 1), ("sessions.parquet", 3),
    ]  # fmt: skip
    assert (session_ids(database), summary.others) == (["x1", "x2", "x3", "y"], [])
    assert rows(database, "select count(*), count(distinct checksum) from raw.loads") == [(2, 2)]
    again = load(database, tmp_path, {})
    assert (again.inserted, again.unchanged) == (0, 4)


def test_a_partition_says_the_value_of_its_column(database: Database, tmp_path: Path) -> None:
    folders = {
        "status=completed/subject=math%20%26%20more": "x1",
        "status=no_show/subject=__HIVE_DEFAULT_PARTITION__": "x2",
    }
    files = {}
    for folder, name in folders.items():
        table = pq.read_table(pa.BufferReader(sessions(name))).drop_columns(["status"])
        files[f"sessions.parquet/year=2026/{folder}/a.parquet"] = parquet({n: table[n] for n in table.column_names})
    summary = load(database, tmp_path, files)
    assert summary.unknown_columns == {"sessions.parquet": ["year"]}
    assert rows(database, "select external_id, status, subject from raw.sessions order by 1") == [
        ("x1", "completed", "math & more"), ("x2", "no_show", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"_SUCCESS": b""}, "sessions.parquet has no Parquet file in it"),
        ({"a.parquet": sessions("a"), "b.csv": b"x"}, "holds b.csv, which is no Parquet file; move it away"),
        ({"a.parquet": sessions("a"), "b.parquet": b"PAR1"}, "t/b.parquet is not a complete Parquet file"),
        ({"a.parquet": sessions("a"), "b.parquet": b""}, "sessions.parquet/b.parquet is empty"),
        ({"a.parquet": sessions("a"), "b.parquet": sessions("b", subject=["x"])}, "parts do not have the same columns"),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_right_leaves_nothing(
    database: Database, tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    summary = load(database, tmp_path, {f"sessions.parquet/{name}": content for name, content in files.items()})
    [error] = summary.errors
    assert message in error.message
    assert session_ids(database) == []


def test_a_link_among_the_parts_is_not_followed(database: Database, tmp_path: Path) -> None:
    (tmp_path / "secret.parquet").write_bytes(sessions("secret"))
    folder = tmp_path / "in"
    load(database, folder, spark("sessions.parquet", "x1"))
    (folder / "sessions.parquet" / "part-2.parquet").symlink_to(tmp_path / "secret.parquet")
    (folder / "sessions.parquet" / "more").symlink_to(tmp_path)
    assert len(load(database, folder, {}).errors) == 1
    assert session_ids(database) == ["x1"]


def drop(landing: Path, files: dict[str, bytes]) -> None:
    for source, content in files.items():
        path = landing / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (time.time() - 60, time.time() - 60))


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(arrivals, "SETTLED_SECONDS", 0)
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0)
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


def test_a_folder_of_parts_in_the_landing_directory(database: Database, landing: Path) -> None:
    drop(landing, spark("day/sessions.parquet", "x1", "x2"))
    assert left_alone(landing) == []
    assert arrivals.has_landing_files(landing)
    [file] = complete_files(landing)
    assert (file.source, file.bytes) == ("day/sessions.parquet", len(sessions("x1")) + len(sessions("x2")))

    [taken] = take_files(database, landing, "sessions", timezone="UTC")

    assert (taken.report.outcome, taken.report.loads[0].rows["inserted"], taken.stays) == ("loaded", 2, None)
    [moved] = landing.glob("processed/*/day/sessions.parquet")
    assert len(list(moved.iterdir())) == 7, "all of it goes"
    report = json.loads(moved.with_name("sessions.parquet.report.json").read_text())
    assert report["loads"][0]["unknown_people"][0]["entity"] == "tutors"
    assert [path.name for path in landing.iterdir()] == ["processed"]

    drop(landing, spark("sessions.parquet", "x1", "x2"))
    [taken] = take_files(database, landing, "sessions", timezone="UTC")
    assert (taken.report.outcome, taken.is_new) == ("already_loaded", False)


def test_a_folder_of_parts_waits_for_the_last_one(
    database: Database, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the mark that all is there has come first, as a copy brings it."""
    drop(landing, spark("sessions.parquet", "x1"))
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 10)
    assert complete_files(landing) == []
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0)
    with (landing / "sessions.parquet" / "part-00001.snappy.parquet").open("wb"):
        assert complete_files(landing) == []


def test_a_part_that_comes_meanwhile(database: Database, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(landing, spark("sessions.parquet", "x1"))
    [found] = complete_files(landing)
    monkeypatch.setattr("ingest.landing_directory.complete_files", lambda *_: [found])
    drop(landing, {"sessions.parquet/part-00001.snappy.parquet": sessions("x2")})
    assert take_files(database, landing, "sessions", timezone="UTC") == []
    monkeypatch.undo()
    monkeypatch.setattr(arrivals, "SETTLED_SECONDS", 0)
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0)
    take_files(database, landing, "sessions", timezone="UTC")
    assert session_ids(database) == ["x1", "x2"]


def test_a_folder_that_cannot_be_read_fails_as_one(database: Database, landing: Path) -> None:
    drop(landing, {"sessions.parquet/sessions-1.parquet": b"PAR1"})
    [taken] = take_files(database, landing, "sessions", timezone="UTC")
    assert taken.report.outcome == "failed"
    [line] = failures(landing, "sessions")
    assert line.endswith("sessions.parquet/sessions-1.parquet is not a complete Parquet file")


def test_a_guess_fails_where_files_are_strict(database: Database, landing: Path) -> None:
    content = f"{HEADER},subject\nx1,T1,S1,2026-11-02,completed,Français\n".encode("cp1252")
    drop(landing, {"sessions.csv": content})
    [taken] = take_files(database, landing, "sessions", timezone="UTC", is_strict=True)
    assert taken.report.outcome == "failed"
    assert "nothing may be guessed" in taken.report.message
    drop(landing, {"sessions.csv": content})
    [taken] = take_files(database, landing, "sessions", timezone="UTC")
    assert taken.report.outcome == "loaded"
    [note] = taken.report.loads[0].notes
    assert (note["kind"], note["examples"]) == ("guessed", ["Français"])


def test_ids_of_the_same_person_in_two_types(database: Database, tmp_path: Path) -> None:
    files = {"tutors.csv": "tutor_id\n12\n", "sessions.parquet": sessions("x1", tutor_id=pa.array([12.0]))}
    load(database, tmp_path, files)
    assert rows(database, "select tutor_id, is_stub from raw.tutors") == [(entity_uuid("12"), False)]
    assert notes(load(database, tmp_path, {})) == []
