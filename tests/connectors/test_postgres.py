"""An application's database: everything once, whatever is late, deleted, changed or killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from core.errors import TutorqError
from core.settings import PROJECT_ROOT
from tests.connectors.conftest import Installation
from tests.connectors.sources import configure

pytestmark = pytest.mark.connectors

SCHOOL: dict[str, Any] = {
    "kind": "postgres",
    "tutors": {"table": "teachers", "columns": {"tutor_id": "id", "name": "full_name", "email": "mail"}},
    "students": {"query": "select id as student_id, nick as name from pupils where nick like '%'"},
    "sessions": {
        "table": "public.lessons",
        "columns": {
            "session_id": "id", "tutor_id": "teacher_id", "student_id": "pupil_id", "scheduled_time": "starts_at",
            "status": "state", "initiator": "called_off_by", "duration_minutes": "minutes", "updated_at": "updated_at",
        },
        "updated_at": "updated_at",
        "window": {"column": "starts_at"},
    },
    "mapping": {
        "sessions": {"values": {"status": {"done": "completed", "off": "cancelled"}, "initiator": {"teacher": "tutor"}}}
    },
}  # fmt: skip

# Ends itself by SIGKILL at the call of os.fsync or Path.replace that is asked for.
KILLED = """
import os, signal, sys
from pathlib import Path
from connectors.configuration import connector_of
from connectors.pull import landing
from connectors.pull.run import pull
from core.database import Database, DatabaseRole
from core.settings import Settings

moment, after = sys.argv[1], int(sys.argv[2])
calls = 0
def deadly(original):
    def call(*arguments):
        global calls
        if str(arguments[0]).endswith("mapping.yml.part"):
            return original(*arguments)
        calls += 1
        if calls == after and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments)
        if calls == after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call
