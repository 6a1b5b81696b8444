"""Sessions that their source has deleted: by their ids, or by that of the lesson from which they were split."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.database import Database, DatabaseRole
from ingest.deletions import delete_sessions

AHEAD = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
SESSION = """
insert into raw.sessions (session_id, external_id, lesson_id, tutor_id, student_id, scheduled_time, status, updated_at)
select raw.entity_uuid(%(id)s), %(id)s, %(lesson)s, tutor_id, student_id, '2026-01-31 15:00Z', 'completed', %(version)s
from raw.tutors, raw.students
"""
MOVE = """
insert into raw.reschedules (session_id, initiator, reason, updated_at)
values (raw.entity_uuid(%s), 'tutor', 'c0nfidential', %s)
"""


@pytest.fixture
def loader(database: Database) -> Database:
    with database.connect() as connection:
        connection.execute("insert into raw.tutors (tutor_id) values (raw.entity_uuid('Ann'))")
        connection.execute("insert into raw.students (student_id) values (raw.entity_uuid('Kid'))")
    return database.as_role(DatabaseRole.INGEST)


def add(database: Database, identifier: str, lesson: str | None = None, version: datetime | None = None) -> None:
    with database.connect() as connection:
        connection.execute(SESSION.encode(), {"id": identifier, "lesson": lesson, "version": version})


def query(database: Database, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(text.encode(), parameters).fetchall()


def test_the_id_of_a_lesson_deletes_what_was_split_from_it_alone(database: Database, loader: Database) -> None:
    for identifier, lesson in (("1/7", "1"), ("1/8", "1"), ("2/7", "2"), ("3", "1"), ("1/9", None)):
        add(database, identifier, lesson)
    assert delete_sessions(loader, ["1"], "connector:school") == (2, 0)
    # A source may number its lessons as it numbers its sessions.
    assert query(database, "select external_id from raw.sessions order by 1") == [("1/9",), ("2/7",), ("3",)]


def test_what_is_no_id_is_left_out(database: Database, loader: Database) -> None:
    add(database, "1")
    assert delete_sessions(loader, ["-", "", "1", "1.2E+11"], "connector:school") == (1, 3)
    assert query(database, "select count(*) from raw.sessions") == [(0,)]
    assert delete_sessions(loader, ["1"], "connector:school") == (0, 0)


@pytest.mark.parametrize("has_session", [True, False])
def test_a_deletion_is_newer_than_the_moves_as_well(database: Database, loader: Database, has_session: bool) -> None:
    if has_session:
        add(database, "1", version=AHEAD - timedelta(minutes=1))
    with database.connect() as connection:
        connection.execute(MOVE.encode(), ["1", AHEAD])
    assert delete_sessions(loader, ["1"], "connector:school") == (int(has_session), 0)
    assert query(database, "select updated_at from raw.deleted_sessions") == [(AHEAD,)]
    [(details,)] = query(database, "select details from app.audit_log where action = 'session.delete'")
    assert [move["initiator"] for move in details["moves"]] == ["tutor"]
    assert (details["session"] is not None, "c0nfidential" in str(details)) == (has_session, False)
