"""What is told in app.events: each change once, whether a post or a run finds it, and no history as news."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from core.dbt_runner import build
from core.settings import Settings
from tests.dbt.conftest import AS_OF, DATA, Dbt, Tutor

if TYPE_CHECKING:
    from pathlib import Path

    from core.database import Database
    from tests.conftest import Postgres

RAISED, CLEARED = "tutor.concern_raised", "tutor.concern_cleared"
STUDENT = "md5('student 1')::uuid"


def told(connection: psycopg.Connection, *kinds: str, tutor_id: uuid.UUID | None = None) -> list[tuple[str, Any]]:
    """Kinds and payloads, in the order in which they were written."""
    rows = connection.execute(
        "select kind, payload from app.events where (%(kinds)s::text[] = '{}' or kind = any(%(kinds)s)) "
        "and (%(tutor)s::uuid is null or tutor_id = %(tutor)s) order by created_at",
        {"kinds": list(kinds), "tutor": tutor_id},
    )
    return rows.fetchall()


def concerns(connection: psycopg.Connection, tutor: Tutor) -> list[tuple[str, str]]:
    return [(kind, payload["concern"]) for kind, payload in told(connection, RAISED, CLEARED, tutor_id=tutor.tutor_id)]


@pytest.fixture
def settled(alone: Database) -> Iterator[psycopg.Connection]:
    """A connection to a database in which nothing is left to be scored or told."""
    with alone.connect(autocommit=True) as connection:
        connection.execute("delete from app.events")
        yield connection


@pytest.fixture
def dbt(alone: Database, tmp_path: Path) -> Dbt:
    """On the same database."""
    return Dbt(alone, tmp_path)


@pytest.mark.soak
def test_the_first_scores_are_no_news(postgres: Postgres, tmp_path: Path) -> None:
    """In a database that has been scored once: cases are opened, and nobody is told."""
    database = postgres.new_database(tmp_path)
    with database.connect() as connection:
        connection.execute(DATA)
        connection.execute(
            """
            insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, initiator)
            select gen_random_uuid(), md5('tutor 1')::uuid, md5('student 1')::uuid, now() - interval '1 hour',
                'no_show', 'tutor'
            """
        )
    build(Settings(home=tmp_path, database_url=database.url, as_of=AS_OF), database, exclude=["resource_type:test"])
    with database.connect() as connection:
        assert connection.execute("select count(*) > 3 from app.cases").fetchone() == (True,)
        assert [kind for kind, _ in told(connection)] == ["publication.done"]


def test_what_is_raised_and_what_clears_is_told_once(tutor: Tutor, connection: psycopg.Connection) -> None:
    tutor.has("no_shows")
    tutor.keep()
    tutor.has("no_shows", "low_ratings")
    tutor.has("low_ratings")
    tutor.has("low_ratings", "no_shows")
    assert concerns(connection, tutor) == [
        (RAISED, "no_shows"), (RAISED, "low_ratings"), (CLEARED, "no_shows"), (RAISED, "no_shows"),
    ]  # fmt: skip


def test_an_event_has_the_figures(tutor: Tutor, connection: psycopg.Connection) -> None:
    connection.execute(
        """
        update marts.tutor_concerns set probability = 0.93, expected = 0.24, threshold = 0.15
        where tutor_id = %s and concern = 'unreliable'
        """,
        [tutor.tutor_id],
    )
    day = "update intermediate.int_concern_days set probability = 0.6, has_needs = true"
    connection.execute(
        f"{day} where tutor_id = %s and concern = 'unreliable' and concern_day = %s::date - 1".encode(),
        [tutor.tutor_id, AS_OF],
    )
    tutor.has("unreliable")
    tutor.has()
    (_, came), (_, went) = told(connection, RAISED, CLEARED, tutor_id=tutor.tutor_id)
    assert (came["probability"], came["expected"], came["threshold"]) == (0.93, 0.24, 0.15)
    assert (came["previous_status"], came["status"], came["raised_on"]) == ("watch", "raised", AS_OF)
    assert (went["previous_status"], went["status"]) == ("raised", "ok")
    assert came["tutor_external_id"] == str(tutor.tutor_id)
    assert came["is_active"] is True


def test_nobody_is_better_because_they_got_worse(tutor: Tutor, connection: psycopg.Connection) -> None:
    tutor.has("getting_worse")
    tutor.has("unreliable", superseded="getting_worse")
    assert concerns(connection, tutor) == [(RAISED, "getting_worse"), (RAISED, "unreliable")]
    tutor.has("getting_worse")
    tutor.has()
    assert concerns(connection, tutor)[2:] == [(CLEARED, "unreliable"), (CLEARED, "getting_worse")]


def test_what_is_superseded_from_the_beginning_is_not_told(tutor: Tutor, connection: psycopg.Connection) -> None:
    tutor.has("unreliable", superseded="getting_worse")
    tutor.has()
    assert concerns(connection, tutor) == [(RAISED, "unreliable"), (CLEARED, "unreliable")]


def test_another_case_does_not_tell_again_what_was_told(tutor: Tutor, connection: psycopg.Connection) -> None:
    tutor.has("no_shows")
    tutor.close(days_ago=91)
    tutor.has("no_shows", "unreliable")
    assert len(tutor.cases) == 2
    assert concerns(connection, tutor) == [(RAISED, "no_shows"), (RAISED, "unreliable")]


def test_a_tutor_who_has_left_is_told_as_inactive(tutor: Tutor, connection: psycopg.Connection) -> None:
    tutor.has("no_shows")
    connection.execute("update marts.dim_tutors set is_active = false where tutor_id = %s", [tutor.tutor_id])
    tutor.has("no_shows")
    (_, payload) = told(connection, CLEARED, tutor_id=tutor.tutor_id)[-1]
    assert (payload["concern"], payload["is_active"]) == ("no_shows", False)


@pytest.mark.parametrize(
    ("status", "days_ago", "is_told"),
    [
        pytest.param("ok", 20, True, id="rated-before"),
        pytest.param("insufficient_data", 1, True, id="news-of-yesterday"),
        pytest.param("insufficient_data", 2, False, id="history"),
    ],
)
def test_a_history_that_has_only_come_now_is_no_news(
    tutor: Tutor, connection: psycopg.Connection, status: str, days_ago: int, is_told: bool
) -> None:
    connection.execute("update marts.tutor_scores set risk_status = %s where tutor_id = %s", [status, tutor.tutor_id])
    connection.execute(
        """
        update marts.tutor_concerns set status = 'raised', raised_on = as_of - %s::integer
        where tutor_id = %s and concern = 'unreliable'
        """,
        [days_ago, tutor.tutor_id],
    )
    tutor.keep()
    assert tutor.case["concerns"] == ["unreliable"]
    assert concerns(connection, tutor) == ([(RAISED, "unreliable")] if is_told else [])
    assert len(told(connection, "case.changed", tutor_id=tutor.tutor_id)) == int(is_told)
    # What happens to it afterwards is news.
    tutor.has()
    assert concerns(connection, tutor)[-1] == (CLEARED, "unreliable")
    assert told(connection, "case.changed", tutor_id=tutor.tutor_id)[-1][1]["what"] == "suggested"


def missed(
    connection: psycopg.Connection, *, hours_ago: float = 1, status: str = "no_show", initiator: str = "tutor"
) -> uuid.UUID:
    """A session in `raw`, as a file or a post leaves it."""
    row = connection.execute(
        f"""
        insert into raw.sessions
            (session_id, external_id, tutor_id, student_id, scheduled_time, status, initiator, subject, updated_at)
        select
            id, 'lesson ' || id, md5('tutor 2')::uuid, {STUDENT}, now() - %s * interval '1 hour', %s, %s, 'Math', now()
        from gen_random_uuid() as id
        returning session_id
        """.encode(),
        [hours_ago, status, initiator],
    ).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def refresh(connection: psycopg.Connection, *session_ids: uuid.UUID) -> None:
    connection.execute("select marts.refresh_sessions(%s::uuid[])", [list(session_ids)])


def alerts(connection: psycopg.Connection) -> list[uuid.UUID]:
    return [uuid.UUID(payload["session_id"]) for _, payload in told(connection, "session.alert")]


@pytest.mark.parametrize("options", [[], pytest.param(["--full-refresh"], marks=pytest.mark.soak)])
def test_a_missed_session_is_told_by_the_post_and_not_again_by_the_run(
    settled: psycopg.Connection, dbt: Dbt, options: list[str]
) -> None:
    session_id = missed(settled)
    refresh(settled, session_id)
    ((_, payload),) = told(settled, "session.alert")
    assert payload["session_id"] == str(session_id)
    assert payload["session_external_id"] == f"lesson {session_id}"
    assert (payload["reason"], payload["subject"]) == ("tutor_no_show", "Math")
    assert str(settled.execute(f"select {STUDENT}::text".encode()).fetchone()) not in str(payload)
    dbt("run", *options)
    assert alerts(settled) == [session_id]


def test_a_run_tells_its_publication_and_a_missed_session_of_a_file(settled: psycopg.Connection, dbt: Dbt) -> None:
    session_id = missed(settled)
    dbt("run")
    refresh(settled, session_id)
    assert alerts(settled) == [session_id]
    ((_, payload),) = told(settled, "publication.done")
    row = settled.execute("select generation, as_of::text from marts.publication").fetchone()
    assert (payload["generation"], payload["as_of"]) == row


def test_what_is_no_alert(settled: psycopg.Connection) -> None:
    others = [
        missed(settled, hours_ago=49),
        missed(settled, hours_ago=-3),
        missed(settled, initiator="student"),
        missed(settled, status="cancelled"),
        missed(settled, status="completed"),
    ]
    excused = missed(settled)
    settled.execute("insert into app.excuses (session_id, reason, created_by) values (%s, 'ill', 'test')", [excused])
    refresh(settled, *others, excused)
    assert alerts(settled) == []


def test_a_session_that_was_moved_long_ago_and_missed_today_is_told(settled: psycopg.Connection) -> None:
    session_id = missed(settled)
    settled.execute(
        "insert into raw.reschedules (session_id, initiator, requested_at) "
        "values (%s, 'student', now() - interval '9 days')",
        [session_id],
    )
    refresh(settled, session_id)
    assert alerts(settled) == [session_id]


def test_a_session_that_becomes_a_no_show_is_told_then(settled: psycopg.Connection) -> None:
    session_id = missed(settled, status="scheduled")
    refresh(settled, session_id)
    assert alerts(settled) == []
    settled.execute("update raw.sessions set status = 'no_show' where session_id = %s", [session_id])
    refresh(settled, session_id)
    refresh(settled, session_id)
    assert alerts(settled) == [session_id]


def test_a_post_tells_whom_it_has_refreshed(settled: psycopg.Connection) -> None:
    refresh(settled, missed(settled, hours_ago=100), missed(settled, hours_ago=101))
    ((_, payload),) = told(settled, "tutors.refreshed")
    (tutor_id,) = settled.execute("select md5('tutor 2')::uuid::text").fetchone() or ("",)
    assert payload == {"tutor_ids": [tutor_id], "many": False}


@pytest.mark.parametrize(("tutors", "many"), [(100, False), (101, True)])
def test_of_many_tutors_only_the_fact_is_told(settled: psycopg.Connection, tutors: int, many: bool) -> None:
    settled.execute(
        "select marts.tell_refreshed(array(select gen_random_uuid() from generate_series(1, %s)))", [tutors]
    )
    ((_, payload),) = told(settled, "tutors.refreshed")
    assert (len(payload["tutor_ids"]), payload["many"]) == (0 if many else tutors, many)


def test_what_is_taken_back_is_not_told(settled: psycopg.Connection) -> None:
    with settled.transaction(force_rollback=True):
        refresh(settled, missed(settled))
        assert alerts(settled) != []
    assert told(settled) == []
