"""A mapping is understood or refused with the place and the nearest word; its files are read as it says."""

from collections.abc import Sequence

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
import yaml

from core.errors import TutorqError
from ingest.arrow import ArrowColumn
from ingest.batches import RawBatch
from ingest.contract import ENTITIES
from ingest.draft import draft, fitting_ready_made, likely_entity
from ingest.mapped import OfMapping, names_of
from ingest.mapping import READY_MADE, FileMapping, json_schema, parse_mapping, ready_made
from ingest.notes import Notes

HEADER = ["ref", "Teacher", "Pupil", "Day", "Clock", "State", "Minutes", "By"]


def read(
    mapping: FileMapping, header: Sequence[str], *rows: Sequence[str | None], entity: str = "sessions"
) -> tuple[list[dict[str, str | None]], Notes]:
    """The cells of the contract, as text."""
    notes = Notes()
    wanted = OfMapping(ENTITIES[entity], mapping.sections[entity], mapping.timezone or "UTC", notes)
    places = wanted.header("x.csv", header).positions
    columns: dict[str, ArrowColumn] = {
        name: pa.array([row[place] for row in rows], pa.string()) for name, place in places.items()
    }
    batch = wanted.apply(RawBatch(np.arange(len(rows)), columns, lambda row: rows[row]))
    assert tuple(batch.columns) == wanted.columns
    return pa.table(batch.columns).to_pylist(), notes


PLAIN = """
sessions:
  columns:
    session_id: ref
    tutor_id: teacher
    student_id: PUPIL
    scheduled_time: [Day, Clock]
    status: State
    duration_minutes: Minutes
  values:
    status: {accepted: completed, "no": scheduled, 1: no_show, false: cancelled}
  defaults: {initiator: tutor}
  dates: "%d.%m.%Y %H:%M"
  decimal: ","
"""


def test_columns_values_dates_and_defaults() -> None:
    (first, second, third), notes = read(
        parse_mapping(PLAIN),
        HEADER,
        ["a", "t", "s", "3.4.2026", "9:05", "Accepted", "1.059,5", ""],
        ["b", "t", "s", "2026-04-03", "09:05", "FALSE", "60", ""],
        ["c", "t", "s", "31.2.2026", "", "other", None, None],
    )
    assert first == {
        "session_id": "a", "tutor_id": "t", "student_id": "s", "scheduled_time": "2026-04-03T09:05:00",
        "status": "completed", "duration_minutes": "1059.5", "initiator": "tutor",
    }  # fmt: skip
    assert (second["scheduled_time"], second["status"]) == ("2026-04-03 09:05", "cancelled")
    # What no form and no word fits is left to whoever reads the cells.
    assert (third["scheduled_time"], third["status"], third["duration_minutes"]) == ("31.2.2026  ?", "other", None)
    assert notes.all == []


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("%m/%d/%Y %I:%M %p", "11/2/2026 3:00 pm", "2026-11-02T15:00:00"),
        ("%B %d, %Y %I:%M %p", "November 2, 2026 12:30 AM", "2026-11-02T00:30:00"),
        ("%d/%m/%y", "02/11/26", "2026-11-02T00:00:00"),
        ("%d/%m/%Y %H:%M %z", "02/11/2026 16:00 +0100", "2026-11-02T15:00:00Z"),
        ("epoch_seconds", "1793631600", "2026-11-02T15:00:00Z"),
        ("epoch_milliseconds", "1793631600123", "2026-11-02T15:00:00.123000Z"),
        ("excel_days", "46328.625", "2026-11-02T15:00:00"),
        ("%m/%d/%Y", "13/2/2026", "13/2/2026"),
        ("epoch_seconds", "soon", "soon"),
        ("epoch_seconds", "999999999999999999999", "999999999999999999999"),
    ],
)
def test_forms_of_times(form: str, text: str, expected: str) -> None:
    mapping = parse_mapping(f"sessions: {{dates: ['{form}']}}")
    header = ["session_id", "tutor_id", "student_id", "scheduled_time", "status"]
    (row,), _ = read(mapping, header, ["a", "t", "s", text, "completed"])
    assert row["scheduled_time"] == expected


