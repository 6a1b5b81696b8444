"""Landing files end up in `raw`, whatever their form; what is wrong with them is said."""

import gzip
import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import Settings
from ingest import FileSummary, Progress, csv_reader, file_load, landing_files, load_file, load_folder
from ingest.file_load import GROUP
from ingest.ids import ROUNDED_RULE, entity_uuid
from ingest.parser import quarantine_json
from tests.conftest import forget_audit

HEADER = "session_id,tutor_id,student_id,scheduled_time,status"
ROW = "s1,t1,p1,2026-01-05T10:00:00Z,completed"
STATUS_WORDS = "scheduled, completed, rescheduled, cancelled, no_show; a mapping may say what it means"

Loader = Callable[..., FileSummary]


@pytest.fixture
def database(raw_database: Database) -> Database:
    return raw_database


@pytest.fixture
def load(database: Database, tmp_path: Path) -> Loader:
    """Write a landing file and load it."""

    def load(content: str | bytes, name: str = "sessions.csv", timezone: str = "UTC") -> FileSummary:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_file(database, path, timezone=timezone)

    return load


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def counts(summary: FileSummary) -> tuple[int, int, int, int, int]:
    return summary.read, summary.inserted, summary.updated, summary.unchanged, summary.quarantined


def csv_text(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def reasons(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "select line, reason from raw.quarantine order by line, reason")


def test_every_column_of_every_file_arrives_typed(database: Database, tmp_path: Path) -> None:
    (tmp_path / "tutors.csv").write_text(
        "\ufefftutor_id, Name ,email,subjects,is_active,hired_at,capacity,age,experience_years,teaching_style,"
        "preferred_pace,communication_style,Time zone,shoe_size\n"
        "t1, Ada ,ada@example.org, math ;; physics ;,No,2020-02-29,12,44.0,7.5,flexible,1,5,Europe/Vienna,38\n"
    )
    (tmp_path / "students.csv").write_text(
        "student_id,name,age,subjects,preferred_teaching_style,preferred_pace,communication_style,urgency_level,"
        'learning_goals\np1,Bo,12,,structured,2,3,4,"fractions,\nat last"\n'
    )
    (tmp_path / "sessions.csv").write_text(
        f"{HEADER},subject,booked_at,started_at,completed_time,cancelled_at,duration_minutes,rating,initiator,"
        "reason_code,technical_issue,updated_at\n"
        f"{ROW},math,2026-01-01,2026-01-05T11:01,2026-01-05 12:00:00.25+01:00,2026-01-04,60.0,4.5,student,"
        "power_cut,No,2026-01-05T12:00:00.123456789Z\n"
    )
    (tmp_path / "reschedules.csv").write_text(
        "session_id,initiator,reason_code,reason,requested_at,original_time,new_time\n"
        "s1,tutor,ill,flu,2026-01-04T10:00+0530,2026-01-05T10:00Z,\n"
    )
    (tmp_path / "notes.txt").write_text("not for us")

    summary = load_folder(database, tmp_path, timezone="Europe/Vienna")

    assert [file.entity for file in summary.files] == ["tutors", "students", "sessions", "reschedules"]
    assert (summary.read, summary.inserted, summary.quarantined, summary.errors) == (4, 4, 0, [])
    assert [str(other) for other in summary.others] == ["notes.txt"]
    assert summary.unknown_columns == {"tutors.csv": ["shoe_size"]}
    tutor, student, session = entity_uuid("t1"), entity_uuid("p1"), entity_uuid("s1")
    columns = (
        "tutor_id, external_id, name, email, subjects, is_active, hired_at, capacity, age, experience_years,"
        " teaching_style, preferred_pace, communication_style, time_zone, is_stub"
    )
    assert rows(database, f"select {columns} from raw.tutors") == [
        (
            tutor,
            "t1",
            "Ada",
            "ada@example.org",
            ["math", "physics"],
            False,
            date(2020, 2, 29),
            12,
            44,
            Decimal("7.5"),
            "flexible",
            1,
            5,
            "Europe/Vienna",
            False,
        )
    ]
    columns = (
        "student_id, external_id, name, age, subjects, preferred_teaching_style, preferred_pace, communication_style,"
        " urgency_level, learning_goals, is_stub"
    )
    assert rows(database, f"select {columns} from raw.students") == [
        (student, "p1", "Bo", 12, [], "structured", 2, 3, 4, "fractions,\nat last", False)
    ]
    columns = (
        "session_id, external_id, tutor_id, student_id, scheduled_time, status, subject, booked_at, started_at,"
        " completed_time, cancelled_at, duration_minutes, rating, initiator, reason_code, technical_issue, updated_at"
    )
    assert rows(database, f"select {columns} from raw.sessions") == [
        (
            session,
            "s1",
            tutor,
            student,
            datetime(2026, 1, 5, 10, tzinfo=UTC),
            "completed",
            "math",
            datetime(2025, 12, 31, 23, tzinfo=UTC),
            datetime(2026, 1, 5, 10, 1, tzinfo=UTC),
            datetime(2026, 1, 5, 11, 0, 0, 250000, tzinfo=UTC),
            datetime(2026, 1, 3, 23, tzinfo=UTC),
            60,
            Decimal("4.50"),
            "student",
            "power_cut",
            False,
            datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=UTC),
        )
    ]
    assert rows(
        database, "select session_id, initiator, reason_code, reason, requested_at, new_time from raw.reschedules"
    ) == [(session, "tutor", "ill", "flu", datetime(2026, 1, 4, 4, 30, tzinfo=UTC), None)]


