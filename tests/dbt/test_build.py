"""Runs that are repeated, partial, interrupted or overtaken by writers lose nothing and invent nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from dbt.adapters.postgres.connections import PostgresConnectionManager

from core.database import Database
from tests.dbt.conftest import TO_SCORES

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt, Marts

NEW_SESSION = """
insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, rating)
values (md5(%(name)s)::uuid, md5('tutor 30')::uuid, md5('student 1')::uuid, %(at)s, 'completed', 5)
"""


def sessions_90d(connection: psycopg.Connection) -> int:
    """The count of tutor 30, who has no sessions in the generated data but those that a test adds."""
    row = connection.execute("select sessions_90d from marts.tutor_scores where tutor_id = md5('tutor 30')::uuid")
    return int(row.fetchone()[0])  # type: ignore[index]


@pytest.fixture
def added(connection: psycopg.Connection) -> psycopg.Connection:
    """A connection whose tutor 30 starts without sessions."""
    connection.execute("delete from raw.sessions where tutor_id = md5('tutor 30')::uuid")
    return connection


def test_a_second_build_changes_nothing(built: Dbt, marts: Marts) -> None:
    built("run")  # takes in what other tests have left
    before = marts.content()
    models = [node for node in built.manifest.nodes.values() if node.resource_type == "model"]
    assert before.keys() == {model.name for model in models if model.schema == "marts"}
    # Nobody has been predicted here, and no pair is to meet for the first time.
    empty = {name for name, rows in before.items() if not rows}
    assert empty == {"first_sessions", "tutor_attrition"}, "every other mart has rows"
    built("run")
    assert marts.content() == before


def test_what_versions_before_computed_by_goes_as_soon_as_nothing_reads_it(
    built: Dbt, connection: psycopg.Connection
) -> None:
    def left() -> tuple[object, ...] | None:
        function, view = "to_regproc('intermediate.sessions_to_clear')", "to_regclass('intermediate.int_rate_priors')"
        return connection.execute(f"select {function}::text, {view}::text".encode()).fetchone()

    connection.execute("""
        create function intermediate.sessions_to_clear (double precision, double precision) returns integer
        language sql return 1;
        create view intermediate.int_rate_priors as select intermediate.sessions_to_clear(1, 1) as sessions;
        create view public.scores_of_before as select * from intermediate.int_rate_priors
    """)
    built("run", "--select", "int_as_of")
    assert left() == ("intermediate.sessions_to_clear", "intermediate.int_rate_priors"), "live writers may need it yet"
    connection.execute("drop view public.scores_of_before")
    built("run", "--select", "int_as_of")
    assert left() == (None, None)


@pytest.mark.soak
def test_what_a_version_before_recorded_stays_and_history_goes_on(
    built: Dbt, connection: psycopg.Connection, marts: Marts
) -> None:
    """score_history of the version that counted moves by the tutor alone: other columns, some of them not null."""
    built("run")
    expected = marts.content()
    connection.execute("""
        drop view analytics.score_history;
        alter table marts.score_history rename let_down_rate_expected to reschedule_rate_expected;
        alter table marts.score_history rename let_down_rate_low to reschedule_rate_low;
        alter table marts.score_history rename let_down_rate_high to reschedule_rate_high;
        alter table marts.score_history rename moved_sessions_90d to reschedules_90d;
        alter table marts.score_history
            alter reschedule_rate_expected set not null,
            alter reschedule_rate_low set not null,
            alter reschedule_rate_high set not null,
            drop column let_downs_90d,
            drop column let_down_rate_90d;
        insert into marts.score_history
        select (jsonb_populate_record(history, '{"as_of": "2024-06-01", "reschedule_rate_expected": 0.125}')).*
        from marts.score_history as history
        where as_of = '2024-06-30' and tutor_id = md5('tutor 1')::uuid;
        create view analytics.score_history as
        select tutor_id, as_of, reschedules_90d, reschedule_rate_expected from marts.score_history;
        alter view analytics.score_history owner to tutorq_transform;
        create view marts.fct_reschedules as select session_id from intermediate.int_session_facts
    """)
    try:
        built("run")
        rows = connection.execute(
            "select as_of::text, reschedule_rate_expected, let_down_rate_expected is null, let_downs_90d is null"
            " from marts.score_history where tutor_id = md5('tutor 1')::uuid and as_of in ('2024-06-01', '2024-06-30')"
            " order by as_of"
        ).fetchall()
        assert rows == [("2024-06-01", 0.125, True, True), ("2024-06-30", None, False, False)]
        assert "fct_reschedules" not in marts.names()
    finally:
        connection.execute("drop table marts.score_history cascade")
        built("run")
    assert {**marts.content(), "score_history": []} == {**expected, "score_history": []}


def test_a_run_that_dies_between_models_loses_nothing(built: Dbt, added: psycopg.Connection) -> None:
    added.execute(NEW_SESSION, {"name": "crash", "at": "2024-06-15 10:00+00"})
    built("run", "--select", "int_session_facts")
    built(*TO_SCORES)
    assert sessions_90d(added) == 1


def test_the_nightly_check_of_days_counts_a_lesson_once(built: Dbt, added: psycopg.Connection) -> None:
    for name in ("of a lesson", "of the same lesson"):
        added.execute(NEW_SESSION, {"name": name, "at": "2024-06-15 10:00+00"})
    added.execute("update raw.sessions set lesson_id = 'lesson' where tutor_id = md5('tutor 30')::uuid")
    built(*TO_SCORES)
    assert sessions_90d(added) == 1
    built("test", "--select", "tutor_days_reproduce_sessions")


def test_rows_of_lists_that_another_version_made_are_made_anew(built: Dbt, added: psycopg.Connection) -> None:
    check = ("test", "--select", "tutor_rows_are_those_of_the_scores")
    rows = "select * from intermediate.tutor_rows order by tutor_id"
    built(*TO_SCORES)
    built(*check)
    expected = added.execute(rows).fetchall()
    added.execute("update intermediate.tutor_rows set row_json = '{'")
    built("run", "--select", "tutor_scores")
    assert added.execute(rows).fetchall() != expected, "of this version, they are left as they are"
    with pytest.raises(AssertionError):
        built(*check)
    added.execute("comment on table intermediate.tutor_rows is 'Version 0'")
    built("run", "--select", "tutor_scores")
    assert added.execute(rows).fetchall() == expected
    built(*check)


def test_building_one_mart_leaves_changes_for_the_others(built: Dbt, added: psycopg.Connection) -> None:
    added.execute(NEW_SESSION, {"name": "partial", "at": "2024-06-15 10:00+00"})
    generation = added.execute("select generation from marts.publication").fetchone()
    built("run", "--select", "publication")
    assert added.execute("select generation from marts.publication").fetchone() > generation  # type: ignore[operator]
    built(*TO_SCORES)
    assert sessions_90d(added) == 1


def test_a_failed_model_takes_nothing_from_its_queue(built: Dbt, added: psycopg.Connection) -> None:
    """int_session_facts fails after it has emptied the queue; all of it is rolled back."""
    added.execute(NEW_SESSION, {"name": "failed", "at": "2024-06-15 10:00+00"})
    added.execute("alter table intermediate.int_session_facts add constraint broken check (rating < 5) not valid")
    try:
        with pytest.raises(AssertionError, match="int_session_facts: Database Error"):
            built("run", "--select", "int_session_facts")
    finally:
        added.execute("alter table intermediate.int_session_facts drop constraint broken")
    built(*TO_SCORES)
    assert sessions_90d(added) == 1


def test_a_row_that_commits_during_a_run_is_taken_by_the_next(
    built: Dbt, added: psycopg.Connection, database: Database
) -> None:
    with database.connect() as writer:
        writer.execute(NEW_SESSION, {"name": "late", "at": "2024-06-15 10:00+00"})
        added.execute(NEW_SESSION, {"name": "in time", "at": "2024-06-16 10:00+00"})
        built(*TO_SCORES)
        assert sessions_90d(added) == 1
        writer.commit()
    built("run")
    assert sessions_90d(added) == 2
    assert added.execute("select count(*) from raw.changes").fetchone() == (0,)


@pytest.mark.soak  # the gate has it in verify/test_other_settings.py
def test_another_time_zone_moves_every_date(built: Dbt, added: psycopg.Connection, marts: Marts) -> None:
    added.execute(NEW_SESSION, {"name": "zone", "at": "2024-06-15 23:30+00"})
    built("run")
    in_utc = marts.content()
    indexes = added.execute("select count(*) from pg_indexes where tablename = 'int_session_facts'").fetchone()
    built("run", timezone="Asia/Tokyo")
    moved = added.execute("select counted_on::text from marts.fct_sessions where tutor_id = md5('tutor 30')::uuid")
    assert moved.fetchall() == [("2024-06-16",)]
    built("run")
    assert marts.content() == in_utc
    assert added.execute("select count(*) from pg_indexes where tablename = 'int_session_facts'").fetchone() == indexes


@pytest.mark.soak
def test_history_of_a_day_is_what_the_scores_were_on_it_and_stays(built: Dbt, connection: psycopg.Connection) -> None:
    columns = (
        "tutor_id, as_of, sessions_90d, tutor_reschedules_90d, reschedule_rate_90d, let_down_rate_expected, "
        "let_down_rate_low, let_down_rate_high, risk_probability, risk_status, quality_score"
    )
    day = "2024-05-20"
    built("run", as_of=day)
    scores = connection.execute(
        f"select {columns} from marts.tutor_scores where sessions_90d > 0 order by tutor_id".encode()
    ).fetchall()
    connection.execute("truncate marts.score_history")
    built("run", scoring_days=[day, "2024-05-21"])
    history = connection.execute(
        f"select {columns} from marts.score_history where as_of = '{day}' order by tutor_id".encode()
    ).fetchall()
    assert len(scores) > 20
    assert history == scores
    days = connection.execute("select distinct as_of::text from marts.score_history order by 1").fetchall()
    assert days == [(day,), ("2024-05-21",), ("2024-06-30",)]
    scored = connection.execute("select count(*) from marts.tutor_scores where risk_status <> 'insufficient_data'")
    assert scored.fetchone() > (20,), "scoring other days leaves the scores of the as-of day"  # type: ignore[operator]
    built("run", "--full-refresh")
    kept = connection.execute("select distinct as_of::text from marts.score_history order by 1").fetchall()
    assert kept == days


def test_readers_keep_their_rights(built: Dbt, connection: psycopg.Connection, marts: Marts) -> None:
    for name in marts.names():
        for role, schema in (("tutorq_api", "marts"), ("tutorq_analyst", "analytics")):
            granted = connection.execute("select has_table_privilege(%s, %s, 'select')", (role, f"{schema}.{name}"))
            assert granted.fetchone() == (True,), (role, name)


@pytest.mark.soak
def test_docs_can_be_generated(built: Dbt) -> None:
    built("docs", "generate")
    assert (built.target_path / "catalog.json").exists()


def test_a_batch_of_concerns_is_of_so_many_tutors(
    built: Dbt, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live writers wait for one at most, and after it the rows and the cases of its tutors are made."""
    connection.execute("update marts.tutor_concerns set as_of = as_of - 1")
    # The project has been parsed with the size that it has.
    monkeypatch.setitem(built.manifest.nodes["model.tutorq.tutor_concerns"].config._extra, "batches", 7)
    built("run", "--select", "tutor_concerns")
    by_transaction = "select count(distinct tutor_id), count(*) from marts.tutor_concerns group by xmin::text"
    *batches, (tutors, _) = sorted(connection.execute(by_transaction).fetchall(), reverse=True)
    assert len(batches) > 2
    assert {tutors for tutors, _ in batches} == {7}
    assert tutors <= 7
    assert min(rows for _, rows in batches) > 7