def test_abbreviated_zones_have_the_offset_that_the_mapping_says() -> None:
    mapping = parse_mapping("sessions: {zones: {EST: '-05:00'}}")
    header = ["session_id", "tutor_id", "student_id", "scheduled_time", "status"]
    rows, _ = read(mapping, header, *(["a", "t", "s", f"2026-11-02 15:00 {zone}", "x"] for zone in ("EST", "WEST")))
    assert [row["scheduled_time"] for row in rows] == ["2026-11-02 15:00-05:00", "2026-11-02 15:00 WEST"]


def test_the_first_rule_that_fits_wins() -> None:
    mapping = parse_mapping("""
        sessions:
          rules:
            - {when: {absent: "*"}, set: {status: no_show}}
            - {when: {flag: ["yes", "1"], by: "*"}, set: {status: cancelled, initiator: tutor}}
            - {when: {flag: ["yes", "1"]}, set: {status: cancelled}}
            - {when: {flag: ""}, past: true, set: {status: completed}}
            - {when: {flag: ""}, past: false, set: {status: scheduled}}
    """)
    header = ["session_id", "tutor_id", "student_id", "scheduled_time", "flag", "by"]
    rows, _ = read(
        mapping,
        header,
        ["a", "t", "s", "2020-01-01", "YES", "me"],
        ["b", "t", "s", "2020-01-01", "1", " "],
        ["c", "t", "s", "2020-01-01", " ", None],
        ["d", "t", "s", "2099-01-01", None, None],
        ["e", "t", "s", "never", None, None],
    )
    assert [(row["status"], row["initiator"]) for row in rows] == [
        ("cancelled", "tutor"), ("cancelled", None), ("completed", None), ("scheduled", None), (None, None),
    ]  # fmt: skip


def test_whoever_is_named_in_a_column_of_theirs_has_done_it() -> None:
    mapping = parse_mapping("""
        sessions:
          columns: {initiator: By}
          whose: {initiator: {tutor: [tutor_id, Tutor name, absent], student: student_id}}
    """)
    header = ["session_id", "tutor_id", "Tutor name", "student_id", "scheduled_time", "status", "by"]
    said = ["T@x.org ", "ann", "kid@x.org", "the office", None]
    rows, _ = read(
        mapping, header, *(["a", "t@x.org", "Ann", "kid@x.org", "2026-01-01", "cancelled", by] for by in said)
    )
    assert [row["initiator"] for row in rows] == ["tutor", "tutor", "student", "the office", None]


def test_a_lesson_with_several_students_is_a_session_with_each() -> None:
    header = ["session_id", "tutor_id", "student_id", "scheduled_time", "status"]
    mapping = parse_mapping("sessions: {group_lessons: true}")
    rows, _ = read(mapping, header, *([" x1", "t", student, "2026-01-01", "completed"] for student in ("a", "b ", "")))
    assert [(row["session_id"], row["lesson_id"]) for row in rows] == [("x1/a", "x1"), ("x1/b", "x1"), (None, "x1")]


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    mapping = parse_mapping("sessions: {columns: {tutor_id: Techer, subject: Topic}}")
    header = ["session_id", "Teacher", "student_id", "scheduled_time", "status"]
    with pytest.raises(TutorqError, match=r"tutor_id from “Techer”.* the nearest is “Teacher”"):
        read(mapping, header)
    _, notes = read(mapping, ["tutor_id", *header])
    assert [note.text.split(",")[0] for note in notes.all] == ["the mapping takes subject from “Topic”"]
    with pytest.raises(TutorqError, match="required column missing: status; the mapping says nothing of it"):
        read(parse_mapping("sessions: {}"), ["session_id", "tutor_id", "student_id", "scheduled_time"])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sesions: {}", "sesions: is not known here; sessions is meant?"),
        ("sessions: {column: {}}", "sessions.column: is not known here; columns is meant?"),
        ("sessions: {columns: {tutor: A}}", "sessions have no column tutor; tutor_id is meant?"),
        ("sessions: {values: {status: {a: complete}}}", "sessions, status: 'complete' is not one of scheduled,"),
        ("sessions: {defaults: {status: done}}", "'done' is not one of"),
        ("sessions: {rules: [{set: {initiator: me}}]}", "'me' is not one of tutor, student, platform"),
        ("tutors: {rules: [{past: true, set: {name: x}}]}", "only rules of sessions may say `past`"),
        ("tutors: {group_lessons: true}", "only sessions may say `group_lessons`"),
        ("sessions: {dates: DD.MM.YYYY}", "'DD.MM.YYYY' is neither a strptime form"),
        ("sessions: {zones: {EST: -5}}", "EST: '-5' is not an offset"),
        ("sessions: {zones: {EST: '-5'}}", "EST: '-5' is not an offset such as -05:00"),
        ("sessions: {encoding: latin-9x}", "'latin-9x' is no known encoding"),
        ("timezone: Vienna", "'Vienna' is not a time zone such as Europe/Vienna"),
        ("use: calendy", "'calendy' is no ready-made mapping; there are acuity, calcom, calendly"),
        ("sessions: [", "mapping.yml line 1 is not YAML"),
        ("- a", "it has to begin with keys such as `use:`"),
    ],
)
def test_what_is_wrong_is_named(text: str, fault: str) -> None:
    with pytest.raises(TutorqError) as raised:
        parse_mapping(text)
    assert str(raised.value).startswith("mapping.yml")
    assert fault in str(raised.value)