def test_the_same_folder_again_changes_and_logs_nothing(database: Database, tmp_path: Path) -> None:
    (tmp_path / "tutors.csv").write_text("tutor_id,name\nt1,Ada\n")
    (tmp_path / "sessions.csv").write_text(csv_text(HEADER, ROW, "s2,t2,p2,oops,completed"))
    (tmp_path / "reschedules.csv").write_text("session_id,initiator\ns1,tutor\n")
    first = load_folder(database, tmp_path, timezone="UTC")
    assert (first.inserted, first.quarantined) == (3, 1)
    state = "select tableoid, xmin::text, ctid::text from raw.{}"
    before = [rows(database, state.format(table)) for table in ("tutors", "students", "sessions", "reschedules")]
    changes = rows(database.as_role(DatabaseRole.TRANSFORM), "select count(*) from raw.changes")

    second = load_folder(database, tmp_path, timezone="UTC")

    assert (second.inserted, second.updated, second.unchanged, second.quarantined) == (0, 0, 3, 1)
    assert before == [
        rows(database, state.format(table)) for table in ("tutors", "students", "sessions", "reschedules")
    ]
    assert rows(database.as_role(DatabaseRole.TRANSFORM), "select count(*) from raw.changes") == changes
    assert rows(database, "select count(*), bool_and(last_seen_at > first_seen_at) from raw.quarantine") == [(1, True)]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"session_id": " "}, "session_id: is missing"),
        ({"tutor_id": ""}, "tutor_id: is missing"),
        ({"session_id": "x" * 201}, f"session_id: {'x' * 60}… is longer than 200 characters"),
        ({"status": "done"}, f"status: done is not one of {STATUS_WORDS}"),
        (
            {"status": "complete"},
            f"status: complete is not one of {STATUS_WORDS}".replace(";", " (did you mean completed?);"),
        ),
        ({"status": "#N/A"}, "status: is missing: #N/A is a word for an empty cell"),
        ({"student_id": "NULL"}, "student_id: is missing: NULL is a word for an empty cell"),
        ({"student_id": "1.23457E+11"}, f"student_id: 1.23457E+11 {ROUNDED_RULE}"),
        (
            {"initiator": "boss"},
            "initiator: boss is not one of tutor, student, platform; a mapping may say what it means",
        ),
        ({"scheduled_time": ""}, "scheduled_time: is missing"),
        ({"scheduled_time": "0000-00-00 00:00:00"}, "scheduled_time: is missing"),
        ({"updated_at": "0206-01-05"}, "updated_at: 0206-01-05 is not between the years 1970 and 2100"),
        ({"updated_at": "yesterday"}, "updated_at: yesterday is not an ISO 8601 time such as 2026-01-31T15:00:00Z"),
        *(
            ({"scheduled_time": text}, f"scheduled_time: {text} is not an ISO 8601 time such as 2026-01-31T15:00:00Z")
            for text in ("2026-02-30", "2026-13-01", "2026-01-05T25:00", "now")
        ),
        ({"rating": "6", "status": "x"}, f"status: x is not one of {STATUS_WORDS}; rating: 6 is not between 1 and 5"),
    ],
)
def test_a_wrong_cell_quarantines_its_row_only(
    load: Loader, database: Database, cells: dict[str, str], reason: str
) -> None:
    header = f"{HEADER},rating,initiator,updated_at"
    good = dict(zip(header.split(","), ["s1", "t1", "p1", "2026-01-05", "completed", "", "", ""], strict=True))
    bad = good | {"session_id": "s2"} | cells
    summary = load(csv_text(header, ",".join(good.values()), ",".join(bad.values())))
    assert counts(summary) == (2, 1, 0, 0, 1)
    assert reasons(database) == [(3, reason)]
    [(stored,)] = rows(database, "select content from raw.quarantine")
    assert f'"tutor_id": "{bad["tutor_id"]}"' in stored
    assert rows(database, "select external_id from raw.sessions") == [("s1",)]
    assert rows(database, "select count(*) from raw.tutors") == [(1,)]


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ({"rating": "7"}, "7 is not between 1 and 5"),
        ({"rating": "inf"}, "inf is not a number"),
        ({"rating": "4,5"}, "4,5 is not a number; write a point before decimals, and no mark between thousands"),
        ({"rating": "4.5/5"}, "4.5/5 is not a number"),
        ({"duration_minutes": "60.5"}, "60.5 is not a whole number"),
        (
            {"duration_minutes": "1 234"},
            "1 234 is not a whole number; write a point before decimals, and no mark between thousands",
        ),
        ({"duration_minutes": "99999999999"}, "99999999999 is not a whole number"),
        ({"duration_minutes": "-1"}, "-1 is not between 0 and 10080"),
        ({"booked_at": "1900-01-01"}, "1900-01-01 is not between the years 1970 and 2100"),
        ({"booked_at": "9999-12-31 00:00:00"}, "9999-12-31 00:00:00 is not between the years 1970 and 2100"),
        ({"technical_issue": "WAHR"}, "WAHR is neither true nor false; a mapping may say what it means"),
        ({"subject": "a\0b"}, "contains a NUL character"),
        ({"subject": "x" * 501}, f"{'x' * 60}… is longer than 500 characters"),
    ],
)
def test_a_wrong_cell_that_the_row_can_do_without_costs_itself_only(
    load: Loader, database: Database, cell: dict[str, str], fault: str
) -> None:
    names = "subject,booked_at,duration_minutes,rating,technical_issue,updated_at"
    usual = dict(zip(names.split(","), ["math", "2026-01-01", "60", "5", "no", "2026-01-06"], strict=True))
    text = csv_text(f"{HEADER},{names}", ",".join([ROW, *(f'"{value}"' for value in (usual | cell).values())]))
    summary = load(text)
    assert (counts(summary), summary.remarks) == ((1, 1, 0, 0, 0), 1)
    [name] = cell
    [(line, is_remark, reason, content)] = rows(database, "select line, is_remark, reason, content from raw.quarantine")
    assert (line, is_remark, reason) == (2, True, f"{name}: {fault}")
    assert json.loads(content)[name] == cell[name]
    assert [(note.kind, note.count) for note in summary.notes] == [("left out", 1)]
    [stored] = rows(database, f"select {names} from raw.sessions")
    assert [name for name, value in zip(usual, stored, strict=True) if value is None] == [name]

    assert (counts(load(text)), rows(database, "select remarks from raw.loads")) == ((1, 0, 0, 1, 0), [(1,), (1,)])
    assert len(reasons(database)) == 1