def test_a_connection_that_the_server_ends_between_two_nodes_is_replaced(
    built: Dbt, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, ended = PostgresConnectionManager.release, []

    def end(self: PostgresConnectionManager) -> None:
        release(self)
        kept = self.get_if_exists()
        if kept is not None and kept.state == "open":
            # Waits until it has ended; false if it has before.
            ends = connection.execute("select pg_terminate_backend(%s, 10000)", [kept.handle.get_backend_pid()])
            ended.append(ends.fetchone())

    monkeypatch.setattr(PostgresConnectionManager, "release", end)
    built("test", "--select", "tutor_scores")
    assert ended.count((True,)) > 2


def test_connections_of_a_build_may_wait_as_long_as_they_have_to(
    built: Dbt, database: Database, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, seen = PostgresConnectionManager.release, set()

    def look(self: PostgresConnectionManager) -> None:
        kept = self.get_if_exists()
        if kept is not None and kept.state == "open":
            with kept.handle.cursor() as cursor:
                cursor.execute("show idle_session_timeout")
                seen.add(cursor.fetchone())
        release(self)

    monkeypatch.setattr(PostgresConnectionManager, "release", look)
    name = connection.info.dbname
    connection.execute(f'alter database "{name}" set idle_session_timeout = 60000'.encode())
    try:
        with database.connect() as other:
            assert other.execute("show idle_session_timeout").fetchone() == ("1min",)
        built("test", "--select", "tutor_weekly")
    finally:
        connection.execute(f'alter database "{name}" reset idle_session_timeout'.encode())
    assert seen == {("0",)}


def test_threads_of_a_build_keep_their_connections(built: Dbt, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    open_anew = PostgresConnectionManager.open

    def noted(_: type[PostgresConnectionManager], connection: Any) -> Any:
        opened.append(connection)
        return open_anew(connection)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(PostgresConnectionManager, "open", classmethod(noted))
    result = built("test", "--select", "tutor_scores", "tutor_weekly")
    assert len(result) > 10
    # Two threads look for relations, two go from node to node, and the main one looks for schemas.
    assert 0 < len(opened) <= 5
    assert {connection.state for connection in opened} == {"closed"}


def test_connections_that_are_lost_between_nodes_are_replaced(built: Dbt, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[Any] = []
    release = PostgresConnectionManager.release

    def cut_and_release(self: PostgresConnectionManager) -> None:
        connection = self.get_if_exists()
        if connection is not None and connection.state == "open":
            connection.handle.close()
            cut.append(connection)
        release(self)

    monkeypatch.setattr(PostgresConnectionManager, "release", cut_and_release)
    built("test", "--select", "tutor_scores")
    assert len(cut) > 1