def test_one_s_own_words_are_laid_over_a_ready_made_mapping() -> None:
    mapping = parse_mapping("{use: calendly, timezone: Europe/Vienna, sessions: {columns: {subject: Question 1}}}")
    sessions = mapping.sections["sessions"]
    assert mapping.timezone == "Europe/Vienna"
    assert (sessions.columns["subject"], sessions.columns["tutor_id"]) == (["Question 1"], ["User Email"])
    assert mapping.entities_of("Events-Export (1).csv") == ["tutors", "students", "sessions"]
    assert mapping.entities_of("sessions.csv") == []


CALENDLY = [
    "Team", "User Name", "User Email", "Invitee Name", "Invitee Email", "Event Type Name", "Start Date & Time",
    "End Date & Time", "Event Created Date & Time", "Canceled", "Canceled By", "Cancellation reason", "Event UUID",
]  # fmt: skip
TIMES = ["2020-11-02 03:00 pm", "2020-11-02 04:30 pm", "2020-10-20 09:12 am"]


def test_calendly() -> None:
    rows, _ = read(
        parse_mapping("use: calendly"),
        CALENDLY,
        ["", "Ann", "ann@x.org", "Kid", "kid@x.org", "Maths", *TIMES, "false", "", "", "A"],
        ["", "Ann", "ann@x.org", "Kid", "kid@x.org", "Maths", *TIMES, "true", "Ann", "ill", "B"],
        ["", "Ann", "ann@x.org", "Kid", "kid@x.org", "Maths", *TIMES, "true", "kid@x.org", "", "C"],
    )
    assert rows[0] == {
        "session_id": "A", "tutor_id": "ann@x.org", "student_id": "kid@x.org", "scheduled_time": "2020-11-02T15:00:00",
        "status": "completed", "subject": "Maths", "booked_at": "2020-10-20T09:12:00", "duration_minutes": "90",
        "initiator": "", "reason_code": "",
    }  # fmt: skip
    assert [(row["status"], row["initiator"], row["reason_code"]) for row in rows[1:]] == [
        ("cancelled", "tutor", "ill"), ("cancelled", "student", ""),
    ]  # fmt: skip


def test_cal_com() -> None:
    rows, _ = read(
        parse_mapping("use: calcom"),
        ["session_id", "tutor_id", "student_id", "scheduled_time", "status", "booked_at", "rescheduled"],
        ["a", "t", "s", "2020-11-02T15:00:00.000Z", "accepted", "2020-10-20T09:12:33.120Z", "false"],
        ["b", "t", "s", "2020-11-02T15:00:00.000Z", "cancelled", "2020-10-20T09:12:33.120Z", "true"],
        ["c", "t", "s", "2099-11-02T15:00:00.000Z", "ACCEPTED", "2020-10-20T09:12:33.120Z", "false"],
        ["d", "t", "s", "2099-11-02T15:00:00.000Z", "rejected", "2020-10-20T09:12:33.120Z", ""],
    )
    assert [row["status"] for row in rows] == ["completed", "rescheduled", "scheduled", "cancelled"]