def test_a_row_that_is_refused_names_the_cells_it_could_do_without_too(load: Loader, database: Database) -> None:
    summary = load(csv_text(f"{HEADER},rating", "s1,t1,p1,soon,completed,9"))
    assert (counts(summary), summary.remarks) == ((1, 0, 0, 0, 1), 0)
    [(is_remark, reason)] = rows(database, "select is_remark, reason from raw.quarantine")
    assert not is_remark
    assert reason.endswith("; rating: 9 is not between 1 and 5")


def test_what_was_refused_may_become_a_remark(load: Loader, database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "insert into raw.quarantine (entity, source, line, reason, content)"
            " values ('sessions', 'sessions.csv', 2, 'rating: 9', %s)",
            [quarantine_json(dict(zip([*HEADER.split(","), "rating"], [*ROW.split(","), "9"], strict=True)))],
        )
    load(csv_text(f"{HEADER},rating", f"{ROW},9"))
    assert rows(database, "select is_remark, reason from raw.quarantine") == [
        (True, "rating: 9 is not between 1 and 5")
    ]


def test_one_session_of_several_students_says_what_to_do(load: Loader, database: Database) -> None:
    header = f"{HEADER},updated_at"
    lesson = [f"s1,t1,p{n},2026-01-05T10:00:00Z,completed,2026-01-0{6 + n}" for n in range(3)]
    other = ["s2,t1,p1,2026-01-06,scheduled,2026-01-06", "s2,t1,p1,2026-01-06,completed,2026-01-07"]
    assert (counts(load(csv_text(header, *lesson, *other))), reasons(database)) == (
        (5, 2, 0, 0, 2), [(2, GROUP), (3, GROUP)]
    )  # fmt: skip
    assert rows(database, "select external_id, updated_at::date from raw.sessions order by 1") == [
        ("s1", date(2026, 1, 8)),
        ("s2", date(2026, 1, 7)),
    ]
    same = [line.replace("2026-01-07", "2026-01-06").replace("2026-01-08", "2026-01-06") for line in lesson]
    summary = load(csv_text(header, *same).replace("s1", "s3"), "sessions.2.csv")
    assert counts(summary) == (3, 1, 0, 0, 2)
    assert {reason for _, reason in reasons(database)} == {GROUP}


def test_no_shows_that_name_nobody_are_said(load: Loader, database: Database) -> None:
    header = f"{HEADER},initiator"
    unnamed = [f"s{n},t1,p1,2026-01-0{n}T10:00:00Z,no_show," for n in range(1, 4)]
    named = ["s4,t1,p1,2026-01-04T10:00:00Z,no_show,student", "s5,t1,p1,2026-01-05T10:00:00Z,no_show,tutor"]
    others = ["s6,t1,p1,2026-01-06T10:00:00Z,completed,", "s7,t1,p1,2026-01-07T10:00:00Z,cancelled,"]
    said = [str(note) for note in load(csv_text(header, *unnamed, *named, *others)).notes]
    assert said == ["3 no-shows name nobody; they count for nobody until `initiator` says whose it was"]
    (said,) = [str(note) for note in load(csv_text(header, unnamed[0], *named), "sessions.2.csv").notes]
    assert said.startswith("1 no-show names nobody; it counts for nobody")
    assert load(csv_text(header, *named, *others), "sessions.3.csv").notes == []


