"""Folders with a mapping are loaded as it says, and a file is explained without being loaded."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.database import Database
from core.errors import TutorqError
from ingest import complete_files, failures, left_alone, load_folder, take_files
from ingest.explain import explain
from ingest.ids import entity_uuid

CALENDLY = (
    "User Name,User Email,Invitee Name,Invitee Email,Event Type Name,Start Date & Time,End Date & Time,"
    "Event Created Date & Time,Canceled,Canceled By,Cancellation reason,Event UUID\n"
    "Ann,ann@x.org,Kid,kid@x.org,Maths,2020-11-02 03:00 pm,2020-11-02 04:00 pm,2020-10-20 09:12 am,false,,,A\n"
    "Ann,ann@x.org,Kim,kim@x.org,Maths,2020-11-03 03:00 pm,2020-11-03 04:00 pm,2020-10-20 09:12 am,true,Ann,ill,B\n"
)


MENDED = "sessions: {columns: {session_id: ref, tutor_id: t, student_id: s}}"


@pytest.fixture
def database(raw_database: Database) -> Database:
    return raw_database


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def test_one_export_of_a_booking_tool_is_tutors_students_and_sessions(database: Database, tmp_path: Path) -> None:
    (tmp_path / "events-export (1).csv").write_text(CALENDLY)
    (tmp_path / "mapping.yml").write_text("use: calendly\ntimezone: Europe/Vienna\n")
    summary = load_folder(database, tmp_path, timezone="UTC")
    assert [(file.entity, file.read, file.inserted) for file in summary.files] == [
        ("tutors", 2, 1), ("students", 2, 2), ("sessions", 2, 2),
    ]  # fmt: skip
    assert (summary.errors, summary.others, summary.quarantined) == ([], [], 0)
    assert rows(database, "select name, email, is_stub from raw.tutors") == [("Ann", "ann@x.org", False)]
    names = "external_id, scheduled_time, status, initiator, reason_code, duration_minutes"
    query = f"select {names} from raw.sessions order by 1"
    assert rows(database, query) == [
        ("A", datetime(2020, 11, 2, 14, tzinfo=UTC), "completed", None, None, 60),
        ("B", datetime(2020, 11, 3, 14, tzinfo=UTC), "cancelled", "tutor", "ill", 60),
    ]
    again = load_folder(database, tmp_path, timezone="UTC")
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 6)


def test_a_folder_s_own_files_are_read_with_its_mapping(database: Database, tmp_path: Path) -> None:
    (tmp_path / "sessions.csv").write_text(
        "session_id,tutor_id,student_id,scheduled_time,status\n"
        "x1,T1,S1,2/11/2026 15:00,held\nx1,T1,S2,2/11/2026 15:00,held\nx2,T1,S1,3/11/2026 15:00,lost\n"
    )
    (tmp_path / "mapping.yml").write_text(
        "sessions: {dates: '%d/%m/%Y %H:%M', values: {status: {held: completed}}, group_lessons: true}"
    )
    summary = load_folder(database, tmp_path, timezone="UTC")
    assert (summary.inserted, summary.quarantined) == (2, 1)
    assert rows(database, "select external_id, lesson_id, scheduled_time::text from raw.sessions order by 1") == [
        ("x1/S1", "x1", "2026-11-02 15:00:00+00"), ("x1/S2", "x1", "2026-11-02 15:00:00+00"),
    ]  # fmt: skip
    ((reason, content),) = rows(database, "select reason, content from raw.quarantine")
    assert "lost" in reason
    assert "3/11/2026 15:00" in content


def test_a_mapping_from_elsewhere_is_used_instead(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "mapping.yml").write_text("sessions: {columns: {tutor_id: Nobody}}")
    (folder / "sessions.csv").write_text(
        "session_id;Coach;student_id;scheduled_time;status\na;T;S;2026-11-02T15:00Z;completed\n"
    )
    (tmp_path / "mine.yml").write_text("sessions: {columns: {tutor_id: coach}, delimiter: ;}")
    assert load_folder(database, folder, timezone="UTC", mapping=tmp_path / "mine.yml").inserted == 1
    (error,) = load_folder(database, folder, timezone="UTC").errors
    assert "takes tutor_id from “Nobody”" in error.message


@pytest.mark.parametrize("text", ["sessions: {colums: {}}", "use: nothing", "\xff"])
def test_a_wrong_mapping_loads_nothing(database: Database, tmp_path: Path, text: str) -> None:
    (tmp_path / "tutors.csv").write_text("tutor_id\nT1\n")
    (tmp_path / "mapping.yml").write_text(text, encoding="latin-1")
    with pytest.raises(TutorqError, match=r"mapping\.yml"):
        load_folder(database, tmp_path, timezone="UTC")
    assert rows(database, "select from raw.tutors") == []


def test_a_file_without_the_columns_points_to_a_mapping(database: Database, tmp_path: Path) -> None:
    (tmp_path / "sessions.csv").write_text(CALENDLY)
    (error,) = load_folder(database, tmp_path, timezone="UTC").errors
    assert "looks like an export of Calendly" in error.message
    assert "`use: calendly`" in error.message
    (tmp_path / "sessions.csv").write_text("a,b\n1,2\n")
    (error,) = load_folder(database, tmp_path, timezone="UTC").errors
    assert "`tutorq load --explain FILE`" in error.message


def test_a_good_file_is_explained_as_it_would_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text(
        "Session ID,tutor_id,student_id,scheduled_time,status,Fee\n"
        "a,T,S,2026-11-02 15:00,Completed,1\nb,T,S,3/4/2026,completed,2\n"
    )
    explanation = explain(path, timezone="Europe/Vienna")
    (reading,) = explanation.readings
    columns = {column.name: (column.cells, column.values) for column in reading.columns}
    assert columns["session_id"] == (["a"], ["a"])
    assert columns["scheduled_time"] == (["2026-11-02 15:00"], ["2026-11-02 14:00:00 UTC"])
    assert columns["status"] == (["Completed"], ["completed"])
    assert reading.unknown_columns == ["Fee"]
    ((line, reason),) = reading.refused
    assert (line, "3/4/2026" in reason) == (3, True)
    assert (explanation.failure, explanation.draft, explanation.use) == ("", None, None)


def test_an_unknown_file_is_explained_by_a_draft_that_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "lessons 2026.csv"
    path.write_text(
        "Ref;Teacher;Pupil;Day;Start;How it went;Called off by;Min\n"
        "17;Ann;Kid;31.1.2026;15:00;Done;;60\n18;Ann;Kid;2.2.2026;15:00;Off;Teacher;60\n"
    )
    explanation = explain(path, timezone="UTC")
    assert explanation.failure == "the name lessons 2026.csv does not say what the file holds"
    assert explanation.draft is not None
    (tmp_path / "mapping.yml").write_text(explanation.draft)
    (reading,) = explain(path, timezone="UTC").readings
    values = {column.name: column.values for column in reading.columns}
    assert values == {
        "session_id": ["17", "18"],
        "tutor_id": ["Ann", "Ann"],
        "student_id": ["Kid", "Kid"],
        "scheduled_time": ["2026-01-31 15:00:00 UTC", "2026-02-02 15:00:00 UTC"],
        "status": ["completed", "cancelled"],
        "initiator": [None, "tutor"],
        "duration_minutes": ["60", "60"],
    }
    assert reading.refused == []


def test_an_explanation_says_what_the_mapping_lacks(tmp_path: Path) -> None:
    """Words and forms of dates in the form of a mapping; what is understood anyhow is not among them."""
    path = tmp_path / "export.csv"
    path.write_text(
        "n;t;s;day;state;by\n1;T;S;31.1.2026;Done;\n2;T;S;2.2.2026;lost in the post;T\n3;T;S;2 Feb 2026;No-Show;tutor\n"
    )
    mapping = "sessions:\n  files: export.csv\n  columns: {session_id: n, tutor_id: t, student_id: s, status: state,"
    mapping += " scheduled_time: day, initiator: by}\n"
    (tmp_path / "mapping.yml").write_text(mapping)
    (reading,) = explain(path, timezone="UTC").readings
    assert yaml.safe_load(reading.additions) == {
        "sessions": {
            "values": {"status": {"Done": "completed", "lost in the post": "???"}, "initiator": {"T": "???"}},
            "dates": ["%d.%m.%Y"],
        }
    }
    added = reading.additions.removeprefix("sessions:\n").replace('"???"', "no_show", 1).replace('"???"', "tutor")
    (tmp_path / "mapping.yml").write_text(mapping + added)
    (reading,) = explain(path, timezone="UTC").readings
    assert (reading.additions, reading.refused, len(reading.columns[0].cells)) == ("", [], 3)


def test_an_export_of_a_known_tool_is_explained_by_its_mapping(tmp_path: Path) -> None:
    path = tmp_path / "whatever.csv"
    path.write_text(CALENDLY)
    assert explain(path, timezone="UTC").use == "calendly"
    (tmp_path / "mapping.yml").write_text("{use: calendly, sessions: {files: whatever.csv}}")
    (reading,) = explain(path, timezone="UTC").readings
    assert (reading.entity, reading.rows) == ("sessions", 2)


def test_ids_of_mapped_files_are_those_of_any_other(database: Database, tmp_path: Path) -> None:
    (tmp_path / "sessions.csv").write_text("ref,t,s,scheduled_time,status\nA,T,S,2026-11-02T15:00Z,completed\n")
    (tmp_path / "mapping.yml").write_text("sessions: {columns: {session_id: ref, tutor_id: t, student_id: s}}")
    load_folder(database, tmp_path, timezone="UTC")
    expected = [(entity_uuid("A"), entity_uuid("T"), entity_uuid("S"))]
    assert rows(database, "select session_id, tutor_id, student_id from raw.sessions") == expected


def aged(path: Path) -> None:
    """As if nobody had written to it for a while."""
    old = time.time() - 60
    os.utime(path, (old, old))


def drop(landing: Path, name: str, text: str) -> Path:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    aged(path)
    return path


def test_the_landing_directory_reads_with_the_nearest_mapping(database: Database, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    drop(landing, "mapping.yml", "{use: calendly, timezone: Europe/Vienna}")
    drop(landing, "events-export.csv", CALENDLY)
    assert [(file.source, file.entities) for file in complete_files(landing)] == [
        ("events-export.csv", ("tutors", "students", "sessions"))
    ]
    assert complete_files(landing, "tutors") == []
    assert left_alone(landing) == []
    (taken,) = take_files(database, landing, "sessions", timezone="UTC")
    assert (taken.report.outcome, taken.stays) == ("loaded", None)
    assert rows(database, "select count(*) from raw.tutors where name = 'Ann'") == [(1,)]
    assert rows(database, "select min(scheduled_time)::text from raw.sessions") == [("2020-11-02 14:00:00+00",)]
    assert sorted(path.name for path in landing.iterdir()) == ["mapping.yml", "processed"]


def test_a_mended_mapping_has_the_same_file_loaded_again(database: Database, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    text = "session_id,tutor_id,student_id,scheduled_time,status\ns1,T,S,2020-11-02 15:00,completed\n"
    drop(landing, "mapping.yml", "{timezone: Europe/Vienna, sessions: {files: export.csv}}")
    drop(landing, "export.csv", text)
    take_files(database, landing, "sessions", timezone="UTC")
    drop(landing, "mapping.yml", "{timezone: America/New_York, sessions: {files: export.csv}}")
    for outcome in ("loaded", "already_loaded"):
        drop(landing, "export.csv", text)
        (taken,) = take_files(database, landing, "sessions", timezone="UTC")
        assert taken.report.outcome == outcome
    assert rows(database, "select count(distinct mapping) from raw.loads") == [(2,)]


def test_what_depends_on_the_clock_is_loaded_whenever_it_is_dropped(database: Database, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    drop(landing, "mapping.yml", "use: calendly")
    for _ in range(2):
        drop(landing, "events-export.csv", CALENDLY)
        (taken,) = take_files(database, landing, "sessions", timezone="UTC")
        assert (taken.report.outcome, taken.is_new) == ("loaded", True)


def test_a_file_of_several_kinds_has_a_report_of_each(database: Database, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    drop(landing, "mapping.yml", "{use: calcom, sessions: {moves: {from: fromReschedule}}}")
    drop(landing, "bookings.csv", BOOKINGS)
    (taken,) = take_files(database, landing, "reschedules", timezone="UTC")
    found = {load.entity: load for load in taken.report.loads}
    assert {name: load.rows["inserted"] for name, load in found.items()} == {"sessions": 3, "reschedules": 2}
    assert [each["entity"] for each in found["sessions"].unknown_people] == ["tutors", "students"]
    assert taken.report.message.startswith("sessions: 3 rows read: 3 inserted, ")
    assert "; reschedules: 2 rows read: 2 inserted, " in taken.report.message
    query = "select count(*), count(moved_to), count(fingerprint) from raw.loads"
    assert rows(database, query) == [(2, 2, 0)]

    unreadable = BOOKINGS.replace("2020-11", "November ").replace("true", "false")
    drop(landing, "bookings.csv", re.sub("[abc]$", "", unreadable, flags=re.MULTILINE))
    (taken,) = take_files(database, landing, "reschedules", timezone="UTC")
    assert taken.report.outcome == "failed"
    assert taken.report.message.startswith("sessions: none of its 5 rows could be taken; reschedules: 0 rows read")
    assert len(taken.report.loads[0].first_quarantined) == 5
    # By the kind that had it loaded; its name says nothing.
    (line,) = failures(landing, "reschedules")
    assert re.fullmatch(r"failed/.*/bookings.csv: sessions: none of its 5 rows could be taken; reschedules: .*", line)
    assert failures(landing, "sessions") == []


def test_a_refused_file_that_had_to_stay_is_tried_with_its_new_mapping(database: Database, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    drop(landing, "sessions.csv", "ref,t,s,scheduled_time,status\nA,T,S,2026-11-02T15:00Z,completed\n")
    (landing / "failed").write_text("in the way")
    for _ in range(2):
        (taken,) = take_files(database, landing, "sessions", timezone="UTC")
        assert (taken.report.outcome, taken.stays) == ("failed", "Not a directory")
    for text, outcome in (("sessions: {colums: {}}", "failed"), (MENDED, "loaded")):
        drop(landing, "mapping.yml", text)
        (taken,) = take_files(database, landing, "sessions", timezone="UTC")
        assert taken.report.outcome == outcome


def test_files_wait_for_the_mapping_that_is_being_written(database: Database, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    drop(landing, "sessions.csv", "ref,t,s,scheduled_time,status\nA,T,S,2026-11-02T15:00Z,completed\n")
    mapping = landing / "mapping.yml"
    mapping.write_text(MENDED[:20])
    assert complete_files(landing) == []
    assert take_files(database, landing, "sessions", timezone="UTC") == []
    drop(landing, "mapping.yml", MENDED)
    taken = take_files(database, landing, "sessions", timezone="UTC")
    assert [file.report.outcome for file in taken] == ["loaded"]


def test_a_wrong_mapping_fails_the_files_of_its_folder(database: Database, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    drop(landing, "mapping.yml", "sessions: {colums: {}}")
    drop(landing, "tutors.csv", "tutor_id\nT1\n")
    (taken,) = take_files(database, landing, "tutors", timezone="UTC")
    assert taken.report.outcome == "failed"
    assert "sessions.colums: is not known here; columns is meant?" in taken.report.message
    drop(landing, "mapping.yml", "sessions: {columns: {}}")
    drop(landing, "tutors.csv", "tutor_id\nT1\n")
    (taken,) = take_files(database, landing, "tutors", timezone="UTC")
    assert taken.report.outcome == "loaded"


BOOKINGS = """uid,userEmail,attendeeEmail,startTime,status,createdAt,rescheduled,cancelledBy,fromReschedule
a,t@x.org,s@x.org,2020-11-02T15:00Z,cancelled,2020-10-01T09:00Z,true,t@x.org,
b,t@x.org,s@x.org,2020-11-04T15:00Z,cancelled,2020-10-02T09:00Z,true,s@x.org,a
c,t@x.org,s@x.org,2020-11-06T15:00Z,accepted,2020-10-03T09:00Z,false,,b
d,t@x.org,s@x.org,2020-11-09T15:00Z,accepted,2020-10-20T09:00Z,false,,
e,t@x.org,s@x.org,2020-11-10T15:00Z,cancelled,2020-10-21T09:00Z,false,s@x.org,
"""
MOVED = [
    ("a", "tutor", "2020-10-02 09:00:00+00", "2020-11-02 15:00:00+00", "2020-11-04 15:00:00+00"),
    ("a", "student", "2020-10-03 09:00:00+00", "2020-11-04 15:00:00+00", "2020-11-06 15:00:00+00"),
]


@pytest.mark.parametrize(("moves", "kind"), [("{from: fromReschedule}", "understood"), ("{from: null}", "guessed")])
def test_a_booking_that_was_called_off_and_its_new_one_are_one_session(
    database: Database, tmp_path: Path, moves: str, kind: str
) -> None:
    (tmp_path / "bookings.csv").write_text(BOOKINGS)
    (tmp_path / "mapping.yml").write_text(f"{{use: calcom, sessions: {{moves: {moves}}}}}")
    for inserted in ([3, 2], [0, 0]):
        summary = load_folder(database, tmp_path, timezone="UTC")
        assert [file.entity for file in summary.files] == ["sessions", "reschedules"]
        assert [file.inserted for file in summary.files] == inserted
        assert summary.errors == []
    assert rows(database, "select external_id, status, scheduled_time::text from raw.sessions order by 1") == [
        ("a", "completed", "2020-11-06 15:00:00+00"),
        ("d", "completed", "2020-11-09 15:00:00+00"),
        ("e", "cancelled", "2020-11-10 15:00:00+00"),
    ]
    query = """
        select external_id, reschedules.initiator, requested_at::text, original_time::text, new_time::text
        from raw.reschedules inner join raw.sessions using (session_id) order by requested_at
    """
    assert rows(database, query) == MOVED
    (note,) = [note for note in summary.files[0].notes if "called off" in note.text]
    assert (note.kind, note.count) == (kind, 2)


def test_a_move_that_nobody_made_is_none(database: Database, tmp_path: Path) -> None:
    (tmp_path / "bookings.csv").write_text(BOOKINGS.replace("true,t@x.org", "true,"))
    (tmp_path / "mapping.yml").write_text("{use: calcom, sessions: {moves: {from: fromReschedule}}}")
    summary = load_folder(database, tmp_path, timezone="UTC")
    assert [file.inserted for file in summary.files] == [4, 1]
    assert any("who moved a booking is not known" in note.text for note in summary.files[0].notes)
    (tmp_path / "mapping.yml").write_text(
        "{use: calcom, sessions: {moves: {from: fromReschedule, initiator: student}}}"
    )
    load_folder(database, tmp_path, timezone="UTC")
    query = "select initiator, count(*) from raw.reschedules group by 1"
    assert dict(rows(database, query))["student"] >= 2


def test_a_new_booking_whose_old_one_is_in_another_file_goes_on_with_its_session(
    database: Database, tmp_path: Path
) -> None:
    header, first, second, *_ = BOOKINGS.splitlines(keepends=True)
    (tmp_path / "mapping.yml").write_text("{use: calcom, sessions: {moves: {from: fromReschedule, initiator: tutor}}}")
    for rows_of_file in (first, second):
        (tmp_path / "bookings.csv").write_text(header + rows_of_file)
        load_folder(database, tmp_path, timezone="UTC")
    assert rows(database, "select external_id, scheduled_time::text from raw.sessions") == [
        ("a", "2020-11-04 15:00:00+00")
    ]


def test_bookings_that_replace_each_other_in_a_circle_are_not_lost(database: Database, tmp_path: Path) -> None:
    (tmp_path / "bookings.csv").write_text(BOOKINGS.replace(",true,t@x.org,\n", ",true,t@x.org,c\n"))
    (tmp_path / "mapping.yml").write_text("use: calcom")
    load_folder(database, tmp_path, timezone="UTC")
    # b replaces a; that a replaces c, too, nobody is known to have done.
    assert rows(database, "select external_id from raw.sessions order by 1") == [("a",), ("c",), ("d",), ("e",)]


def test_words_of_moves_are_understood_as_those_of_sessions(database: Database, tmp_path: Path) -> None:
    header = "session_id,tutor_id,student_id,scheduled_time,status,initiator,booked_at\n"
    old, new = "T,S,2020-11-02T15:00Z,Re-Scheduled,Tutor", "T,S,2020-11-04T15:00Z,Completed,"
    (tmp_path / "sessions.csv").write_text(
        f"{header}a,{old},2020-10-01T09:00Z\nb,{new},2020-10-02T09:00Z\n"
        f"c,{old.replace('T,S', 'T,U').replace('Tutor', 'Front desk')},2020-10-01T09:00Z\n"
        f"d,{new.replace('T,S', 'T,U')},2020-10-02T09:00Z\n"
    )
    (tmp_path / "mapping.yml").write_text("sessions: {moves: {}}")
    load_folder(database, tmp_path, timezone="UTC")
    query = "select external_id, reschedules.initiator from raw.reschedules inner join raw.sessions using (session_id)"
    assert rows(database, query) == [("a", "tutor")]
    # Of the other one nobody knows who moved it: the old booking is refused for its initiator, and the new one stays.
    assert rows(database, "select external_id from raw.sessions order by 1") == [("a",), ("d",)]
    ((reason,),) = rows(database, "select reason from raw.quarantine")
    assert "Front desk" in reason


def test_each_folder_has_the_nearest_mapping(database: Database, tmp_path: Path) -> None:
    row = "session_id,tutor_id,student_id,scheduled_time,status\n{},T,S,2026-01-02T15:00Z,{}\n"
    for folder, word in (("2026-01", "held"), ("2026-02", "held")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "sessions.csv").write_text(row.format(folder, word))
    (tmp_path / "mapping.yml").write_text("sessions: {values: {status: {held: completed}}}")
    (tmp_path / "2026-02" / "mapping.yml").write_text("sessions: {values: {status: {held: cancelled}}}")
    load_folder(database, tmp_path, timezone="UTC")
    assert rows(database, "select external_id, status from raw.sessions order by 1") == [
        ("2026-01", "completed"), ("2026-02", "cancelled"),
    ]  # fmt: skip


def test_odd_files_are_explained_without_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text("session_id,tutor_id,student_id,scheduled_time,status\n")
    assert explain(path, timezone="UTC").failure == "sessions.csv has no rows"
    path = tmp_path / "other.csv"
    path.write_text('"Odd\nname","Teacher\r",Pupil,Date,State\n"a\u2028b",t,s,2026-01-01,Done\n')
    draft = explain(path, timezone="UTC").draft
    assert draft is not None
    assert yaml.safe_load(draft)["sessions"]["columns"]["student_id"] == "Pupil"


def test_a_lesson_that_was_stored_as_one_session_is_named(database: Database, tmp_path: Path) -> None:
    text = "session_id,tutor_id,student_id,scheduled_time,status\nx1,T,S1,2026-01-02T15:00Z,completed\n"
    (tmp_path / "sessions.csv").write_text(text + text.splitlines()[1].replace("S1", "S2") + "\n")
    load_folder(database, tmp_path, timezone="UTC")
    (tmp_path / "mapping.yml").write_text("sessions: {group_lessons: true}")
    (file,) = load_folder(database, tmp_path, timezone="UTC").files
    (note,) = [note for note in file.notes if "stored as sessions" in note.text]
    assert (note.kind, note.count, note.examples) == ("left out", 1, ["x1"])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sessions.csv.zip", "an archive; unpack it"),
        ("export.xls", "this kind of sheet is not read; save it as .xlsx or CSV"),
        ("students.csv.bz2", "compressed in a way that is not read; use gzip, such as students.csv.gz"),
    ],
)
def test_a_format_that_is_not_read_is_explained_as_load_says(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04\xff")
    with pytest.raises(TutorqError, match=f"^{name}: {re.escape(why)}$"):
        explain(tmp_path / name, timezone="UTC")


def test_a_file_in_the_place_of_a_folder_is_told_with_both_ways_out(tmp_path: Path, database: Database) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text("session_id\n")
    with pytest.raises(TutorqError, match=f"is a file; give its folder, {tmp_path}, .* `tutorq load --explain {path}`"):
        load_folder(database, path, timezone="UTC")
