"""Excel files: dates and numbers as they are meant, from the right sheet."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from core.database import Database
from ingest import excel_reader, load_file
from tests.ingest.landed import HEADER, ROW, load, notes, rows, session_ids


@pytest.fixture
def database(raw_database: Database) -> Database:
    return raw_database


def workbook(**sheets: Sequence[Sequence[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, lines in sheets.items():
        sheet = book.create_sheet(name.replace("_", " "))
        for line in lines:
            sheet.append(line)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def sessions(*names: str) -> list[list[Any]]:
    return [HEADER.split(","), *([name, *ROW.split(",")[1:]] for name in names)]


def test_cells_arrive_as_they_are_meant(database: Database, tmp_path: Path) -> None:
    header = [*HEADER.split(","), "booked_at", "duration_minutes", "rating", "technical_issue", "subject", None]
    at = datetime.fromisoformat("2026-11-02T15:00:00")
    lines = [
        header,
        [12, 7, 9.0, at, "completed", date(2026, 10, 20), 60, 4.5, True, "#N/A", None],
        [None] * 5,
        [123456789012, 7, 9, "2026-11-03T15:00:00Z", "completed", None, None, None, False, "math"],
        [1.23457e16, 7, 9, at, "completed"],
        ["x4", 7, 9, time(15, 0), "completed"],
    ]
    path = tmp_path / "sessions.xlsx"
    path.write_bytes(workbook(Sheet1=lines))
    summary = load_file(database, path, timezone="Europe/Vienna")
    assert (summary.read, summary.inserted, summary.unknown_columns) == (4, 2, [])
    query = (
        "select external_id, scheduled_time, booked_at, duration_minutes, rating::float, technical_issue, subject"
        " from raw.sessions order by scheduled_time"
    )
    assert rows(database, query) == [
        (
            "12",
            datetime(2026, 11, 2, 14, tzinfo=UTC),
            datetime(2026, 10, 19, 22, tzinfo=UTC),
            60,
            4.5,
            True,
            None,
        ),
        ("123456789012", datetime(2026, 11, 3, 15, tzinfo=UTC), None, None, None, False, "math"),
    ]
    assert rows(database, "select external_id from raw.tutors") == [("7",)]
    assert [line for (line,) in rows(database, "select line from raw.quarantine order by 1")] == [5, 6]


def test_a_clock_that_excel_does_not_keep_exactly(database: Database, tmp_path: Path) -> None:
    at = datetime.fromisoformat("2026-11-02T14:59:59.999996")
    lines = [HEADER.split(","), ["x1", "T1", "S1", at, "completed"]]
    load(database, tmp_path, {"sessions.xlsx": workbook(sessions=lines)})
    assert rows(database, "select scheduled_time from raw.sessions") == [(datetime(2026, 11, 2, 15, tzinfo=UTC),)]


@pytest.mark.parametrize(
    ("sheets", "said"),
    [
        ({"Sheet1": sessions("x1")}, []),
        ({"Notes": [["a"]], "Sessions": sessions("x1"), "Old": sessions("x2")}, ["read the sheet Sessions, one of 3"]),
        ({"Notes": [["a"]], "Export_1": sessions("x1")}, ["read the sheet Export 1, one of 2"]),
        ({"Empty": [], "Export": [["Lessons of November"], [], *sessions("x1")]}, [
            "read the sheet Export, one of 2", "left out lines above the header: 2",
        ]),
    ],
)  # fmt: skip
def test_the_sheet_is_found(
    database: Database, tmp_path: Path, sheets: dict[str, list[list[Any]]], said: list[str]
) -> None:
    summary = load(database, tmp_path, {"sessions.xlsx": workbook(**sheets)})
    assert summary.errors == []
    assert session_ids(database) == ["x1"]
    assert [text for _, text in notes(summary)] == said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (workbook(A=sessions("x1"), B=sessions("x2")), "several sheets have the columns of sessions; name the right"),
        (workbook(A=[["a"]], B=[["b"]]), "columns of sessions; name the right one sessions. There are: A, B"),
        (workbook(A=[["session_id", "b"]]), "required columns missing: tutor_id, student_id, scheduled_time, status"),
        (workbook(A=[]), "the sheet A is empty: not even a header"),
        (b"", "is not a complete Excel file; save it again as .xlsx or CSV"),
        (workbook(A=sessions("x1"))[:-30], "is not a complete Excel file; save it again as .xlsx or CSV"),
        (f"{HEADER}\n{ROW}\n".encode(), "is not a complete Excel file; save it again as .xlsx or CSV"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(database: Database, tmp_path: Path, content: bytes, message: str) -> None:
    [error] = load(database, tmp_path, {"sessions.xlsx": content}).errors
    assert error.message.startswith("sessions.xlsx")
    assert message in error.message
    assert rows(database, "select count(*) from raw.loads") == [(0,)]


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO(workbook(A=sessions("x1")))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image.bin", b"\0" * 2_000_000)
    monkeypatch.setattr(excel_reader, "LARGEST_UNPACKED_BYTES", 1_000_000)
    [error] = load(database, tmp_path, {"sessions.xlsx": buffer.getvalue()}).errors
    assert error.message == "sessions.xlsx is too large for an Excel file; save it as CSV"


def test_one_value_far_off_does_not_take_all_memory(database: Database, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(A=sessions("x1"))))
    book.worksheets[0]["ALL60000"] = "stray"
    buffer = io.BytesIO()
    book.save(buffer)
    [error] = load(database, tmp_path, {"sessions.xlsx": buffer.getvalue()}).errors
    assert error.message == (
        "sessions.xlsx: a sheet is used down to row 60,000 and over 1,000 columns, which is too much for an Excel "
        "file: delete cells far off the table, or save it as CSV"
    )


def test_many_rows_come_in_batches(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel_reader, "BATCH_ROWS", 7)
    names = [f"x{number}" for number in range(100)]
    summary = load(database, tmp_path, {"sessions.xlsx": workbook(A=[*sessions(*names), ["x", None, "S1"]])})
    assert (summary.inserted, summary.quarantined) == (100, 1)
    assert rows(database, "select line from raw.quarantine") == [(102,)]