def test_acuity_teachworks_and_tutorcruncher() -> None:
    (row,), _ = read(
        parse_mapping("use: acuity"),
        [
            "Start Time", "End Time", "First Name", "Last Name", "Email", "Type", "Calendar", "Date Scheduled",
            "Appointment ID",
        ],
        [
            "November 2, 2020 3:00 pm", "November 2, 2020 4:00 pm", "K", "Id", "kid@x.org", "Maths", "Ann",
            "October 20, 2020", "7",
        ],
    )  # fmt: skip
    assert row == {
        "session_id": "7", "tutor_id": "Ann", "student_id": "kid@x.org", "scheduled_time": "2020-11-02T15:00:00",
        "status": "completed", "subject": "Maths", "booked_at": "2020-10-20T00:00:00", "duration_minutes": "60",
        "initiator": None,
    }  # fmt: skip
    rows, _ = read(
        parse_mapping("use: teachworks"),
        ["ID", "Date", "Start Time", "Employee", "Student", "Service", "Status", "Duration"],
        ["1", "2020-11-02", "3:00 PM", "Ann", "Kid", "Maths", "Attended", "60"],
        ["2", "2020-11-03", "15:00", "Ann", "Kid", "Maths", "Missed", "60"],
    )
    assert [(row["scheduled_time"], row["status"], row["initiator"]) for row in rows] == [
        ("2020-11-02T15:00:00", "completed", None), ("2020-11-03T15:00:00", "no_show", "student"),
    ]  # fmt: skip
    rows, _ = read(
        parse_mapping("use: tutorcruncher"),
        ["ID", "Tutor", "Student", "Start", "Finish", "Status"],
        *(["1", "Ann", "Kid", "2020-11-02T15:00", "2020-11-02T15:45", status]
          for status in ("Planned", "Complete", "Cancelled", "Cancelled but chargeable")),
    )  # fmt: skip
    assert [(row["status"], row["initiator"]) for row in rows] == [
        ("scheduled", None), ("completed", None), ("cancelled", None), ("cancelled", "student"),
    ]  # fmt: skip


def test_each_ready_made_mapping_says_what_it_is_for() -> None:
    for name, purpose in ready_made().items():
        assert parse_mapping(f"use: {name}").sections
        assert len(purpose) > 20


def test_editors_check_a_mapping_by_its_schema() -> None:
    schema = json_schema()
    for name in ready_made():
        jsonschema.validate(yaml.safe_load((READY_MADE / f"{name}.yml").read_text()), schema)
    for wrong in ("sesions: {}", "sessions: {columns: {tutor: A}}", "sessions: {values: {status: {a: complete}}}"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(wrong), schema)


def test_a_draft_of_an_unknown_file_says_what_it_found_and_what_is_open() -> None:
    header = ["Lesson ID", "Teacher", "Pupil", "Start", "Outcome", "Fee"]
    samples = {
        "Lesson ID": ["L1"], "Teacher": ["Ann"], "Pupil": ["Kid"], "Start": ["31/12/2025 15:00", "01/02/2026 16:00"],
        "Outcome": ["Done", "No-show", "Teacher ill", "Canceled"], "Fee": ["10"],
    }  # fmt: skip
    assert likely_entity(header).name == "sessions"
    text = draft("my lessons.csv", header, samples, ENTITIES["sessions"])
    with pytest.raises(TutorqError, match=r"sessions, status: '\?\?\?' is not one of"):
        parse_mapping(text)
    mapping = parse_mapping(text.replace('"???"', "cancelled"))
    (row, *_), _ = read(mapping, header, ["L1", "Ann", "Kid", "31/12/2025 15:00", "done", "10"])
    assert row == {
        "session_id": "L1", "tutor_id": "Ann", "student_id": "Kid", "scheduled_time": "2025-12-31T15:00:00",
        "status": "completed",
    }  # fmt: skip
    assert "    # not used:\n    #   Fee  # 10\n" in text


