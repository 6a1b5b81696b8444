"""When to talk about a case is drawn in balanced blocks, once, and kept whatever comes after."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from core.database import Database
    from tests.dbt.conftest import Dbt

MONDAY = date(2024, 6, 24)
DRAW = """
insert into app.cases (tutor_id, opened_by, opened_on, arm)
select gen_random_uuid(), 'tutorq', %(day)s, marts.draw_arm(%(day)s)
returning arm
"""


@pytest.fixture(scope="module")
def drawing(built: Dbt) -> Iterator[None]:
    """While it is drawn when to talk."""
    built("build", "--select", "keep_cases", randomise_follow_up=True)
    yield
    built("build", "--select", "keep_cases")


@pytest.fixture
def undone(built: Dbt, connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A transaction without cases, which is taken back."""
    with connection.transaction(force_rollback=True):
        forget(connection)
        connection.execute("update marts.tutor_concerns set status = 'ok', superseded = false")
        yield connection


def forget(connection: psycopg.Connection, tutor_id: UUID | None = None) -> None:
    """Delete the cases of a tutor, or of everybody, which only a superuser can who turns triggers off."""
    connection.execute("set local session_replication_role = replica")
    for table in ("case_events", "cases"):
        query = f"""
            delete from app.{table}
            where case_id in (select case_id from app.cases where %(tutor)s::uuid is null or tutor_id = %(tutor)s)
        """
        connection.execute(query.encode(), {"tutor": tutor_id})
    connection.execute("set local session_replication_role = origin")


def draws(connection: psycopg.Connection, day: date, number: int) -> list[str]:
    rows = [connection.execute(DRAW, {"day": day}).fetchone() for _ in range(number)]
    return [row[0] for row in rows if row]


def found(connection: psycopg.Connection, *raised: str) -> UUID:
    """A tutor of whom scores find this; keeps the case."""
    row = connection.execute("select tutor_id from marts.tutor_scores order by tutor_id limit 1").fetchone()
    assert row is not None
    raise_of(connection, row[0], *raised)
    return UUID(str(row[0]))


def raise_of(connection: psycopg.Connection, tutor_id: UUID, *raised: str) -> None:
    connection.execute(
        "update marts.tutor_concerns set status = case when concern = any(%s) then 'raised' else 'ok' end "
        "where tutor_id = %s",
        [list(raised), tutor_id],
    )
    connection.execute("select marts.keep_cases(array[%s]::uuid[])", [tutor_id])


