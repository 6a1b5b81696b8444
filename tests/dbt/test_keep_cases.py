"""Cases follow what is raised: opened, joined, reopened, and suggested for closing, each with its event."""

from __future__ import annotations

import threading
from datetime import date
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.dbt.conftest import Tutor

if TYPE_CHECKING:
    from core.database import Database
    from tests.dbt.conftest import Dbt

EXPECTED = """
select concerns.tutor_id
from marts.tutor_concerns as concerns inner join marts.dim_tutors as tutors using (tutor_id)
where concerns.status = 'raised' and not concerns.superseded and tutors.is_active
group by tutor_id order by tutor_id
"""
CONTENT = "select to_jsonb(cases)::text from app.cases order by case_id"
EVENTS = "select to_jsonb(events)::text from app.case_events as events order by event_id"


def test_a_build_opens_a_case_for_each_tutor_with_a_raised_concern(
    built: Dbt,
    connection: psycopg.Connection,
) -> None:
    expected = connection.execute(EXPECTED.encode()).fetchall()
    assert expected
    opened = connection.execute("select tutor_id from app.cases where closed_at is null order by tutor_id").fetchall()
    assert opened == expected


def test_a_concern_opens_a_case_with_its_figures(tutor: Tutor) -> None:
    tutor.has("no_shows", "unreliable")
    case = tutor.case
    assert (case["state"], case["opened_by"], case["version"]) == ("new", "tutorq", 1)
    assert (case["concerns"], case["standing"]) == (["unreliable", "no_shows"],) * 2
    assert [figures["concern"] for figures in case["snapshot"]] == ["unreliable", "no_shows"]
    assert case["snapshot"][0]["trials"] > 0
    assert tutor.events == [("opened", ("unreliable", "no_shows"))]


def test_nothing_new_changes_nothing(tutor: Tutor) -> None:
    tutor.has("no_shows")
    before = tutor.cases, tutor.events
    tutor.keep()
    assert (tutor.cases, tutor.events) == before


def test_a_further_concern_joins_and_wakes_the_case(tutor: Tutor) -> None:
    tutor.has("no_shows")
    tutor.set(state="contacted", snoozed_until="2999-01-01", due_on="2999-01-01")
    tutor.has("no_shows", "low_ratings")
    case = tutor.case
    assert (case["concerns"], case["version"]) == (["no_shows", "low_ratings"], 2)
    assert case["snoozed_until"] is None
    assert case["due_on"].year < 2999, "whoever has spoken with the tutor is to look again"
    assert tutor.events[1:] == [("joined", ("low_ratings",))]
    assert [figures["concern"] for figures in case["snapshot"]] == ["no_shows"], "figures of the opening stay"


def test_what_is_superseded_neither_joins_nor_eases(tutor: Tutor) -> None:
    tutor.has("getting_worse")
    tutor.has("unreliable", superseded="getting_worse")
    assert tutor.events[1:] == [("joined", ("unreliable",))]
    tutor.has("getting_worse")
    assert tutor.events[2:] == [("eased", ("unreliable",))]
    assert tutor.case["suggested_at"] is None


def test_what_takes_over_is_not_new_and_the_agreed_follow_up_stays(tutor: Tutor) -> None:
    tutor.has("unreliable", superseded="getting_worse")
    assert tutor.case["concerns"] == ["unreliable"]
    agreed = {"state": "plan_agreed", "due_on": date(2999, 12, 15), "snoozed_until": date(2999, 12, 1)}
    tutor.set(**agreed)
    tutor.has("getting_worse")
    case = tutor.case
    assert {name: case[name] for name in agreed} == agreed
    assert (case["standing"], case["suggested_at"], case["version"]) == (["getting_worse"], None, 2)
    assert case["concerns"] == ["unreliable", "getting_worse"]
    assert tutor.events[1:] == [("eased", ("unreliable",))]
    assert [figures["concern"] for figures in tutor.details[1]["taken_over"]] == ["getting_worse"]


def test_what_takes_over_is_new_if_it_began_after_the_last_contact(tutor: Tutor) -> None:
    tutor.has("unreliable", superseded="getting_worse")
    tutor.set(opened_on="2024-01-01", state="contacted", due_on="2999-12-15")
    tutor.contacted("2024-01-08")
    tutor.has("getting_worse")
    assert tutor.events[2:] == [("eased", ("unreliable",)), ("joined", ("getting_worse",))]
    assert tutor.case["due_on"].year < 2999
    assert "taken_over" not in tutor.details[2]