def test_students_of_refused_rows_get_no_stub(load: Loader, database: Database) -> None:
    """p1 wins in s1; p2 and p3 are refused there, and p3 has a session of their own."""
    rows_of_s1 = [f"s1,t1,p{n},2026-01-05T10:00:00Z,completed,2026-01-0{8 - n}" for n in range(1, 4)]
    # Another version of a session, which loses by its age, still names somebody.
    moved = ["s3,t1,p4,2026-01-05,scheduled,2026-01-06", "s3,t2,p5,2026-01-06,scheduled,2026-01-07"]
    header = f"{HEADER},updated_at"
    summary = load(csv_text(header, *reversed(rows_of_s1), "s2,t1,p3,2026-01-06,completed,2026-01-06", *moved))
    assert counts(summary) == (6, 3, 0, 0, 2)
    assert rows(database, "select external_id from raw.sessions where student_id = raw.entity_uuid('p1')") == [("s1",)]
    assert [name for (name,) in rows(database, "select external_id from raw.students order by 1")] == [
        "p1", "p3", "p4", "p5",
    ]  # fmt: skip
    assert len(rows(database, "select from raw.tutors")) == 2


def test_broken_lines_are_told_by_their_line_and_swallow_no_good_row(load: Loader, database: Database) -> None:
    lines = [
        (HEADER + ",subject").encode(),
        b's1,t1,p1,2026-01-05,completed,"two\nlines"',  # lines 2 and 3
        b"s2,t1,p1,2026-01-05",
        b"",
        b's3,t1,p1,2026-01-05,completed,"opened',
        b"s4,t1,p1,2026-01-05,completed,math",
        b"s5,t1,p1,2026-01-05,completed,\xff",
        b's6,t1,p1,2026-01-05,completed,"a"b',
        b"s7,t1,p1,2026-01-05,completed," + b"x" * 140_000,
        b"s8,t1,p1,2026-01-05,completed," + b"x" * 1_000,
        "s9,t1,p1,2026-01-05,completed,ökonomie".encode(),
        b's10,t1,p1,2026-01-05,completed,"never closed',
    ]
    summary = load(b"\r\n".join(lines))
    assert (counts(summary), summary.remarks) == ((10, 5, 0, 0, 5), 2)
    found = reasons(database)
    assert [line for line, _ in found] == [4, 6, 8, 9, 10, 11, 13]
    assert found[0][1] == "the row has 4 cells, the header has 6"
    assert found[2][1] == "subject: is not valid UTF-8"
    assert "field larger than field limit" in found[4][1]
    assert found[5][1].endswith("… is longer than 500 characters")
    assert rows(database, "select external_id, subject from raw.sessions order by scheduled_time, external_id") == [
        ("s1", "two\nlines"),
        ("s4", "math"),
        ("s5", None),
        ("s8", None),
        ("s9", "ökonomie"),
    ]


def test_rows_and_quoted_line_breaks_across_blocks(
    load: Loader, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 64)
    monkeypatch.setattr(file_load, "SLICE_ROWS", 7)
    lines = [f's{number},t1,p1,2026-01-05,completed,"a\n\nb{number}"' for number in range(50)]
    lines.insert(20, "broken")
    summary = load(gzip.compress(csv_text(HEADER + ",subject", *lines).encode()), "sessions.part.csv.gz")
    assert counts(summary) == (51, 50, 0, 0, 1)
    assert reasons(database) == [(62, "the row has 1 cells, the header has 6")]
    assert rows(database, "select count(distinct subject), min(subject) from raw.sessions") == [(50, "a\n\nb0")]