def raise_of_all(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """Everybody is unreliable; their cases."""
    connection.execute("update marts.tutor_concerns set status = 'raised' where concern = 'unreliable'")
    connection.execute("select marts.keep_cases(null)")
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from app.cases order by case_id").fetchall()


def case_of(connection: psycopg.Connection, tutor_id: UUID) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        case = cursor.execute("select * from app.cases where tutor_id = %s", [tutor_id]).fetchone()
    assert case is not None
    return case


# The first one, because from the first test that asks for it on it is drawn for all of this file.
def test_nothing_is_drawn_unless_it_is_set(undone: psycopg.Connection) -> None:
    cases = raise_of_all(undone)
    assert {(case["arm"], case["snoozed_until"]) for case in cases} == {(None, None)}
    assert all(case["let_down_rate_expected"] is not None for case in cases)


def test_two_of_every_four_are_talked_to_now(undone: psycopg.Connection) -> None:
    arms = draws(undone, MONDAY, 200)
    blocks = [tuple(arms[i : i + 4]) for i in range(0, len(arms), 4)]
    assert {Counter(block)["now"] for block in blocks} == {2}
    # Each of the six orders has a chance of 1/6: that one is missing in 50 blocks has one of 6·(5/6)^50 = 1/1500.
    assert len(set(blocks)) >= 5


def test_each_week_begins_a_block_of_its_own(undone: psycopg.Connection) -> None:
    for week in range(20):
        monday = MONDAY + timedelta(weeks=week)
        draws(undone, monday, 1)
        block = [*draws(undone, monday + timedelta(6), 3)]
        assert Counter(block)["now"] in (1, 2)
    rows = undone.execute("select arm, count(*) from app.cases group by arm").fetchall()
    assert dict(rows) == {"now": 40, "later": 40}


@pytest.mark.usefixtures("drawing")
def test_later_waits_for_30_days_and_says_so(undone: psycopg.Connection) -> None:
    cases = raise_of_all(undone)
    arms = Counter(case["arm"] for case in cases)
    assert len(cases) >= 20
    assert abs(arms["now"] - arms["later"]) <= 2
    today = undone.execute("select (now() at time zone 'UTC')::date").fetchone()
    assert today is not None
    until = today[0] + timedelta(30)
    assert {(case["arm"], case["snoozed_until"]) for case in cases} == {("now", None), ("later", until)}
    events = undone.execute(
        "select arm, kind, details ->> 'arm', details ->> 'text', details -> 'snoozed_until' ->> 'to' "
        "from app.case_events inner join app.cases using (case_id) order by event_id"
    ).fetchall()
    said = f"The order of talks is drawn: this one waits until {until:%-d %B %Y}."
    assert Counter(events) == Counter(
        {
            ("now", "opened", "now", None, None): arms["now"],
            ("later", "opened", "later", None, None): arms["later"],
            ("later", "changed", None, said, until.isoformat()): arms["later"],
        }
    )


@pytest.mark.usefixtures("drawing")
def test_a_case_keeps_what_was_expected_at_its_opening(undone: psycopg.Connection) -> None:
    tutor_id = found(undone, "getting_worse")
    case = case_of(undone, tutor_id)
    expected = undone.execute(
        "select expected, low, high from marts.tutor_concerns where concern = 'unreliable' and tutor_id = %s",
        [tutor_id],
    ).fetchone()
    assert (case["let_down_rate_expected"], case["let_down_rate_low"], case["let_down_rate_high"]) == expected
    assert 0 < case["let_down_rate_low"] < case["let_down_rate_expected"] < case["let_down_rate_high"] < 1


@pytest.mark.usefixtures("drawing")
def test_what_is_not_about_let_downs_is_not_drawn(undone: psycopg.Connection) -> None:
    case = case_of(undone, found(undone, "low_ratings"))
    assert (case["arm"], case["snoozed_until"]) == (None, None)


@pytest.mark.usefixtures("drawing")
@pytest.mark.parametrize(("joins", "waits"), [("no_shows", True), ("low_ratings", False)])
def test_only_news_of_another_kind_ends_the_waiting(undone: psycopg.Connection, joins: str, waits: bool) -> None:
    tutor_id = found(undone, "unreliable")
    undone.execute("update app.cases set arm = 'later', snoozed_until = current_date + 30")
    raise_of(undone, tutor_id, "unreliable", joins)
    case = case_of(undone, tutor_id)
    assert joins in case["concerns"]
    assert (case["snoozed_until"] is not None) is waits
    assert case["arm"] == "later"


@pytest.mark.usefixtures("drawing")
def test_what_a_lead_does_and_scores_find_changes_no_arm(undone: psycopg.Connection) -> None:
    raise_of_all(undone)
    undone.execute("update app.cases set snoozed_until = null, contacted_at = now(), state = 'contacted'")
    query = "select tutor_id, arm from app.cases order by tutor_id"
    before = undone.execute(query).fetchall()
    for status in ("ok", "raised"):
        undone.execute("update marts.tutor_concerns set status = %s where concern = 'unreliable'", [status])
        undone.execute("select marts.keep_cases(null)")
    undone.execute("update app.cases set state = 'resolved', reason = 'improved', closed_at = now(), standing = '{}'")
    undone.execute("select marts.keep_cases(null)")
    reopened = undone.execute("select count(*) from app.cases where reopened_at is not null").fetchone()
    assert reopened == (len(before),)
    assert undone.execute(query).fetchall() == before


@pytest.mark.usefixtures("drawing")
def test_of_two_writers_the_second_draws_after_the_first(database: Database, connection: psycopg.Connection) -> None:
    """Else both would see the same block, and draw the same place in it."""
    (first,), (second,) = connection.execute("select distinct tutor_id from app.cases limit 2").fetchall()
    drawn: list[str] = []

    def open_another() -> None:
        with database.connect(autocommit=True) as other, other.transaction(force_rollback=True):
            forget(other, second)
            raise_of(other, second, "unreliable")
            drawn.append(case_of(other, second)["arm"])

    with connection.transaction(force_rollback=True):
        forget(connection, first)
        raise_of(connection, first, "unreliable")
        assert case_of(connection, first)["arm"]
        thread = threading.Thread(target=open_another)
        thread.start()
        thread.join(1)
        assert thread.is_alive()
    thread.join(20)
    assert drawn in (["now"], ["later"])


def test_arms_are_unpredictable(undone: psycopg.Connection) -> None:
    firsts = [draws(undone, MONDAY + timedelta(weeks=week), 1)[0] for week in range(40)]
    assert 8 <= firsts.count("now") <= 32
    assert len({*itertools.pairwise(firsts)}) > 1
