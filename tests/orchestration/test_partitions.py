"""Which days score_history offers: from a month before the first session, found when the code location starts."""

from datetime import date

import dagster as dg
import pytest

from core.database import Database
from core.settings import Settings
from orchestration.definitions import defs as load_definitions
from orchestration.partitions import find_history_start, score_days

TODAY = date(2026, 11, 28)


def start(database: Database, **settings: object) -> date | None:
    return find_history_start(Settings(timezone="Europe/Vienna", **settings), database, TODAY)  # type: ignore[arg-type]


def add_session(database: Database, at: str) -> None:
    with database.connect() as connection:
        connection.execute("insert into raw.tutors (tutor_id) values (md5('t')::uuid) on conflict do nothing")
        connection.execute("insert into raw.students (student_id) values (md5('s')::uuid) on conflict do nothing")
        connection.execute(
            "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status) "
            "values (gen_random_uuid(), md5('t')::uuid, md5('s')::uuid, %s, 'completed')",
            [at],
        )


def test_a_month_before_the_first_session(database: Database) -> None:
    assert start(database) == date(2026, 10, 28), "the days that the first run records"
    assert start(database, as_of="2024-02-01") == date(2024, 1, 1)
    assert start(database, as_of="latest") is None, "nobody knows yet"

    add_session(database, "2023-11-30 23:30+00")
    for as_of in ("now", "latest", "2024-02-01"):
        assert start(database, as_of=as_of) == date(2023, 10, 31), "of the first of December, in Vienna"
    assert start(database, as_of="2023-02-01") == date(2023, 1, 1)


def test_no_database_is_no_reason_not_to_start(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("drop table raw.sessions cascade")
    assert start(database) == date(2026, 10, 28)


def test_the_definitions_take_it_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORQ_HISTORY_START", "2023-11-30")
    days = load_definitions().resolve_asset_graph().get(dg.AssetKey(["marts", "score_history"])).partitions_def
    assert days == score_days(Settings())
    assert days is not None
    assert days.get_first_partition_key() == "2023-11-30"
    assert days.get_last_partition_key() == date.today().isoformat()


def test_an_as_of_day_long_ago_is_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the process of the first run, which asks no database where the days begin."""
    monkeypatch.setenv("TUTORQ_AS_OF", "2009-05-04")
    days = score_days(Settings())
    assert days.get_first_partition_key() == "2009-04-03"
    assert days.has_partition_key("2009-05-04")