def test_a_draft_of_a_german_file_is_complete() -> None:
    header = [
        "Lektion-Nr",
        "Lehrkraft",
        "Schüler-Nr",
        "Datum",
        "Beginn",
        "Stand",
        "Abgesagt von",
        "Dauer (Min.)",
        "Raum",
    ]
    samples = {
        "Lektion-Nr": ["17"], "Lehrkraft": ["Ann"], "Schüler-Nr": ["K1"], "Datum": ["31.1.2026"], "Beginn": ["15:00"],
        "Stand": ["abgesagt", "durchgeführt", "nicht erschienen"], "Abgesagt von": ["Lehrkraft"],
        "Dauer (Min.)": ["60"],
    }  # fmt: skip
    mapping = parse_mapping(draft("Unterricht.csv", header, samples, ENTITIES["sessions"]))
    (row, *_), _ = read(mapping, header, ["17", "Ann", "K1", "31.1.2026", "15:00", "abgesagt", "Lehrkraft", "60", "2"])
    assert row == {
        "session_id": "17", "tutor_id": "Ann", "student_id": "K1", "scheduled_time": "2026-01-31T15:00:00",
        "status": "cancelled", "initiator": "tutor", "duration_minutes": "60",
    }  # fmt: skip


def test_a_draft_leaves_open_which_number_is_the_month() -> None:
    header = ["id", "tutor", "student", "date", "status"]
    samples = {"id": ["1"], "tutor": ["a"], "student": ["b"], "date": ["3/4/2026"], "status": ["completed"]}
    text = draft("x.csv", header, samples, ENTITIES["sessions"])
    assert "date (3/4/2026) is either %d/%m/%Y or %m/%d/%Y" in text
    with pytest.raises(TutorqError, match=r"'\?\?\?' is neither a strptime form"):
        parse_mapping(text)


def test_an_export_of_a_known_tool_is_known() -> None:
    assert fitting_ready_made(CALENDLY) == "calendly"
    assert (
        fitting_ready_made(["ID", "Tutor", "Student", "Start", "Finish", "Status", "Job", "Created"]) == "tutorcruncher"
    )
    assert fitting_ready_made(["a", "b"]) is None


def test_words_that_yaml_would_take_for_others_are_cells() -> None:
    mapping = parse_mapping("""
        sessions:
          columns: {status: Held, subject: Code}
          values: {status: {yes: completed, no: cancelled, off: no_show}, subject: {010: ten, 12:30: half past twelve}}
          rules:
            - {when: {Called off: yes}, set: {initiator: tutor}}
    """)
    header = ["session_id", "tutor_id", "student_id", "scheduled_time", "Held", "Code", "Called off"]
    rows, _ = read(
        mapping, header,
        ["a", "t", "s", "2026-01-01", "Yes", "010", "Yes"],
        ["b", "t", "s", "2026-01-01", "NO", "12:30", "no"],
        ["c", "t", "s", "2026-01-01", "Off", "8", None],
    )  # fmt: skip
    assert [(row["status"], row["subject"], row["initiator"]) for row in rows] == [
        ("completed", "ten", "tutor"), ("cancelled", "half past twelve", None), ("no_show", "8", None),
    ]  # fmt: skip


def test_signs_are_words_and_empty_cells_are_none_of_them() -> None:
    mapping = parse_mapping("""
        sessions:
          values: {technical_issue: {"✔": true, "✘": false}, subject: {"C#": CSharp}}
          rules: [{when: {mark: "✓"}, set: {initiator: tutor}}]
    """)
    header = ["session_id", "tutor_id", "student_id", "scheduled_time", "status", "technical_issue", "subject", "mark"]
    rows, _ = read(
        mapping, header,
        *(["a", "t", "s", "2026-01-01", "completed", *cells]
          for cells in (["✔", "C#", "✓"], ["✘", "C", ""], ["", "C++", None])),
    )  # fmt: skip
    assert [(row["technical_issue"], row["subject"], row["initiator"]) for row in rows] == [
        ("true", "CSharp", "tutor"), ("false", "C", None), ("", "C++", None),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["calendly", "acuity", "calcom", "teachworks", "tutorcruncher"])