def test_parquet_is_read_like_csv(load: Loader, database: Database) -> None:
    columns = {
        "Tutor_ID": pa.array(["t1", "t2", None]),
        "subjects": pa.array([["math", None, "music"], [], None]),
        "is_active": pa.array([True, False, None]),
        "hired_at": pa.array([date(2020, 1, 1), None, None]),
        "capacity": pa.array([4.0, None, 2.0]),
        "name": pa.array(["Ada", "Bo", "Cy"]).dictionary_encode(),
        "extra": pa.array([{"deep": 1}, None, None]),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    summary = load(sink.getvalue().to_pybytes(), "tutors.parquet")
    assert counts(summary) == (3, 2, 0, 0, 1)
    assert summary.unknown_columns == ["extra"]
    assert reasons(database) == [(3, "tutor_id: is missing")]
    query = "select external_id, name, subjects, is_active, hired_at, capacity from raw.tutors order by 1"
    assert rows(database, query) == [
        ("t1", "Ada", ["math", "music"], True, date(2020, 1, 1), 4),
        ("t2", "Bo", [], False, None, None),
    ]

    sink = pa.BufferOutputStream()
    nanoseconds = pa.array([1_767_607_200_000_000_123, None], pa.timestamp("ns", "Europe/Vienna"))
    text = pa.array([b"\xff", b"fine"]).view(pa.string())
    keys = {name: pa.array(["a", "b"]) for name in ("session_id", "tutor_id", "student_id")}
    status = pa.array(["completed"] * 2)
    times = pa.array([1_767_607_200_000] * 2, pa.timestamp("ms"))
    pq.write_table(
        pa.table(keys | {"scheduled_time": times, "status": status, "booked_at": nanoseconds, "subject": text}), sink
    )
    assert counts(load(sink.getvalue().to_pybytes(), "sessions.parquet", "Europe/Vienna")) == (2, 2, 0, 0, 0)
    assert (1, "subject: is not valid UTF-8") in reasons(database)
    assert rows(database, "select distinct scheduled_time from raw.sessions") == [
        (datetime(2026, 1, 5, 9, tzinfo=UTC),)
    ]
    assert rows(database, "select subject from raw.sessions order by external_id") == [(None,), ("fine",)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("sessions.csv", b"", "sessions.csv is empty: not even a header"),
        ("sessions.csv", b"session_id,status\n", "required columns missing: tutor_id, student_id, scheduled_time"),
        (
            "tutors.csv",
            b"id;name\n",
            "required column missing: tutor_id; `tutorq load --explain FILE` shows what it has",
        ),
        ("tutors.csv", b"tutor_id,name, NAME\n", "names name more than once"),
        ("tutors.csv", "tutor_id\nt1\n".encode("utf-32"), "is UTF-32; save it as UTF-8"),
        ("tutors.csv", b'tutor_id,"na\n', "the header cannot be read"),
        ("tutors.csv.gz", b"tutor_id\nt1\n", "is not a gzip file"),
        ("tutors.csv.gz", gzip.compress(b"tutor_id\n" + bytes(range(65, 91)) * 999)[:-20], "is cut short"),
        ("tutors.parquet", b"PAR1 but no more", "is not a complete Parquet file"),
        ("tutors.parquet", b"", "is empty"),
        ("tutors.xls", b"PK", "is not the name of a landing file"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_leaves_nothing(
    load: Loader, database: Database, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(TutorqError) as caught:
        load(content, name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    for table in ("tutors", "sessions", "quarantine", "loads"):
        assert rows(database, f"select count(*) from raw.{table}") == [(0,)]


def test_gzip_that_ends_too_early_after_good_rows_loads_nothing(
    load: Loader, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 1_000)
    content = gzip.compress(csv_text("tutor_id", *(f"tutor-{number * 7919}" for number in range(20_000))).encode())
    with pytest.raises(TutorqError, match="cut short"):
        load(content[: len(content) // 2], "tutors.csv.gz")
    assert rows(database, "select count(*) from raw.tutors") == [(0,)]


def test_header_only_is_an_empty_load(load: Loader, database: Database) -> None:
    assert counts(load(HEADER)) == (0, 0, 0, 0, 0)
    assert rows(database, "select read_rows from raw.loads") == [(0,)]


def test_a_folder_goes_on_after_a_bad_file(database: Database, tmp_path: Path) -> None:
    with pytest.raises(TutorqError, match="no landing file"):
        load_folder(database, tmp_path, timezone="UTC")
    with pytest.raises(TutorqError, match="there is no folder"):
        load_folder(database, tmp_path / "nowhere", timezone="UTC")
    (tmp_path / "tutors.csv").write_text("name\nAda\n")
    (tmp_path / "sessions.2026-02.csv").write_text(csv_text(HEADER, ROW))
    (tmp_path / "sessions.2026-01.csv").write_text(csv_text(HEADER, ROW.replace("s1", "s2")))
    (tmp_path / "sessions").mkdir()
    assert [path.name for path in landing_files(tmp_path, "sessions")] == [
        "sessions.2026-01.csv",
        "sessions.2026-02.csv",
    ]
    summary = load_folder(database, tmp_path, timezone="UTC")
    assert summary.inserted == 2
    assert [(error.source, error.message) for error in summary.errors] == [
        (
            "tutors.csv",
            "tutors.csv: required column missing: tutor_id; `tutorq load --explain FILE` shows what it has, and drafts "
            "a mapping for it",
        )
    ]
    assert summary.to_dict()["errors"][0]["source"] == "tutors.csv"


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2024-03-31T01:59", "2024-03-31T00:59"),
        ("2024-03-31T02:30", "2024-03-31T01:30"),  # does not exist: read as before the jump
        ("2024-03-31T03:00", "2024-03-31T01:00"),
        ("2024-10-27T02:30", "2024-10-27T00:30"),  # comes twice: the first
        ("2024-10-27T03:00", "2024-10-27T02:00"),
        ("2099-07-01", "2099-06-30T22:00"),
    ],
)
def test_times_without_offset_around_clock_changes(load: Loader, database: Database, wall: str, utc: str) -> None:
    load(csv_text(HEADER, f"s1,t1,p1,{wall},completed"), timezone="Europe/Vienna")
    expected = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert rows(database, "select scheduled_time from raw.sessions") == [(expected,)]


def test_uuids_stay_and_other_ids_are_derived(load: Loader, database: Database) -> None:
    given = "6F9619FF-8B86-D011-B42D-00CF4FC964FF"
    load(csv_text(HEADER, f"{given},{given},p1,2026-01-05,completed", f"s2,t1,{given.lower()},2026-01-05,completed"))
    assert rows(database, "select session_id, external_id from raw.sessions order by external_id nulls first") == [
        (UUID(given), None),
        (UUID("0752bb62-21fe-5855-b086-d82a0f1cb94a"), "s2"),
    ]
    assert rows(database, "select tutor_id, external_id, is_stub from raw.tutors order by 2 nulls first") == [
        (UUID(given), None, True),
        (entity_uuid("t1"), "t1", True),
    ]


def test_an_external_id_is_noted_whenever_it_becomes_known(load: Loader, database: Database) -> None:
    uuid = entity_uuid("t1")
    load(csv_text(HEADER, f"s1,{uuid},p1,2026-01-05,completed"))
    assert rows(database, "select external_id from raw.tutors") == [(None,)]
    load(csv_text(HEADER, "s2,t1,p1,2026-01-05,completed"))
    assert rows(database, "select external_id, is_stub from raw.tutors") == [("t1", True)]
    load(f"tutor_id,name\n{uuid},Ada\n", "tutors.csv")
    assert rows(database, "select external_id, name, is_stub from raw.tutors") == [("t1", "Ada", False)]


def test_a_later_tutors_file_replaces_only_the_columns_it_has(load: Loader, database: Database) -> None:
    query = "select name, email, is_active, subjects from raw.tutors"
    load("tutor_id,name,email,is_active,subjects\nt1,Ada,a@b.c,false,math\n", "tutors.csv")
    assert counts(load("tutor_id,name\nt1,Ada L.\n", "tutors.csv")) == (1, 0, 1, 0, 0)
    assert rows(database, query) == [("Ada L.", "a@b.c", False, ["math"])]
    assert counts(load("tutor_id\nt1\n", "tutors.csv")) == (1, 0, 0, 1, 0)
    load("tutor_id,email,is_active,subjects\nt1,,,\n", "tutors.csv")
    assert rows(database, query) == [("Ada L.", None, True, [])]


def test_contradicting_rows_of_one_tutor_are_settled_and_reported(load: Loader, database: Database) -> None:
    rows_in = ["t1,Ada,", "t1,Ada,a@b.c", "t1,Ada,a@b.c"]
    assert counts(load(csv_text("tutor_id,name,email", *rows_in), "tutors.csv")) == (3, 1, 0, 1, 1)
    assert rows(database, "select email from raw.tutors") == [("a@b.c",)]
    assert reasons(database) == [(2, "conflicts with another row of the same tutor_id in this file")]


def version(updated_at: str = "", status: str = "completed", rating: str = "", subject: str = "") -> str:
    return f"s1,t1,p1,2026-01-05T10:00:00Z,{status},{subject},{rating},{updated_at}"


OLD, NEW = "2026-01-05T11:00:00Z", "2026-01-06T11:00:00Z"


@pytest.mark.parametrize(
    ("winner", "loser", "quarantined"),
    [
        (version(NEW), version(OLD, rating="5"), 0),
        (version(OLD), version("", rating="5", subject="math"), 0),
        (version(NEW, "scheduled"), version(OLD), 0),
        (version(OLD), version(OLD, "scheduled", subject="math"), 0),
        (version(OLD, rating="5", subject="math"), version(OLD, rating="4"), 1),
        (version(OLD, rating="5"), version(OLD, rating="4"), 1),
        (version("", rating="5"), version("", rating="4"), 1),
        (version(OLD, "no_show"), version(OLD, "cancelled"), 1),
    ],
)
@pytest.mark.parametrize("arrival", ["winner first", "loser first", "one file", "one file, loser first"])
def test_the_winning_version_does_not_depend_on_arrival(
    load: Loader, database: Database, winner: str, loser: str, quarantined: int, arrival: str
) -> None:
    header = f"{HEADER},subject,rating,updated_at"
    order = [loser, winner] if "loser first" in arrival else [winner, loser]
    parts = [order] if arrival.startswith("one file") else [[row] for row in order]
    summaries = [load(csv_text(header, *part)) for part in parts]
    stored = "status, coalesce(subject, ''), coalesce(rating::int::text, ''), coalesce(updated_at::date::text, '')"
    cells = winner.split(",")
    assert rows(database, f"select {stored} from raw.sessions") == [(*cells[4:7], cells[7][:10])]
    # A version that is as new and says something else is reported, be it the row of the file or the stored one.
    assert len(reasons(database)) == quarantined
    for summary in summaries:
        taken = summary.inserted + summary.updated + summary.unchanged + summary.stale
        assert summary.read == taken + summary.quarantined
    again = load(csv_text(header, winner))
    assert counts(again) == (1, 0, 0, 1, 0)


@pytest.mark.parametrize("arrival", ["two files", "one file"])
def test_an_older_version_is_stale_and_not_unchanged(load: Loader, database: Database, arrival: str) -> None:
    header = f"{HEADER},subject,rating,updated_at"
    parts = [[version(NEW)], [version(NEW), version(OLD, rating="5"), version("")]]
    if arrival == "one file":
        parts = [[*parts[0], *parts[1]]]
    summaries = [load(csv_text(header, *part)) for part in parts]
    assert sum(summary.stale for summary in summaries) == 2
    assert sum(summary.unchanged for summary in summaries) == 1
    assert sum(summary.inserted for summary in summaries) == 1
    assert rows(database, "select sum(stale_rows), sum(unchanged_rows) from raw.loads") == [(2, 1)]
    assert reasons(database) == []


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati"])
def test_a_version_from_the_future_is_refused(load: Loader, database: Database, zone: str) -> None:
    soon, late = (datetime.now(UTC) + timedelta(hours=hours) for hours in (23, 25))
    header = f"{HEADER},subject,rating,updated_at"
    summary = load(csv_text(header, version("2099-01-01"), version(late.isoformat())), timezone=zone)
    assert counts(summary) == (2, 0, 0, 0, 2)
    assert reasons(database) == [
        (2, "updated_at: 2099-01-01 is more than a day ahead of the server's clock"),
        (3, f"updated_at: {late.isoformat()} is more than a day ahead of the server's clock"),
    ]
    assert counts(load(csv_text(header, version(soon.isoformat())), timezone=zone)) == (1, 1, 0, 0, 0)
    moved = load("session_id,initiator,updated_at\ns1,tutor,2099-01-01\n", "reschedules.csv")
    assert counts(moved) == (1, 0, 0, 0, 1)


def test_an_administrator_mends_what_a_version_from_the_future_froze(
    load: Loader, shared_database: Database, tmp_path: Path
) -> None:
    owner = shared_database
    header = f"{HEADER},subject,rating,updated_at"
    load(csv_text(header, version(OLD, rating="1")))
    load("session_id,initiator,updated_at\ns1,tutor,2026-01-05\n", "reschedules.csv")
    with owner.connect() as connection:
        # As versions before this rule let them in.
        for table in ("sessions", "reschedules"):
            connection.execute(f"update raw.{table} set updated_at = '2099-01-01'".encode())
        forget_audit(connection)
    another = "s2,t1,p1,2026-01-05,no_show,,,"
    right = {
        "sessions.csv": csv_text(header, version(NEW, rating="4"), version(OLD, rating="3"), another),
        "reschedules.csv": "session_id,initiator,updated_at\ns1,student,2026-01-06\n",
    }
    for name, text in right.items():
        assert load(text, name).stale >= 1
    for name in right:
        summary = load_file(owner, tmp_path / name, timezone="UTC", override_by="Ann")
        assert (summary.updated, summary.stale) == (1, 1 if name == "sessions.csv" else 0)
    sessions = rows(owner, "select rating::int, updated_at::date::text from raw.sessions order by 1")
    assert sessions == [(4, "2026-01-06"), (None, None)]
    moved = rows(owner, "select initiator, updated_at::date::text from raw.reschedules")
    assert moved == [("student", "2026-01-06")]
    audit = rows(
        owner,
        "select actor, action, subject_kind, details ->> 'source', details -> 'before' ->> 'updated_at',"
        " details -> 'before' ->> 'rating', details -> 'after' ->> 'rating' from app.audit_log order by entry_id",
    )
    assert audit == [
        ("Ann", "session.override", "session", "sessions.csv", "2099-01-01T00:00:00+00:00", "1.00", "4.00"),
        ("Ann", "reschedule.override", "session", "reschedules.csv", "2099-01-01T00:00:00+00:00", None, None),
    ]
    # Again changes nothing, and from here on the newest version wins as ever.
    load_file(owner, tmp_path / "sessions.csv", timezone="UTC", override_by="Ann")
    assert rows(owner, "select count(*) from app.audit_log") == [(2,)]
    assert load(csv_text(header, version("2026-01-07", rating="5"))).updated == 1


def test_filling_in_a_rating_is_no_conflict(load: Loader, database: Database) -> None:
    header = f"{HEADER},subject,rating,updated_at"
    load(csv_text(header, version()))
    assert counts(load(csv_text(header, version(rating="5")))) == (1, 0, 1, 0, 0)
    assert reasons(database) == []
    assert counts(load(csv_text(header, version()))) == (1, 0, 0, 0, 1)
    assert rows(database, "select rating from raw.sessions") == [(Decimal("5.00"),)]


def test_of_each_move_the_newest_version_is_kept(load: Loader, database: Database) -> None:
    header = "session_id,initiator,requested_at,updated_at,reason"
    summary = load(
        csv_text(
            header,
            f"s1,student,{OLD},{OLD},",
            f"s1,student,{NEW},{OLD},",
            f"s1,platform,{NEW},,ill",
            f"s1,tutor,{NEW},{OLD},",
            "s1,platform,,,",
        ),
        "reschedules.csv",
    )
    assert (counts(summary), summary.stale) == ((5, 3, 0, 0, 1), 1)
    moves = "select initiator, requested_at from raw.reschedules order by requested_at"
    kept = [("student", datetime.fromisoformat(OLD)), ("tutor", datetime.fromisoformat(NEW)), ("platform", None)]
    assert rows(database, moves) == kept
    corrected = csv_text(header, f"s1,tutor,{OLD},{NEW},ill")
    assert counts(load(corrected, "reschedules.csv")) == (1, 0, 1, 0, 0)
    assert rows(database, moves) == [("tutor", datetime.fromisoformat(OLD)), *kept[1:]]
    assert counts(load(corrected, "reschedules.csv")) == (1, 0, 0, 1, 0)


def test_stored_times_tell_first_and_present_arrival(load: Loader, database: Database) -> None:
    header = f"{HEADER},subject,rating,updated_at"
    load(csv_text(header, version(OLD)))
    load(csv_text(header, version(NEW)))
    assert rows(database, "select created_at < loaded_at from raw.sessions") == [(True,)]
    query = "select entity, count(*) from raw.changes group by 1 order by 1"
    assert rows(database.as_role(DatabaseRole.TRANSFORM), query) == [("session", 2), ("student", 1), ("tutor", 1)]


def test_parallel_loads_of_the_same_rows_agree(database: Database, tmp_path: Path) -> None:
    def write(name: str, numbers: Iterable[int]) -> Path:
        path = tmp_path / name
        lines = (f"s{number},t{number % 50},p{number},2026-01-05,completed,{number % 5 + 1}" for number in numbers)
        path.write_text(csv_text(f"{HEADER},rating", *lines))
        return path

    paths = [write(f"sessions.{part}.csv", range(part * 300, part * 300 + 1_500)) for part in range(3)]
    paths.append(write("sessions.reversed.csv", reversed(range(2_100))))
    with ThreadPoolExecutor(len(paths)) as pool:
        summaries = list(pool.map(lambda path: load_file(database, path, timezone="UTC"), paths))
    assert sum(summary.inserted for summary in summaries) == 2_100
    assert sum(summary.updated + summary.quarantined for summary in summaries) == 0
    assert rows(database, "select count(*) from raw.sessions") == [(2_100,)]


def test_progress_reaches_the_end(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text(csv_text(HEADER, ROW))
    seen: list[Progress] = []
    load_file(database, path, timezone="UTC", on_progress=seen.append)
    assert [progress.phase for progress in seen] == ["reading", "merging", "done"]
    assert {(progress.source, progress.rows_done) for progress in seen} == {("sessions.csv", 1)}
    assert all(progress.bytes_done == progress.bytes_total == path.stat().st_size for progress in seen)


def test_the_record_of_a_load_says_what_the_summary_says(load: Loader, database: Database) -> None:
    summary = load(csv_text(HEADER, ROW, ROW, "s2,t1,p1,never,completed", "s3,t1"))
    assert counts(summary) == (4, 1, 0, 1, 2)
    query = "select source, read_rows, inserted_rows, updated_rows, unchanged_rows, quarantined_rows from raw.loads"
    assert rows(database, query) == [("sessions.csv", *counts(summary))]
    assert summary.to_dict()["unchanged"] == 1


def test_a_database_without_tables_is_told(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "tutors.csv"
    path.write_text("tutor_id\nt1\n")
    without_tables = Settings(home=tmp_path, database_url=re.sub(r"/test_\w+\?", "/postgres?", database.url))
    with pytest.raises(TutorqError, match="run `tutorq db migrate`"):
        load_file(Database(without_tables), path, timezone="UTC")


def test_who_loads_people_raises_the_version_that_answers_are_cached_by(
    database: Database, shared_database: Database, tmp_path: Path
) -> None:
    def version() -> int:
        [(found,)] = rows(shared_database, "select version from ml.prediction_version")
        return int(found)

    people, session = "tutor_id,name\nT-1,Ada\n", "session_id,tutor_id,student_id,scheduled_time,status\n"
    steps = [
        ("tutors.csv", people, True),
        ("tutors.csv", people.replace("\n", "\r\n"), False),
        ("tutors.csv", people.replace("Ada", "Ida"), True),
        # It names a student whom nobody knew.
        ("sessions.csv", f"{session}s1,T-1,P-1,2024-05-01 10:00,completed\n", True),
        ("sessions.csv", f"{session}s2,T-1,P-1,2024-05-02 10:00,completed\n", False),
    ]
    for name, text, is_raised in steps:
        before = version()
        (tmp_path / name).write_text(text)
        assert load_folder(database, tmp_path, timezone="UTC").errors == []
        assert (version() > before) is is_raised, text