Path.replace = deadly(Path.replace)
settings = Settings()
pull("school", connector_of(settings, "school"), settings, Database(settings, DatabaseRole.INGEST))
"""


@pytest.fixture
def school(installation: Installation, application: psycopg.Connection) -> Installation:
    configure(installation.settings, school=SCHOOL)
    return installation


def test_all_comes_first_and_then_what_has_changed(school: Installation, lesson: Callable[..., None]) -> None:
    lesson(1)
    lesson(2, "off", by="teacher")
    first = school.sync("school")
    assert first.rows == {"tutors": 1, "students": 1, "sessions": 2}
    found = school.sessions()
    assert {key: row[:2] for key, row in found.items()} == {"1": ("completed", None), "2": ("cancelled", "tutor")}
    assert all(row[2].tzinfo and row[2].astimezone(UTC).minute == 0 for row in found.values())
    assert school.query("select external_id, name, email from raw.tutors") == [("1", "Ann", "ann@example.org")]

    assert (school.sync("school").files, school.pull("school").rows) == ([], {})

    lesson(2, "done")
    lesson(3)
    assert school.sync("school").rows == {"sessions": 2}
    assert {key: row[0] for key, row in school.sessions().items()} == dict.fromkeys("123", "completed")
    assert school.query("select count(*) from raw.quarantine") == [(0,)]


def test_what_is_not_asked_for_does_not_land(school: Installation, lesson: Callable[..., None]) -> None:
    lesson(1)
    school.sync("school")
    home = school.settings.home
    assert all(b"c0nfidential" not in path.read_bytes() for path in home.rglob("*") if path.is_file())
    # Nor does dlt keep what has landed.
    kept = [path for path in (home / "connectors").rglob("*") if path.is_file()]
    assert all(b"ann@example.org" not in path.read_bytes() for path in kept)
    assert [path for path in kept if "loaded" in path.parts] == []


def test_times_without_an_offset_are_read_in_the_zone_of_the_connector(
    school: Installation, lesson: Callable[..., None]
) -> None:
    configure(school.settings, school=SCHOOL | {"timezone": "Europe/Vienna"})
    lesson(1, starts="timestamp '2026-01-31 15:00'", updated="timestamp '2026-01-31 16:00'")
    school.sync("school")
    assert school.sessions()["1"][2] == datetime(2026, 1, 31, 14, tzinfo=UTC)


def test_a_row_that_is_committed_late_is_not_lost(school: Installation, lesson: Callable[..., None]) -> None:
    lesson(1)
    school.sync("school")
    lesson(2, updated="now() at time zone 'UTC' - interval '30 minutes'")  # within the overlap
    lesson(3, updated="now() at time zone 'UTC' - interval '20 hours'")  # only its key tells
    assert school.sync("school").rows == {"sessions": 2}
    assert sorted(school.sessions()) == ["1", "2", "3"]
    assert school.sync("school").rows == {}


def test_a_deleted_row_is_deleted_here(
    school: Installation, lesson: Callable[..., None], application: psycopg.Connection
) -> None:
    for number in (1, 2, 3):
        lesson(number)
    school.sync("school")
    application.execute("delete from lessons where id = 2")
    # Moved out of the window: there, but not where it was.
    lesson(3, starts="timestamp '2026-01-31 15:00'")
    report = school.sync("school")
    assert (report.gone, report.deleted) == (1, 1)
    assert sorted(school.sessions()) == ["1", "3"]
    [(actor, what)] = school.query("select actor, details->'session'->>'external_id' from app.audit_log")
    assert (actor, what) == ("connector:school", "2")
    assert school.sync("school").gone == 0

    lesson(2)  # again, as a later version
    school.sync("school")
    assert sorted(school.sessions()) == ["1", "2", "3"]


def test_a_mark_deletes_as_well(
    school: Installation, lesson: Callable[..., None], application: psycopg.Connection
) -> None:
    marked = {key: value for key, value in SCHOOL["sessions"].items() if key != "window"} | {"deleted_at": "deleted_at"}
    configure(school.settings, school=SCHOOL | {"sessions": marked})
    lesson(1)
    lesson(2)
    application.execute("update lessons set deleted_at = updated_at where id = 2")
    assert school.sync("school").deleted == 0  # it never was here, and must not come by an older file
    application.execute(
        "update lessons set deleted_at = updated_at, updated_at = updated_at + interval '1 s' where id = 1"
    )
    assert school.sync("school").deleted == 1
    assert school.sessions() == {}


def test_a_mark_without_a_new_version_deletes_as_well(
    school: Installation, lesson: Callable[..., None], application: psycopg.Connection
) -> None:
    configure(school.settings, school=SCHOOL | {"sessions": SCHOOL["sessions"] | {"deleted_at": "deleted_at"}})
    for number in (1, 2, 3):
        lesson(number, updated="now() at time zone 'UTC' - interval '20 hours'")
    lesson(4)  # the others lie before the overlap from now on
    school.sync("school")
    application.execute("update lessons set deleted_at = now() where id = 2")
    report = school.sync("school")
    assert (report.gone, report.deleted) == (1, 1)
    assert sorted(school.sessions()) == ["1", "3", "4"]
    # In one run by its version and by its key, once.
    application.execute("update lessons set (deleted_at, updated_at) = (now(), now() at time zone 'UTC') where id = 3")
    report = school.sync("school")
    assert (report.gone, report.deleted) == (1, 1)


@pytest.mark.parametrize(("before", "left"), [(2, 0), (60, 5)], ids=["empty", "most of it is gone"])
def test_a_source_that_has_lost_its_rows_deletes_nothing(
    school: Installation, lesson: Callable[..., None], application: psycopg.Connection, before: int, left: int
) -> None:
    for number in range(before):
        lesson(number)
    school.sync("school")
    application.execute("create table kept as select * from lessons")
    application.execute("delete from lessons where id >= %s", [left])
    for number in range(left):
        lesson(number, "off")
    gone = rf"{before - left} of {before} known keys are gone .* tutorq sync school --delete-anyway"
    with pytest.raises(TutorqError, match=gone):
        school.pull("school")
    assert school.landed("school") == []
    assert len(school.sessions()) == before

    application.execute("insert into lessons select * from kept where id >= %s", [left])
    assert school.sync("school").gone == 0
    application.execute("delete from lessons where id >= %s", [left])
    assert school.sync("school", delete_anyway=True).deleted == before - left
    assert len(school.sessions()) == left
    assert school.sync("school").gone == 0  # nothing is known that could be gone


def test_a_row_of_the_future_hides_nothing(school: Installation, lesson: Callable[..., None]) -> None:
    configure(school.settings, school=SCHOOL | {"sessions": SCHOOL["sessions"] | {"window": None}})
    lesson(1, updated="now() at time zone 'UTC' + interval '3 days'")
    assert school.sync("school").rows["sessions"] == 1
    assert school.sync("school").rows == {}
    lesson(2)
    assert school.sync("school").rows == {"sessions": 1}
    lesson(2, "off")
    assert school.sync("school").rows == {"sessions": 1}
    assert school.sync("school").rows == {}
    # The loader refuses a version of the future.
    assert {key: row[0] for key, row in school.sessions().items()} == {"2": "cancelled"}


def test_a_lesson_of_several_students_is_deleted_with_all_of_them(
    school: Installation, lesson: Callable[..., None], application: psycopg.Connection
) -> None:
    query = (
        "select l.id as session_id, teacher_id as tutor_id, p as student_id, starts_at as scheduled_time, "
        "'completed' as status, updated_at, 1 % 2 as duration_minutes from lessons l, unnest(array[7, 8]) p -- both"
    )
    sessions = {"query": query, "updated_at": "updated_at", "window": {"column": "scheduled_time"}}
    configure(
        school.settings,
        school={"kind": "postgres", "sessions": sessions, "mapping": {"sessions": {"group_lessons": True}}},
    )
    lesson(1)
    lesson(2)
    school.sync("school")
    assert sorted(school.sessions()) == ["1/7", "1/8", "2/7", "2/8"]
    application.execute("delete from lessons where id = 1")
    report = school.sync("school")
    assert (report.gone, report.deleted) == (1, 2)
    assert sorted(school.sessions()) == ["2/7", "2/8"]


def test_columns_that_come_and_go_are_named(
    school: Installation, lesson: Callable[..., None], application: psycopg.Connection
) -> None:
    lesson(1)
    school.sync("school")
    application.execute("alter table lessons add column room text, drop column deleted_at")
    report = school.sync("school")
    assert (report.new_columns, report.removed_columns) == (["sessions.room"], ["sessions.deleted_at"])
    assert school.sync("school").new_columns == []

    application.execute("alter table lessons rename column state to status")
    before = school.sessions()
    with pytest.raises(TutorqError, match=r"column source\.state does not exist"):
        school.pull("school")
    application.execute("alter table lessons rename column status to state")
    lesson(1, "off")
    assert school.sync("school").rows == {"sessions": 1}
    assert school.sessions() != before


@pytest.mark.parametrize(("moment", "call"), [("before", 1), ("after", 1), ("before", 2), ("after", 3)])
def test_a_run_that_is_killed_loses_and_doubles_nothing(
    school: Installation, lesson: Callable[..., None], moment: str, call: int
) -> None:
    for number in range(50):
        lesson(number)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, moment, str(call)], env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    )
    assert done.returncode == -signal.SIGKILL
    assert all(path.name.endswith(".parquet") for path in school.landed("school"))
    school.load("school")
    school.sync("school")
    school.sync("school")
    assert len(school.sessions()) == 50
    assert school.query("select count(*) from raw.tutors where name = 'Ann'") == [(1,)]
    assert school.query("select count(*) from raw.quarantine") == [(0,)]


def test_what_is_wrong_is_told_without_the_secret(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(installation.settings, school=SCHOOL)
    with pytest.raises(TutorqError, match="TUTORQ_CONNECTOR_SCHOOL_KEY is not set"):
        installation.pull("school")
    monkeypatch.setenv("TUTORQ_CONNECTOR_SCHOOL_KEY", "postgresql://u:c4n4ry@127.0.0.1:1/x")
    with pytest.raises(TutorqError) as told:
        installation.pull("school")
    assert str(told.value) == "school: the source database cannot be read (OperationalError)"
