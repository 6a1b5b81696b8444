"""Cells that are not written plainly: what is understood, and what is refused because it may mean two things."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from ingest.batches import RawBatch
from ingest.contract import ENTITIES
from ingest.notes import Note, Notes
from ingest.parser import BatchParser, TypedBatch
from ingest.spelling import normal
from ingest.unusual import SHOWN_CHARACTERS, shown

ZONE = "Europe/Vienna"
ROWS: dict[str, dict[str, str]] = {
    "tutors": {"tutor_id": "t1"},
    "students": {"student_id": "p1"},
    "sessions": {
        "session_id": "s1",
        "tutor_id": "t1",
        "student_id": "p1",
        "scheduled_time": "2026-01-05T10:00:00Z",
        "status": "no_show",
    },
    "reschedules": {"session_id": "s1", "initiator": "tutor"},
}


def parse(entity: str, column: str, *cells: str) -> tuple[TypedBatch, list[Note]]:
    """Rows that are plain but for the cells of one column."""
    columns = {name: pa.array([value] * len(cells)) for name, value in ROWS[entity].items()}
    columns[column] = pa.array(cells, pa.string())
    notes = Notes()
    raw = RawBatch(np.arange(len(cells)) + 2, columns, lambda row: cells[row])
    return BatchParser(ENTITIES[entity], ZONE, notes).parse(raw), notes.all


def read(entity: str, column: str, *cells: str) -> list[Any]:
    """The values of cells that all are understood."""
    batch, _ = parse(entity, column, *cells)
    assert (batch.rejects, batch.remarks) == ([], [])
    values = batch.rows.column(column)
    return [value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in values.to_pylist()]


def is_taken(entity: str, column: str, cell: str) -> bool:
    batch, _ = parse(entity, column, cell)
    return not (batch.rejects or batch.remarks)


AT_THREE = datetime(2026, 11, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-02 15:00:00 UTC", AT_THREE),
        ("2026-11-02 15:00 UTC", AT_THREE),
        ("2026-11-02 15:00:00 +0000", AT_THREE),
        ("2026-11-02 15:00:00.000000 UTC", AT_THREE),
        ("2026-11-02T15:00:00 Z", AT_THREE),
        ("2026-11-02t15:00:00z", AT_THREE),
        ("2026-11-02T10:00:00 -05:00", AT_THREE),
        ("2026-11-02T10:00:00\u221205:00", AT_THREE),
        ("2026-11-02T15:00:00+00:00:00", AT_THREE),
        ("2026-11-02T15:00:00,125Z", AT_THREE + timedelta(milliseconds=125)),
        ("2026-11-02T15:00:00.123456789 +0000", AT_THREE + timedelta(microseconds=123456)),
        ("2026-11-02 9:05Z", AT_THREE.replace(hour=9, minute=5)),
        ("2026-11-2 15:00Z", AT_THREE),
        ("2026/11/02 15:00:00 GMT", AT_THREE),
        ("20261102T150000Z", AT_THREE),
        ("20261102T160000", AT_THREE),
        ("2026-11-02T15Z", AT_THREE),
        ("2026-11-02 04:00 PM", AT_THREE),
        ("2026-11-02 12:30 AM +0000", AT_THREE.replace(hour=0, minute=30)),
        ("2026-11-02 12:30 pm +0000", AT_THREE.replace(hour=12, minute=30)),
        ("2026-11-02T16:00:00+01:00[Europe/Vienna]", AT_THREE),
        ("2026-11-02T15:00Z[UTC]", AT_THREE),
        ("2026-11-02 10:00 America/New_York", AT_THREE),
        # The second of two equal hours, because the offset says so; without one, the first.
        ("2026-10-25T02:30:00+01:00[Europe/Vienna]", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("2026-10-25 02:30 Europe/Vienna", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2-Nov-2026 16:00", AT_THREE),
        ("Nov 2, 2026 4:00 PM", AT_THREE),
        ("November 2, 2026, 4:00\u202fPM", AT_THREE),
        ("Mon, 02 Nov 2026 15:00:00 GMT", AT_THREE),
        ("Mon Nov 02 2026 16:00:00 GMT+0100 (Central European Standard Time)", AT_THREE),
        ("2 Nov 2026", AT_THREE - timedelta(hours=16)),
        # The end of a day is the beginning of the next one, and a leap second is the second after it.
        ("2026-11-02T24:00:00Z", datetime(2026, 11, 3, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2017-01-01T00:59:60+01:00", datetime(2017, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_of_one_meaning_are_understood(text: str, time: datetime) -> None:
    assert read("sessions", "scheduled_time", text, "2026-11-02T15:00:00Z") == [time, AT_THREE]
    _, [note] = parse("sessions", "scheduled_time", text)
    assert (note.kind, note.count) == ("understood", 1)
    assert note.text == "scheduled_time: times in another form than ISO 8601"
    assert note.examples[0].startswith(f"{shown(text)!r} → 20")


@settings(max_examples=100)
@given(
    st.datetimes(
        datetime(1971, 1, 1),
        datetime(2100, 12, 30),
        timezones=st.integers(-15 * 60, 15 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    ).map(lambda time: time.replace(microsecond=0)),
    st.sampled_from(
        [
            "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%dt%H:%M:%S%z", "%Y/%m/%d %H:%M:%S%z", "%Y%m%dT%H%M%S%z",
            "%Y-%m-%d %I:%M:%S %p %z", "%d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %z", "%b %d, %Y %I:%M:%S %p %z",
            "%d-%B-%Y %H:%M:%S %z", "%a %b %d %Y %H:%M:%S GMT%z (Somewhere)", "%Y-%m-%dT%H:%M:%S,000%z",
        ]
    ),
)  # fmt: skip
def test_other_forms_mean_the_time_that_was_written(time: datetime, form: str) -> None:
    assert read("sessions", "booked_at", time.strftime(form)) == [time.astimezone(UTC)]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("3/4/2026", "set the cell format yyyy-mm-dd hh:mm"),
        ("02.11.2026 15:00", "a mapping"),
        ("02-11-26", "which the month"),
        ("45123", "Excel counts days"),
        ("46328.625", "Excel counts days"),
        ("1793631600", "seconds since 1970"),
        ("1793631600000", "seconds since 1970"),
        ("2026-11-02 15:00 EST", "write the offset, such as -05:00"),
        ("2026-11-02 3:00 PM PST", "America/New_York"),
        ("2026-11-02T15:00:00+01:00[America/New_York]", "whose offset is another one"),
        ("2026-11-02 15:00 Europe/Wien", "a zone that is not known"),
        ("2026-11-02T15:00:00-16:00", "is not an ISO 8601 time"),
        ("2026-11-02 13:00 PM", "is not an ISO 8601 time"),
        ("2026-11-02 9:00-10:00", "is not an ISO 8601 time"),
        ("Tue, 02 Nov 2026 15:00:00 GMT", "is not an ISO 8601 time"),
        ("2026-02-30 9:00 UTC", "is not an ISO 8601 time"),
    ],
)
def test_times_of_several_meanings_say_what_to_do(text: str, hint: str) -> None:
    batch, notes = parse("sessions", "scheduled_time", text)
    [reject] = batch.rejects
    assert reject.reason.startswith(f"scheduled_time: {text} ")
    assert hint in reject.reason
    assert notes == []


def ambiguous() -> list[tuple[str, str, str]]:
    """Cells that mean two things, or nothing: entity, column, cell."""
    days = [(d, m, y) for d, m in [(3, 4), (11, 2), (2, 11), (13, 1), (31, 12)] for y in ("2026", "26", "1999")]
    times = [
        f"{d}{mark}{m}{mark}{y}{clock}" for d, m, y in days for mark in "/.-" for clock in ("", " 15:00", " 3:00 PM")
    ]
    zones = [
        "EST",
        "EDT",
        "CST",
        "CDT",
        "MST",
        "PST",
        "PDT",
        "IST",
        "BST",
        "CET",
        "CEST",
        "MEZ",
        "AEST",
        "WET",
        "MSK",
        "A",
    ]
    times += [f"2026-11-02 15:00{seconds} {zone}" for zone in zones for seconds in ("", ":00")]
    times += ["45123", "45123.5", "46328,625", "1793631600", "1793631600000", "1793631600.5", "0", "1", "20261102"]
    times += ["202611021500", "2026", "2026-11", "11-02", "15:00", "26-11-02", "2026-W45-1", "2026-306", "2026-13-01"]
    times += ["2026-11-02 9:00-10:00", "2026-11-02 09:00 -10:00", "2026-11-02 15:00 UTC+1", "2026-11-02 25:00"]
    times += ["2026-11-02 15:60", "2026-11-02 00:30 AM", "2026-11-02 24:30", "2026-11-02 15:30:60", "2 Nov 26"]
    times += ["2 Okt 2026", "Ma 5 2026", "tomorrow", "2026-11-02T15:00+01:00[Nowhere]", "2026-11-02,15:00", "2026-1/5"]
    times += [
        "1969-12-31",
        "2101-01-02",
        "9999-12-31",
        "1899-12-30",
        "1900-01-01 00:00:00",
        "0206-11-02",
        "12026-11-02",
    ]
    found = [("sessions", "scheduled_time", time) for time in times]
    found += [("tutors", "hired_at", time) for time in times if ":" not in time]
    numbers = [
        "1,234",
        "1.234,5",
        "1 234",
        "1'234",
        "59.5",
        "12.50",
        "60 min",
        "1:00",
        "1h",
        "PT1H",
        "6e1",
        "0x3c",
        "½",
        "-1",
    ]
    found += [("sessions", "duration_minutes", number) for number in numbers]
    found += [("sessions", "rating", rating) for rating in ("4,5", "4.5/5", "10", "-1", "★★★★★", "5 stars", "A", "inf")]
    found += [
        ("sessions", "status", word)
        for word in ("confirmed", "attended", "late cancel", "complete", "done", "!completed")
    ]
    found += [("sessions", "initiator", word) for word in ("coach", "teacher", "tutors", "student/tutor", "t")]
    found += [("tutors", "is_active", word) for word in ("Active", "WAHR", "oui", "enabled", "2", "-1", "x", "ja", "?")]
    rounded = ["1.23457E+11", "1E+11", "1,23457E+11", "9.99999E+15", "1.5e+20", "1.23457E+100"]
    found += [("sessions", column, text) for column in ("session_id", "tutor_id", "student_id") for text in rounded]
    emails = ["a@b; c@d", "a@b, c@d", "a@b c@d", "Ann", "a@", "@b", "a@b@c", "a b@c.org", "Ann <a@b> <c@d>"]
    return found + [("tutors", "email", email) for email in emails]


def test_what_may_mean_two_things_is_never_taken() -> None:
    cells = ambiguous()
    assert len(cells) > 300
    assert [cell for cell in cells if is_taken(*cell)] == []


@pytest.mark.parametrize(
    ("entity", "column", "cells", "values"),
    [
        (
            "sessions",
            "status",
            ["Completed", "canceled", "NO SHOW", "noshow", "no-show ", "Rescheduled", "SCHEDULED", "Cancelled"],
            ["completed", "cancelled", "no_show", "no_show", "no_show", "rescheduled", "scheduled", "cancelled"],
        ),
        ("sessions", "initiator", ["Tutor", "STUDENT", "none", "-", "NULL"], ["tutor", "student", None, None, None]),
        (
            "tutors",
            "is_active",
            ["Y", "n", "on", "OFF", "1.0", "0.0", "TRUE", "f", "yes"],
            [True, False, True, False, True, False, True, False, True],
        ),
        ("tutors", "is_active", ["#N/A", "None"], [None, None]),
        ("sessions", "rating", ["0", "0.0", "nan", "N/A", "--", "4.50"], [None, None, None, None, None, 4.5]),
        ("sessions", "duration_minutes", ["60.0", "0", "NaN", r"\N"], [60, 0, None, None]),
        (
            "sessions",
            "booked_at",
            ["0000-00-00", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "1900-01-00", "NaT", "n/a"],
            [None] * 6,
        ),
        (
            "tutors",
            "hired_at",
            ["2020-02-29 23:30:00-05:00", "2020-02-29T09:30:00.123", "29 Feb 2020", "2020-2-29", "0000-00-00"],
            [date(2020, 2, 29)] * 4 + [None],
        ),
        ("tutors", "name", ["None", "NA", "Nan", "Null", "NULL", "#N/A"], ["None", "NA", "Nan", "Null", None, None]),
        (
            "tutors",
            "subjects",
            [
                "math; physics", "math, physics", '["math","physics"]', "{math,physics}", "math | physics",
                '{math,"a, b"}', '["a, b", null]', "[]", "{}", "Reading, Writing; Maths", "C/C++", '{NULL,"NULL"}',
                '{"say \\"hi\\""}', "{a", "[1]", "Math,\nPhysics", "Math, \r\n Physics\r", '{ "a" , b c }',
            ],
            [
                "math;physics", "math;physics", "math;physics", "math;physics", "math;physics", "math;a, b",
                "a, b", None, None, "Reading, Writing;Maths", "C/C++", "NULL", 'say "hi"', "{a", "[1]", "Math;Physics",
                "Math;Physics", "a;b c",
            ],
        ),
        (
            "tutors",
            "email",
            ["Ann Example <ann@example.org>", "mailto:e@example.org", "jörg@exämple.org", '"Ann, B." <a@b>', "None"],
            ["ann@example.org", "e@example.org", "jörg@exämple.org", "a@b", None],
        ),
    ],
)  # fmt: skip
def test_other_spellings_of_one_meaning_are_understood(
    entity: str, column: str, cells: list[str], values: list[Any]
) -> None:
    assert read(entity, column, *cells) == values


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("subjects", "a," + "b" * 200_000),
        ("subjects", 'a,"' + "b" * 5_000),
        ("email", "(" * 3_000 + "a@b.c"),
        # Each of them took hours while their patterns tried all shares of the same characters.
        ("subjects", "{" + " " * 9_000 + '"}'),
        ("subjects", '{"' + "\\a" * 4_000 + "}"),
        ("subjects", "{" + '"a" ' * 2_000 + "}"),
        ("subjects", "{" + " " * 1_000_000 + '"}'),
        ("hired_at", "1:11 a/" * 1_000),
    ],
)
def test_a_cell_that_is_hard_to_read_costs_itself_at_most(column: str, cell: str) -> None:
    batch, _ = parse("tutors", column, cell, "")
    assert (batch.rows.num_rows, batch.rejects) == (2, [])


def test_only_a_list_by_commas_is_a_guess() -> None:
    _, notes = parse("tutors", "subjects", "math, physics", "math, physics", "a|b", '["a"]', "a;b")
    assert [(note.kind, note.count, note.examples) for note in notes] == [
        ("guessed", 2, ["'math, physics' → math;physics"]),
        ("understood", 1, ["'a|b' → a;b"]),
        ("understood", 1, ["'[\"a\"]' → a"]),
    ]


def test_notes_count_all_and_show_three() -> None:
    batch, notes = parse("sessions", "status", *["Completed", "CANCELED", "No Show", "no show", "completed"] * 1000)
    assert batch.rejects == []
    assert notes == [
        Note(
            "understood",
            "status: words in another spelling",
            4000,
            ["'Completed' → completed", "'CANCELED' → cancelled", "'No Show' → no_show"],
        )
    ]
    _, [note] = parse("sessions", "rating", "x" * 500, "9")
    assert (note.kind, note.text, note.count) == ("left out", "rating: cells that cannot be read", 2)
    assert note.examples == [f"'{'x' * SHOWN_CHARACTERS}…'", "'9'"]


def test_a_lesson_that_ends_before_it_began_has_neither_time_and_says_so() -> None:
    """The rest of the row is true: it is stored, with a remark that names both cells as they were delivered.

    An end without a clock may be any time of its day.
    """
    columns = {name: pa.array([value] * 6) for name, value in ROWS["sessions"].items()}
    columns["started_at"] = pa.array(
        ["2026-01-05 12:00", "2026-01-05T11:00Z", "2026-01-06T11:00Z", "soon", None, "2026-01-05T11:00Z"]
    )
    columns["completed_time"] = pa.array(
        ["2026-01-05T10:59:59Z", "2026-01-05T11:00Z", "2026-01-05", "2026-01-05", "", "2026-01-05"]
    )
    notes = Notes()
    raw = RawBatch(np.arange(6) + 2, columns, lambda row: row)
    batch = BatchParser(ENTITIES["sessions"], ZONE, notes).parse(raw)
    at = datetime(2026, 1, 5, 11)
    midnight = datetime(2026, 1, 4, 23)
    assert batch.rejects == []
    assert batch.rows.column("started_at").to_pylist() == [None, at, None, None, None, at]
    assert batch.rows.column("completed_time").to_pylist() == [None, at, None, midnight, None, midnight]
    assert [(remark.line, remark.reason) for remark in batch.remarks] == [
        (
            2,
            "started_at: 2026-01-05 12:00 is after completed_time; "
            "completed_time: 2026-01-05T10:59:59Z is before started_at",
        ),
        (4, "started_at: 2026-01-06T11:00Z is after completed_time; completed_time: 2026-01-05 is before started_at"),
        (5, "started_at: soon is not an ISO 8601 time such as 2026-01-31T15:00:00Z"),
    ]
    assert [(note.kind, note.text, note.count) for note in notes.all if note.kind == "left out"] == [
        ("left out", "started_at: cells that cannot be read", 1),
        ("left out", "started_at: cells with a time that is after completed_time", 2),
        ("left out", "completed_time: cells with a time that is before started_at", 2),
    ]


@pytest.mark.parametrize("cell", ["2026-02-30 10:00:00 UTC", "1 Jan 1812 10:00", "2026-02-30 25:00 UTC"])
def test_a_cell_that_is_refused_is_not_noted_as_understood(cell: str) -> None:
    _, notes = parse("sessions", "booked_at", cell, cell)
    assert [(note.kind, note.count) for note in notes] == [("left out", 2)]
    _, notes = parse("sessions", "booked_at", cell, "2026-02-03 10:00:00 UTC")
    assert [(note.kind, note.count) for note in notes] == [("understood", 1), ("left out", 1)]


def test_names_are_compared_by_letters_and_digits() -> None:
    assert {normal(name) for name in ("No-Show ", "no_show", "NoShow", "no show")} == {"noshow"}
    assert normal("Größe_2") == normal("GRÖSSE 2")


@pytest.mark.slow
@settings(max_examples=300)
@given(st.sampled_from(["sessions", "tutors"]).flatmap(
    lambda entity: st.tuples(st.just(entity), st.sampled_from([column.name for column in ENTITIES[entity].columns]))
), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30) | st.from_regex(
    r"\A[0-9\-/.:, TZapm+\[\]{}\"|;]{1,25}\Z"
))  # fmt: skip
def test_no_cell_makes_the_parser_crash(place: tuple[str, str], cell: str) -> None:
    batch, _ = parse(*place, cell)
    assert batch.rows.num_rows + len(batch.rejects) == 1
