"""`raw.verdict`: which version of a row wins, as it is called from psql and as the loader's statements hold it."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from psycopg.types.json import Jsonb

from core.database import Database
from ingest.contract import RESCHEDULES, SESSIONS
from ingest.merge_files import FileMergeSql
from tests.examples import examples

WINS = {"newer", "fills", "overrules"}
ID = "00000000-0000-0000-0000-000000000001"
OLD, NEW = "2026-01-06 00:00+00", "2026-01-07 00:00+00"

VERDICT = """
select raw.{row}_verdict(
    jsonb_populate_record(null::raw.{row}s, %s::jsonb), jsonb_populate_record(null::raw.{row}s, %s::jsonb)
)
"""


@pytest.fixture
def database(raw_database: Database) -> Database:
    return raw_database


def session(**columns: object) -> dict[str, Any]:
    return {
        "session_id": ID, "tutor_id": ID, "student_id": ID, "scheduled_time": OLD, "status": "completed", **columns
    }  # fmt: skip


def reschedule(**columns: object) -> dict[str, Any]:
    return {"session_id": ID, "initiator": "tutor", **columns}


def verdict(
    database: Database, row_name: str, incoming: dict[str, Any], stored: dict[str, Any] | None, zone: str = "UTC"
) -> str | None:
    with database.connect() as connection:
        connection.execute("select set_config('timezone', %s, true)", [zone])
        rows = [None if row is None else Jsonb(row) for row in (incoming, stored)]
        [(found,)] = connection.execute(VERDICT.format(row=row_name).encode(), rows).fetchall()
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("incoming", "stored", "expected", "the_other_way"),
    [
        (session(updated_at=NEW), session(updated_at=OLD, rating=5), "newer", "older"),
        (session(updated_at=OLD), session(rating=5, subject="maths"), "newer", "older"),
        (session(updated_at=OLD), session(updated_at=OLD, status="scheduled", rating=5), "newer", "older"),
        (session(updated_at=OLD, rating=5), session(updated_at=OLD), "fills", "loses"),
        (session(rating=5, subject="maths"), session(rating=4), "overrules", "loses"),
        (session(rating=5), session(rating=4), "overrules", "loses"),
        (session(rating=5), session(subject="maths"), "loses", "overrules"),
        (session(rating=4.5, loaded_at=NEW), session(rating="4.50", created_at=OLD), "same", "same"),
    ],
)
def test_the_verdict_on_sessions(
    database: Database, incoming: dict[str, Any], stored: dict[str, Any], expected: str, the_other_way: str
) -> None:
    assert verdict(database, "session", incoming, stored) == expected
    assert verdict(database, "session", stored, incoming) == the_other_way


@pytest.mark.parametrize(
    ("incoming", "stored", "expected", "the_other_way"),
    [
        (reschedule(updated_at=NEW), reschedule(updated_at=OLD, requested_at=NEW), "newer", "older"),
        (reschedule(requested_at=OLD), reschedule(reason="ill", reason_code="ill"), "newer", "older"),
        (reschedule(requested_at=OLD, reason="ill"), reschedule(requested_at=OLD), "fills", "loses"),
        (reschedule(initiator="tutor"), reschedule(initiator="student"), "overrules", "loses"),
    ],
)
def test_the_verdict_on_reschedules(
    database: Database, incoming: dict[str, Any], stored: dict[str, Any], expected: str, the_other_way: str
) -> None:
    assert verdict(database, "reschedule", incoming, stored) == expected
    assert verdict(database, "reschedule", stored, incoming) == the_other_way


def test_there_is_no_verdict_where_nothing_is_stored(database: Database) -> None:
    assert verdict(database, "session", session(), None) is None


def test_the_verdict_is_the_same_in_every_time_zone(database: Database) -> None:
    # Around the end of summer time, the text of the earlier time is the larger one in New York.
    earlier, later = (session(completed_time=f"2026-11-01 0{hour}:30+00") for hour in (5, 6))
    for zone in ("UTC", "America/New_York", "Europe/Vienna"):
        assert verdict(database, "session", later, earlier, zone) == "overrules"


def test_a_new_column_counts_without_a_new_function(shared_database: Database) -> None:
    with shared_database.connect() as connection:
        connection.execute("alter table raw.sessions add column mood text")
        more, less = session(mood="good"), session()
        statement = VERDICT.format(row="session").encode()
        assert connection.execute(statement, [Jsonb(more), Jsonb(less)]).fetchone() == ("fills",)
        assert connection.execute(statement, [Jsonb(less), Jsonb(more)]).fetchone() == ("loses",)
        connection.rollback()


# Few values, so that most versions tie in part.
_versions = st.lists(
    st.fixed_dictionaries(
        {"status": st.sampled_from(["scheduled", "completed", "no_show"])},
        optional={
            "external_id": st.just("s1"),
            "updated_at": st.sampled_from([OLD, NEW]),
            "completed_time": st.sampled_from([OLD, NEW]),
            "rating": st.sampled_from([4, 5]),
            "subject": st.sampled_from(["maths", "Maths", "ö"]),
        },
    ),
    min_size=2,
    max_size=5,
    unique_by=lambda columns: tuple(sorted(columns.items())),
)

PAIRS = """
with versions as (
    select ordinality as number, jsonb_populate_record(null::raw.sessions, value) as row
    from jsonb_array_elements(%s::jsonb) with ordinality
)
select a.number, b.number, raw.session_verdict(a.row, b.row) from versions as a cross join versions as b order by 1, 2
"""
RANKS = """
select ordinality
from jsonb_array_elements(%s::jsonb) with ordinality,
    jsonb_populate_record(null::raw.sessions, value) as s
order by raw.session_version(s.updated_at, s.status, to_jsonb(s) - '{created_at, loaded_at}'::text[])
"""


@pytest.mark.slow
@examples(40)
@given(versions=_versions)
def test_versions_have_a_total_order(database: Database, versions: Sequence[dict[str, Any]]) -> None:
    rows = Jsonb([session(**columns) for columns in versions])
    with database.connect() as connection:
        connection.execute("set local timezone to 'UTC'")
        verdicts = {(a, b): found for a, b, found in connection.execute(PAIRS, [rows])}
        place = {number: place for place, (number,) in enumerate(connection.execute(RANKS, [rows]))}
    for a, b in product(place, place):
        assert (verdicts[a, b] in WINS) == (place[a] > place[b])
        assert (verdicts[a, b] == "same") == (a == b)


@pytest.mark.parametrize(
    "sql", [FileMergeSql(each, list(each.columns)) for each in (SESSIONS, RESCHEDULES)], ids=["sessions", "reschedules"]
)
def test_the_loader_calls_functions_for_contradictions_only(database: Database, sql: Any) -> None:
    with database.connect() as connection:
        connection.execute(sql.create_staged().encode())
        _, _, query = sql.create_ordered().partition(" as\n")
        plan = "\n".join(line for (line,) in connection.execute(f"explain verbose {query}".encode()))
    assert "raw.content_verdict(" in plan
    assert "raw.verdict(" not in plan
    assert "_version(" not in plan