def test_ready_made_mappings_read_files_without_rows(name: str) -> None:
    section = parse_mapping(f"use: {name}").sections["sessions"]
    header = list(dict.fromkeys(one for given in section.columns.values() for one in names_of(given)))
    header += [name for rule in section.rules for name in rule.when if name not in header]
    rows, _ = read(parse_mapping(f"use: {name}"), header)
    assert rows == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sessions: {dates: '%d/%m/%Y %k:%M'}", "is neither a strptime form"),
        ('sessions: {delimiter: "\\n"}', "cannot stand between cells"),
        ("tutors: {defaults: {tutor_id: x}}", "tutor_id tells rows apart"),
        ("sessions: {values: {status: {No Show: no_show, no-show: cancelled}}}", "'no-show' has two meanings"),
        ("a: " + "[" * 5000, "mapping.yml"),
        ("a: &a [x]\nb: *a", "references (*) are not understood"),
    ],
)
def test_what_would_break_a_load_is_refused_before(text: str, fault: str) -> None:
    with pytest.raises(TutorqError) as raised:
        parse_mapping(text)
    assert fault in str(raised.value)


def test_zones_with_signs_and_words_that_pandas_knows() -> None:
    mapping = parse_mapping("sessions: {zones: {GMT+1: '+01:00', (X: '+02:00'}, dates: '%d.%m.%Y %H:%M'}")
    header = ["session_id", "tutor_id", "student_id", "scheduled_time", "status"]
    said = ["2026-11-02 15:00 GMT+1", "2026-11-02 15:00 (X", "today", "Now"]
    rows, _ = read(mapping, header, *(["a", "t", "s", text, "x"] for text in said))
    assert [row["scheduled_time"] for row in rows] == [
        "2026-11-02 15:00+01:00", "2026-11-02 15:00+02:00", "today", "Now",
    ]  # fmt: skip


def test_a_day_without_its_clock_is_no_midnight_and_a_mark_of_nothing_gets_the_default() -> None:
    mapping = parse_mapping("sessions: {columns: {scheduled_time: [day, clock]}, defaults: {status: completed}}")
    header = ["session_id", "tutor_id", "student_id", "day", "clock", "status"]
    rows, _ = read(
        mapping, header, ["a", "t", "s", "2026-11-02", "", "N/A"], ["a", "t", "s", "", " ", ""],
        ["a", "t", "s", "2026-11-02", "15:00", "no_show"],
    )  # fmt: skip
    assert [(row["scheduled_time"], row["status"]) for row in rows] == [
        ("2026-11-02  ?", "completed"), (" ", "completed"), ("2026-11-02 15:00", "no_show"),
    ]  # fmt: skip


def test_a_zone_goes_with_a_form_of_dates() -> None:
    mapping = parse_mapping("sessions: {zones: {ET: '-05:00', MET: '+01:00'}, dates: '%m/%d/%Y %I:%M %p%z'}")
    header = ["session_id", "tutor_id", "student_id", "scheduled_time", "status"]
    rows, _ = read(mapping, header, *(["a", "t", "s", f"11/2/2026 3:00 PM {zone}", "x"] for zone in ("ET", "MET")))
    assert [row["scheduled_time"] for row in rows] == ["2026-11-02T20:00:00Z", "2026-11-02T14:00:00Z"]


@pytest.mark.parametrize("time", ["2020-11-02 15:00:00 UTC", "2020-11-02 15:00 +0000", "2 Nov 2020 3:00 PM Z"])
def test_rules_and_lengths_understand_the_times_that_files_may_have(time: str) -> None:
    mapping = parse_mapping("""
        sessions:
          columns: {duration_minutes: {start: scheduled_time, end: end}}
          rules: [{past: true, set: {status: completed}}, {past: false, set: {status: scheduled}}]
    """)
    header = ["session_id", "tutor_id", "student_id", "scheduled_time", "end"]
    (row,), _ = read(mapping, header, ["a", "t", "s", time, "2020-11-02T16:30Z"])
    assert (row["status"], row["duration_minutes"]) == ("completed", "90")