def test_what_was_raised_at_the_last_contact_is_not_new(tutor: Tutor) -> None:
    tutor.has("unreliable", superseded="getting_worse")
    tutor.set(opened_on="2024-01-01", state="contacted", due_on="2999-12-15")
    tutor.contacted("2999-01-01")
    tutor.has("getting_worse")
    assert tutor.events[2:] == [("eased", ("unreliable",))]
    assert tutor.case["due_on"].year == 2999


@pytest.mark.parametrize("days_ago", [1, 91])
def test_what_takes_over_brings_no_closed_case_back(tutor: Tutor, days_ago: int) -> None:
    tutor.has("unreliable", superseded="getting_worse")
    tutor.close("no_effect", days_ago=days_ago)
    tutor.has("getting_worse")
    assert (tutor.case["reason"], tutor.case["standing"]) == ("no_effect", ["getting_worse"])
    assert tutor.events == [("opened", ("unreliable",))]


def test_the_history_says_what_a_new_concern_moves(tutor: Tutor) -> None:
    tutor.has("no_shows")
    tutor.set(state="contacted", snoozed_until="2999-12-01", due_on="2999-12-15")
    tutor.has("no_shows", "low_ratings")
    assert tutor.details[1] == {
        "due_on": {"from": "2999-12-15", "to": tutor.case["due_on"].isoformat()},
        "snoozed_until": {"from": "2999-12-01", "to": None},
    }


def test_a_follow_up_that_is_late_stays_late(tutor: Tutor) -> None:
    tutor.has("no_shows")
    tutor.set(state="contacted", due_on="2024-01-02")
    tutor.has("no_shows", "low_ratings")
    assert (tutor.case["due_on"], tutor.details[1]) == (date(2024, 1, 2), {})


def test_closing_is_suggested_when_nothing_is_raised_and_not_any_more_when_something_is(tutor: Tutor) -> None:
    tutor.has("no_shows", "low_ratings")
    tutor.has("no_shows")
    assert tutor.case["suggested_at"] is None
    tutor.has()
    assert tutor.case["suggested_at"] is not None
    assert tutor.case["closed_at"] is None
    tutor.has("no_shows")
    assert tutor.case["suggested_at"] is None
    assert [kind for kind, _ in tutor.events] == ["opened", "eased", "suggested", "joined"]
    assert tutor.case["version"] == 4


def test_a_closed_case_stays_closed_while_what_was_raised_still_is(tutor: Tutor) -> None:
    tutor.has("no_shows")
    tutor.close("excused")
    tutor.has("no_shows")
    assert tutor.case["closed_at"] is not None
    tutor.has()
    assert tutor.events == [("opened", ("no_shows",))]


def test_a_relapse_reopens_the_case(tutor: Tutor) -> None:
    tutor.has("no_shows")
    tutor.set(contacted_at="2024-01-01", due_on="2024-01-02")
    tutor.has()
    tutor.close()
    tutor.has("no_shows")
    case = tutor.case
    assert (case["state"], case["reason"], case["closed_at"]) == ("new", None, None)
    assert (case["contacted_at"], case["due_on"], case["suggested_at"]) == (None, None, None)
    assert case["reopened_at"] is not None
    assert [kind for kind, _ in tutor.events] == ["opened", "suggested", "reopened"]


@pytest.mark.parametrize(
    ("role", "is_active", "state"), [("coach", True, "assigned"), ("coach", False, "new"), ("read", True, "new")]
)
def test_a_reopened_case_goes_back_to_an_owner_who_can_work_on_it(
    tutor: Tutor, role: str, is_active: bool, state: str
) -> None:
    tutor.has("no_shows")
    tutor._connection.execute(
        """
        with owner as (
            insert into app.people (name, email, role, is_active) values ('Ann', 'ann@example.org', %s, %s)
            returning person_id
        )
        update app.cases set owner_id = owner.person_id from owner where tutor_id = %s
        """,
        [role, is_active, tutor.tutor_id],
    )
    tutor.close()
    tutor.has()
    tutor.has("no_shows")
    assert tutor.case["state"] == state
    assert (tutor.case["owner_id"] is not None) == (state == "assigned")


def test_another_case_has_all_that_is_raised_at_its_opening(tutor: Tutor) -> None:
    tutor.has("no_shows", "low_ratings")
    tutor.close(days_ago=91)
    tutor.has("no_shows", "unreliable")
    _, second = tutor.cases
    assert (second["concerns"], second["version"]) == (["unreliable", "no_shows"], 1)
    assert [figures["concern"] for figures in second["snapshot"]] == ["unreliable", "no_shows"]
    assert tutor.events[1:] == [("opened", ("unreliable", "no_shows"))]
    tutor.keep()
    assert tutor.events[2:] == []


def test_another_case_is_opened_when_the_last_one_ended_long_ago(tutor: Tutor) -> None:
    tutor.has("no_shows")
    tutor.close(days_ago=91)
    tutor.has()
    tutor.has("unreliable")
    first, second = tutor.cases
    assert first["closed_at"] is not None
    assert (second["state"], second["concerns"]) == ("new", ["unreliable"])


def test_a_tutor_who_has_left_is_no_case(tutor: Tutor) -> None:
    connection = tutor._connection
    tutor.has("no_shows")
    connection.execute("update marts.dim_tutors set is_active = false where tutor_id = %s", [tutor.tutor_id])
    tutor.has("no_shows", "unreliable")
    assert tutor.case["suggested_at"] is not None
    assert tutor.case["concerns"] == ["no_shows"]


def test_posts_open_a_case_and_excuses_ease_it(built: Dbt, connection: psycopg.Connection) -> None:
    # So many that they outweigh any prior that other tests may have left.
    ids = "(select array_agg(md5('missed ' || i)::uuid) from generate_series(1, 200) as i)"
    with connection.transaction(force_rollback=True):
        row = connection.execute(
            "insert into raw.tutors (tutor_id, name) values (gen_random_uuid(), 'New') returning tutor_id"
        ).fetchone()
        assert row is not None
        tutor = Tutor(connection, row[0])
        connection.execute(
            """
            insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, initiator, updated_at)
            select
                md5('missed ' || i)::uuid, %s, md5('student 1')::uuid,
                '2024-06-30 01:00+00'::timestamptz - i * interval '4 hours', 'no_show', 'tutor', '2024-06-30 00:00+00'
            from generate_series(1, 200) as i
            """,
            row,
        )
        connection.execute(f"select marts.refresh_sessions({ids})".encode())
        assert {"unreliable", "no_shows"} <= set(tutor.case["concerns"])
        assert tutor.case["suggested_at"] is None
        connection.execute(
            f"insert into app.excuses (session_id, reason, created_by) select unnest({ids}), 'ill', 'test'".encode()
        )
        connection.execute(f"select marts.refresh_sessions({ids})".encode())
        kind, eased = tutor.events[-1]
        assert kind in ("eased", "suggested")
        assert "unreliable" in eased


def test_one_who_closes_it_meanwhile_is_waited_for(
    built: Dbt,
    database: Database,
    connection: psycopg.Connection,
) -> None:
    row = connection.execute(
        """
        select tutor_id, case_id, state from app.cases
        where closed_at is null and not 'low_ratings' = any(standing) and tutor_id in (
            select tutor_id from marts.tutor_concerns where concern = 'low_ratings'
        )
        limit 1
        """
    ).fetchone()
    assert row is not None
    tutor_id, case_id, state = row
    reopened = []

    def raise_another() -> None:
        with database.connect(autocommit=True) as other, other.transaction(force_rollback=True):
            other.execute(
                "update marts.tutor_concerns set status = 'raised' where tutor_id = %s and concern = 'low_ratings'",
                [tutor_id],
            )
            tutor = Tutor(other, tutor_id)
            tutor.keep()
            reopened.append((tutor.case["reopened_at"], tutor.case["closed_at"]))

    try:
        with connection.transaction():
            connection.execute(
                "update app.cases set state = 'dismissed', reason = 'excused', closed_at = now() where case_id = %s",
                [case_id],
            )
            thread = threading.Thread(target=raise_another)
            thread.start()
            thread.join(0.5)
            assert thread.is_alive()
        thread.join(20)
        ((reopened_at, closed_at),) = reopened
        assert reopened_at is not None
        assert closed_at is None
    finally:
        connection.execute(
            "update app.cases set state = %s, reason = null, closed_at = null where case_id = %s", [state, case_id]
        )


def test_a_rebuild_changes_no_case(built: Dbt, connection: psycopg.Connection) -> None:
    before = connection.execute(CONTENT.encode()).fetchall(), connection.execute(EVENTS.encode()).fetchall()
    select = ["--select", "tutor_concerns", "--exclude-resource-type", "test", "unit_test"]
    built("build", "--full-refresh", *select)
    built("build", *select)
    after = connection.execute(CONTENT.encode()).fetchall(), connection.execute(EVENTS.encode()).fetchall()
    assert after == before


@pytest.mark.parametrize("change", ["update app.case_events set actor = ''", "delete from app.case_events"])
def test_events_are_never_changed(built: Dbt, connection: psycopg.Connection, change: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        connection.execute(change.encode())
