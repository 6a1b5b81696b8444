"""Posts refresh scores in their own transaction: to what a rebuild would give, and whatever else goes on."""

from __future__ import annotations

import asyncio
import random
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.database import VERSION, open_pool
from api.excuses.commands import Excuses
from api.people.commands import TUTOR, People
from api.problems import NotFoundError
from api.session_records.commands import Deletions
from api.sessions import live
from api.sessions.ledger import Ledger, Outcome, Post, Receipt
from api.sessions.live import LiveScores, Refreshed
from core import locks
from core.database import Database
from core.settings import Settings
from ingest.rows import Row, check
from tests.dbt.conftest import TO_SCORES
from tests.marts import AS_OF
from verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Postgres
    from tests.dbt.conftest import Dbt, Marts

LAST = datetime(2024, 6, 30, 12, tzinfo=UTC)
COMMIT_SECONDS = 20.0
INTERMEDIATE = ("int_session_facts", "int_tutor_days", "int_pairs")
# Scores and concerns as JSON, without the columns that only runs make. Scores read the concerns that are stored, so
# these are compared by themselves.
ROWS = """
select tutor_id::text, to_jsonb(scores)
    - '{{peer_percentile,planned_sessions_7d,harm_sessions,harm_students,case_mix_expected}}'::text[]
from {scores} as scores
union all
select concern_key, to_jsonb(concerns) - 'clears_on'
from {concerns} as concerns
"""
STORED = ROWS.format(scores="marts.tutor_scores", concerns="marts.tutor_concerns")
ALL_AT_ONCE = ROWS.format(scores="intermediate.int_tutor_scores", concerns="intermediate.int_tutor_concerns")
TUTOR_BY_TUTOR = """(
    select defined.* from marts.dim_tutors as tutors
    cross join lateral (select * from intermediate.{} as each where each.tutor_id = tutors.tutor_id) as defined
)"""
# As live writers read it.
LIVE = ROWS.format(
    scores=TUTOR_BY_TUTOR.format("int_tutor_scores"), concerns=TUTOR_BY_TUTOR.format("int_tutor_concerns")
)


def named(text: str) -> str:
    """The id that DATA gives to a tutor, student or session."""
    return str(uuid.UUID(md5(text.encode(), usedforsecurity=False).hexdigest()))


def session(name: str, tutor: int, student: int, at: datetime = LAST, **more: object) -> dict[str, Any]:
    """A completed session as it is posted."""
    return {
        "session_id": named(name),
        "tutor_id": named(f"tutor {tutor}"),
        "student_id": named(f"student {student}"),
        "scheduled_time": at.isoformat(),
        "status": "completed",
        "updated_at": datetime.now(UTC).isoformat(),
        **more,
    }


def anything(chance: random.Random) -> dict[str, Any]:
    """A new session, or another version of one that is there, of any outcome."""
    at = LAST - timedelta(minutes=chance.randrange(-2_000, 120 * 24 * 60))
    status = chance.choice(["completed", "completed", "scheduled", "rescheduled", "no_show", "cancelled"])
    body = session(
        f"session {chance.randrange(1, 3500)}", chance.randrange(1, 34), chance.randrange(1, 91), at,
        status=status,
        # Not in the order of arrival: older versions come late, and change nothing.
        updated_at=(LAST + timedelta(minutes=chance.randrange(10_000))).isoformat(),
    )  # fmt: skip
    if status == "completed" and chance.random() < 0.5:
        body["rating"] = chance.randrange(4, 21) / 4
    if status == "completed" and chance.random() < 0.5:
        body["started_at"] = (at + timedelta(minutes=chance.randrange(-5, 15))).isoformat()
        body["technical_issue"] = chance.random() < 0.2
    if chance.random() < 0.5:
        body["lesson_id"] = f"lesson {chance.randrange(2)}"
    if status in ("no_show", "cancelled"):
        body["initiator"] = chance.choice(["tutor", "student"])
        body["reason_code"] = chance.choice(["sick", "school"])
    if status == "cancelled" and chance.random() < 0.8:
        body["cancelled_at"] = (at - timedelta(hours=chance.randrange(-2, 90))).isoformat()
    if status == "rescheduled" or chance.random() < 0.1:
        body["reschedule_info"] = {
            "initiator": chance.choice(["tutor", "tutor", "student"]),
            "reason_code": chance.choice(["sick", "school"]),
            "requested_at": (at - timedelta(hours=chance.randrange(-2, 90))).isoformat(),
        }
    return body


def posts(bodies: Sequence[dict[str, Any]]) -> list[Post]:
    def render(outcomes: Sequence[Outcome]) -> Receipt:
        assert all(outcome.error is None for outcome in outcomes)
        return Receipt("{}")

    rows = check(bodies, "UTC")
    return [Post([row], render) for row in rows if isinstance(row, Row)]


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Ledger]:
    """The ledger of one API process."""
    settings = Ledger.server_settings(COMMIT_SECONDS)
    async with open_pool(database.url, size=4, settings=settings) as pool:
        ledger = Ledger(pool, COMMIT_SECONDS)
        task = asyncio.create_task(ledger.live.run())
        try:
            yield ledger
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def settled(ledger: Ledger) -> Ledger:
    """The same ledger, when all that could not be refreshed at once has been."""
    async with asyncio.timeout(60):
        while ledger.live._waiting or ledger.live._failures:
            await asyncio.sleep(0.01)
    return ledger


def post(database: Database, *bodies: dict[str, Any], wait: bool = True) -> Ledger:
    """Post in one transaction, and `wait` for the scores; returns the closed ledger, for its counts."""

    async def work() -> Ledger:
        async with opened(database) as ledger:
            assert len(await ledger.write(posts(bodies))) == len(bodies)
            return await settled(ledger) if wait else ledger

    return asyncio.run(work())


def wait_for(connection: psycopg.Connection, query: str) -> None:
    """Until the query gives anything but 0; a minute at most."""
    deadline = time.monotonic() + 60
    while connection.execute(query.encode()).fetchone() == (0,):
        assert time.monotonic() < deadline, query
        time.sleep(0.01)


def rows(connection: psycopg.Connection, query: str) -> dict[Any, Any]:
    return dict(connection.execute(query.encode()).fetchall())


def scores(connection: psycopg.Connection) -> dict[Any, Any]:
    return rows(connection, STORED)


def score(connection: psycopg.Connection, tutor: int, column: str) -> Any:
    query = f"select {column} from marts.tutor_scores where tutor_id = %s".encode()
    (value,) = connection.execute(query, [named(f"tutor {tutor}")]).fetchone() or (None,)
    return value


def intermediate(connection: psycopg.Connection) -> list[list[Any]]:
    return [
        connection.execute(f"select to_jsonb(t)::text from intermediate.{name} as t order by 1".encode()).fetchall()
        for name in INTERMEDIATE
    ]


@pytest.mark.parametrize("count", [500, pytest.param(2_000, marks=pytest.mark.soak)])
def test_any_posts_leave_what_a_rebuild_makes(
    built: Dbt, database: Database, connection: psycopg.Connection, marts: Marts, count: int
) -> None:
    chance = random.Random(5)
    before = scores(connection)

    async def work() -> Ledger:
        async with opened(database) as ledger:
            bodies = [anything(chance) for _ in range(count)]
            while bodies:
                size = chance.randrange(1, 40)
                await ledger.write(posts(bodies[:size]))
                del bodies[:size]
            return await settled(ledger)

    ledger = asyncio.run(work())
    # How many of each depends on how busy the machine is.
    assert ledger.live.sessions[Refreshed.AT_ONCE] > count / 20
    assert ledger.live.sessions[Refreshed.SOON_AFTER] > 0
    assert ledger.live.sessions[Refreshed.LEFT_TO_RUN] == 0

    # Every tutor's row is what the model gives with the priors of the last run, for all tutors at a time ...
    refreshed, rebuilt = scores(connection), rows(connection, LIVE)
    assert refreshed == rebuilt == rows(connection, ALL_AT_ONCE)
    assert sum(refreshed[tutor] != before[tutor] for tutor in before) > 20
    # ... from tables that the next run, which does the same sessions again, and a full refresh do not change.
    tables = intermediate(connection)
    built("run")
    assert intermediate(connection) == tables
    assert scores(connection) == rows(connection, LIVE)
    incremental = marts.content()
    built("run", "--full-refresh")
    assert intermediate(connection) == tables
    assert marts.content() == incremental


def test_a_session_that_changes_hands_refreshes_both(
    built: Dbt, database: Database, connection: psycopg.Connection
) -> None:
    post(database, session("handed over", 3, 5, rating=2))
    before = [score(connection, tutor, "sessions_7d") for tutor in (3, 4)]
    post(database, session("handed over", 4, 5, rating=2))
    assert [score(connection, tutor, "sessions_7d") for tutor in (3, 4)] == [before[0] - 1, before[1] + 1]
    evidence = rows(connection, "select session_id::text, tutor_id::text from marts.fct_sessions")
    assert evidence[named("handed over")] == named("tutor 4")


def test_sessions_at_risk_follow_the_rate(built: Dbt, database: Database, connection: psycopg.Connection) -> None:
    """What planned sessions add up to is the same on every page, also until the next run."""
    for n in range(3):
        post(database, session(f"to come {n}", 5, n, at=LAST + timedelta(days=2 + n), status="scheduled"))
    built(*TO_SCORES)
    before = [score(connection, 5, name) for name in ("planned_sessions_7d", "harm_sessions", "let_down_rate_expected")]
    assert before[0] >= 3
    assert before[1] == pytest.approx(before[0] * before[2])
    post(database, session("missed", 5, 4, status="no_show", initiator="tutor"))
    after = [score(connection, 5, name) for name in ("planned_sessions_7d", "harm_sessions", "let_down_rate_expected")]
    assert after[0] == before[0]
    assert after[2] > before[2]
    assert after[1] == pytest.approx(after[0] * after[2])


def test_the_first_session_of_a_new_tutor(built: Dbt, database: Database, connection: psycopg.Connection) -> None:
    post(database, session("first of all", 50, 5, rating=2))
    assert score(connection, 50, "sessions_7d") == 1
    assert score(connection, 50, "harm_students") == 0
    assert named("tutor 50") in rows(connection, "select tutor_id::text, 1 from marts.dim_tutors")
    built(*TO_SCORES)
    assert score(connection, 50, "sessions_7d") == 1


@pytest.fixture
def wide(built: Dbt, connection: psycopg.Connection) -> Iterator[Dbt]:
    """Measured against a reference in which tutors as different as these are not all at an end."""
    covariance = [9 * float(row == column) for row in range(4) for column in range(4)]
    connection.execute(
        "update app.score_reference set quality_tutors = 20, means = '{-1, -3, -1, 3}', covariance = %s", [covariance]
    )
    built("run")
    yield built
    connection.execute("update app.score_reference set quality_tutors = null, means = null, covariance = null")
    built("run")


@pytest.mark.soak
def test_what_needs_all_tutors_waits(wide: Dbt, database: Database, connection: psycopg.Connection) -> None:
    percentiles = {tutor: score(connection, tutor, "peer_percentile") or 0 for tutor in range(1, 34)}
    best = max(percentiles, key=percentiles.__getitem__)
    baseline = rows(connection, "select 1, to_jsonb(b) from marts.platform_baseline as b")
    missed = [session(f"missed {number}", best, 7, status="no_show", initiator="tutor") for number in range(40)]
    info = {"initiator": "tutor", "requested_at": LAST.isoformat()}
    moved = [session(f"moved {n}", best, 7, status="rescheduled", reschedule_info=info) for n in range(20)]
    post(database, *missed, *moved)
    assert score(connection, best, "tutor_no_shows_7d") >= 40
    assert score(connection, best, "tutor_reschedules_7d") >= 20
    assert score(connection, best, "peer_percentile") == percentiles[best] > 0
    assert rows(connection, "select 1, to_jsonb(b) from marts.platform_baseline as b") == baseline
    wide("run")
    assert score(connection, best, "peer_percentile") < percentiles[best]


def test_an_excuse_counts_at_once(built: Dbt, database: Database, connection: psycopg.Connection) -> None:
    info = {"initiator": "tutor", "requested_at": LAST.isoformat()}
    post(database, session("to excuse", 8, 9, status="rescheduled", reschedule_info=info))
    counted = score(connection, 8, "tutor_reschedules_7d")
    seen = []

    async def work() -> None:
        async with opened(database) as ledger:
            excuses = Excuses(ledger._pool, ledger.live)
            await excuses.add(uuid.UUID(named("to excuse")), "ill", "test")
            seen.append(score(connection, 8, "tutor_reschedules_7d"))
            await excuses.remove(uuid.UUID(named("to excuse")), "test")
            seen.append(score(connection, 8, "tutor_reschedules_7d"))

    asyncio.run(work())
    assert seen == [counted - 1, counted]


@pytest.mark.parametrize("rebuilds", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_deleted_session_counts_no_more_at_once(
    built: Dbt, database: Database, connection: psycopg.Connection, marts: Marts, tmp_path: Path, rebuilds: bool
) -> None:
    """Some of a tutor's sessions, all of another one's, and later a newer version of one of them."""
    info = {"initiator": "tutor", "requested_at": LAST.isoformat()}
    of_one = [session(f"delete {n}", 60, n, LAST, status="rescheduled", reschedule_info=info) for n in range(1, 4)]
    post(database, *of_one, session("delete all", 61, 5, rating=2))
    assert [score(connection, tutor, "sessions_7d") for tutor in (60, 61)] == [3, 1]
    chance = random.Random(8)
    others = [named(f"session {chance.randrange(1, 2000)}") for _ in range(20)]

    async def work() -> None:
        async with opened(database) as ledger:
            deletions = Deletions(ledger._pool, ledger.live)
            for name in ("delete 1", "delete all"):
                await deletions.delete(uuid.UUID(named(name)), "test")
            assert [score(connection, tutor, "sessions_7d") for tutor in (60, 61)] == [2, 0]
            for session_id in others:
                with suppress(NotFoundError):
                    await deletions.delete(uuid.UUID(session_id), "test")
            await settled(ledger)

    asyncio.run(work())
    assert scores(connection) == rows(connection, LIVE)
    newer = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    post(database, of_one[0] | {"updated_at": newer})
    assert score(connection, 60, "sessions_7d") == 3
    tables = intermediate(connection)
    built("run")
    assert intermediate(connection) == tables
    report = verify(database, settings=Settings(home=tmp_path, database_url=database.url, as_of=AS_OF))
    assert report.ok, report
    if rebuilds:
        incremental = marts.content()
        built("run", "--full-refresh")
        assert intermediate(connection) == tables
        assert marts.content() == incremental


def test_a_tutor_who_leaves_leaves_at_once(
    built: Dbt, database: Database, connection: psycopg.Connection, marts: Marts
) -> None:
    tutor = uuid.UUID(named("tutor 9"))
    changes = {
        "is_active": False,
        "name": "Somebody else",
        "subjects": ["Latin"],
        "capacity": 3,
        "email": "a@b.example",
    }

    async def follow(*, students: Sequence[uuid.UUID] = (), tutors: Sequence[uuid.UUID] = ()) -> None:
        assert (list(students), list(tutors)) == ([], [tutor])

    async def work() -> None:
        async with opened(database) as ledger:
            people = People(ledger._pool, ledger.live, follow)
            assert await people.change(TUTOR, tutor, changes, "test")

    before = rows(connection, "select 1, refreshed_at from marts.publication")
    asyncio.run(work())
    assert [score(connection, 9, name) for name in ("is_active", "name", "subjects")] == [
        False,
        "Somebody else",
        ["Latin"],
    ]
    assert rows(connection, "select 1, refreshed_at from marts.publication") != before, "readers cache by it"
    assert scores(connection) == rows(connection, LIVE)
    live = marts.content()
    assert any('"a@b.example"' in row for row in live["dim_tutors"])
    built(*TO_SCORES)
    assert marts.content()["dim_tutors"] == live["dim_tutors"]
    assert scores(connection) == rows(connection, LIVE)


def test_a_sick_day_is_excused_at_once(built: Dbt, database: Database, connection: psycopg.Connection) -> None:
    morning = datetime(2024, 6, 27, 6, tzinfo=UTC)
    info = {"initiator": "tutor", "requested_at": morning.isoformat()}
    sick = {"initiator": "tutor", "cancelled_at": morning.isoformat()}
    post(
        database,
        session("sick, moved", 8, 9, LAST, status="scheduled", reschedule_info=info),
        session("sick, cancelled", 8, 10, LAST, status="cancelled", **sick),
        session("sick, missed", 8, 11, morning, status="no_show", initiator="tutor"),
        session("sick, by the student", 8, 12, morning, status="cancelled", initiator="student"),
        session("another day", 8, 13, LAST, status="no_show", initiator="tutor"),
    )
    tutor, before, seen = uuid.UUID(named("tutor 8")), score(connection, 8, "let_downs_90d"), []

    async def work() -> None:
        async with opened(database) as ledger:
            excuses = Excuses(ledger._pool, ledger.live)
            excused, is_new = await excuses.add_day(tutor, morning.date(), "ill", "test")
            ids = {str(each.session_id) for each in excused.data}
            assert ids >= {named("sick, moved"), named("sick, cancelled"), named("sick, missed")}
            assert not ids & {named("sick, by the student"), named("another day")}
            assert is_new
            assert (await excuses.find(uuid.UUID(named("sick, missed")))).reason == "ill"
            assert await excuses.add_day(tutor, morning.date(), "other", "test") == (excused, False)
            seen.append(score(connection, 8, "let_downs_90d"))
            await excuses.remove_day(tutor, morning.date(), "test")
            seen.append(score(connection, 8, "let_downs_90d"))

    asyncio.run(work())
    assert seen[0] <= before - 3
    assert seen[1] >= before


@pytest.mark.soak
def test_other_settings_make_other_functions(built: Dbt, database: Database, connection: psycopg.Connection) -> None:
    built("run", risk_threshold=0.4, reliability_weight=0.9)
    post(database, session("under other settings", 9, 9, rating=1))
    assert scores(connection) == rows(connection, LIVE)
    built("run")
    assert scores(connection) == rows(connection, LIVE)


def test_a_run_that_changes_nothing_leaves_functions_and_views(built: Dbt, connection: psycopg.Connection) -> None:
    made = (
        "select proname, xmin::text from pg_proc"
        " where proname in ('refresh_sessions', 'rate_summary', 'quality_score') union all"
        " select relname, xmin::text from pg_class"
        " where relkind = 'v' and relnamespace in ('intermediate'::regnamespace, 'staging'::regnamespace)"
        " and relname !~ 's_now_definition$'"  # which read tables that each run makes anew
    )
    before = rows(connection, made)
    built("run")
    assert len(before) > 20
    assert rows(connection, made) == before


def test_functions_work_in_a_database_of_another_name(
    built: Dbt, database: Database, connection: psycopg.Connection, postgres: Postgres, tmp_path: Path
) -> None:
    """One that was renamed, or restored from a backup."""
    name = connection.info.dbname
    connection.close()  # nobody may be connected to what is copied
    copy = postgres.new_database(tmp_path, template=name)
    ledger = post(copy, session("posted under another name", 3, 4))
    assert ledger.live.sessions == {Refreshed.AT_ONCE: 1}
    with copy.connect() as connection:
        named = connection.execute(
            "select proname from pg_proc where pronamespace in ('marts'::regnamespace, 'intermediate'::regnamespace) "
            "and strpos(prosrc, %s) > 0",
            [f'"{name}".'],
        ).fetchall()
    assert named == []


def test_the_role_of_the_api_may_refresh_and_no_more(built: Dbt, connection: psycopg.Connection) -> None:
    denied = [
        "update marts.tutor_scores set is_high_risk = true",
        "select * from intermediate.int_tutor_scores",
        "select * from intermediate.beta_cdf(1, 9, 0.15)",
    ]
    with connection.transaction():
        connection.execute("set local role tutorq_api")
        refresh = "select marts.refresh_sessions(array[%s::uuid])"
        assert connection.execute(refresh, [named("session 1")]).fetchone() == (1,)
        for statement in denied:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement.encode())


REFRESH = "create function marts.refresh_sessions(sessions uuid[]) returns integer language plpgsql as "
SPOILED = {
    "missing": "",
    "raising": f"{REFRESH} $$ begin raise division_by_zero; end $$",
    "slow": f"{REFRESH} $$ begin perform pg_sleep(30); return 0; end $$",
    "half done": f"{REFRESH} $$ begin delete from marts.tutor_scores; raise division_by_zero; end $$",
    "locked out": f"{REFRESH} $$ begin lock table marts.dim_students; return 0; end $$",
}


@pytest.fixture(params=list(SPOILED))
def spoiled(request: pytest.FixtureRequest, built: Dbt, connection: psycopg.Connection) -> Iterator[str]:
    """The function is not as it should be."""
    connection.execute("alter function marts.refresh_sessions rename to genuine")
    connection.execute(SPOILED[request.param].encode())
    with connection.transaction():
        connection.execute("lock table marts.dim_students")
        yield request.param
    connection.execute("drop function if exists marts.refresh_sessions(uuid[])")
    connection.execute("alter function marts.genuine rename to refresh_sessions")


def test_posts_are_accepted_whatever_becomes_of_the_scores(
    spoiled: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEGIN", live.BEGIN.replace("500", "50").replace("250", "20"))
    with database.connect(autocommit=True) as connection:
        before = score(connection, 11, "sessions_7d")
        ledgers = [post(database, session(f"{spoiled} {number}", 11, 2), wait=False) for number in range(3)]
        assert score(connection, 11, "sessions_7d") == before
        assert all(not ledger.live.sessions[Refreshed.AT_ONCE] for ledger in ledgers)
        stored = rows(connection, "select session_id::text, 1 from raw.sessions")
        assert {named(f"{spoiled} {number}") for number in range(3)} <= set(stored)


def test_the_next_run_scores_what_was_not_refreshed(
    built: Dbt, database: Database, connection: psycopg.Connection
) -> None:
    before = score(connection, 12, "sessions_7d")
    connection.execute("drop function marts.refresh_sessions(uuid[])")
    post(database, session("for the run", 12, 3), wait=False)
    assert score(connection, 12, "sessions_7d") == before
    built("build", "--exclude-resource-type", "unit_test", "test")
    assert score(connection, 12, "sessions_7d") == before + 1
    post(database, session("for the function that the run has made", 12, 3))
    assert score(connection, 12, "sessions_7d") == before + 2


def test_what_a_lock_kept_back_follows(built: Dbt, database: Database, connection: psycopg.Connection) -> None:
    before = score(connection, 13, "sessions_7d")

    async def work() -> Ledger:
        async with opened(database) as ledger:
            with connection.transaction():
                connection.execute(f"select pg_advisory_xact_lock({locks.LIVE_MODEL}, 1)".encode())
                await ledger.write(posts([session("kept back", 13, 4)]))
                assert score(connection, 13, "sessions_7d") == before
            await settled(ledger)
            await ledger.write(posts([session("in time again", 13, 4)]))
            return ledger

    ledger = asyncio.run(work())
    assert ledger.live.sessions == {Refreshed.SOON_AFTER: 1, Refreshed.AT_ONCE: 1}
    assert score(connection, 13, "sessions_7d") == before + 2


def test_what_is_posted_again_meanwhile_is_refreshed_again(
    built: Dbt, database: Database, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh under way may have read the session before its second post was committed."""
    refreshed: list[list[uuid.UUID]] = []
    attempt = LiveScores._try

    async def overtaken(scores: LiveScores, on: Any, session_ids: Sequence[uuid.UUID]) -> bool:
        refreshed.append(list(session_ids))
        is_done = await attempt(scores, on, session_ids)
        if len(refreshed) == 1:
            scores.follow_up(session_ids)
        return is_done

    monkeypatch.setattr(LiveScores, "_try", overtaken)
    post(database, *[session(f"again {number}", 15, 5) for number in range(live.MOST_AT_ONCE + 1)])
    assert len(refreshed) == 2
    assert sorted(refreshed[0]) == sorted(refreshed[1])


def test_a_run_leaves_alone_what_was_written_since_its_look(
    built: Dbt, database: Database, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at all scores and a batch of them, one tutor is refreshed."""
    monkeypatch.setitem(built.manifest.nodes["model.tutorq.tutor_scores"].config._extra, "batches", 7)
    before = score(connection, 16, "sessions_7d")
    # Every row differs, and the run writes them in five batches.
    connection.execute(
        "update marts.tutor_scores set sessions_7d = sessions_7d + 100, peer_percentile = -1,"
        " planned_sessions_7d = planned_sessions_7d + 5"
    )
    raw = session("since the look", 16, 4)
    columns = "session_id, tutor_id, student_id, scheduled_time, status"
    run = in_background(lambda _: built("run", "--select", "tutor_scores"))
    waits = "select count(*) from pg_stat_activity where {} and datname = current_database()"
    with database.connect() as held, database.connect() as writer:
        # The run waits for this table with its look, and for the writer with its first batch.
        held.execute("lock table intermediate.int_platform in access exclusive mode")
        wait_for(connection, waits.format("wait_event_type = 'Lock' and query like '%differing%'"))
        writer.execute("select pg_advisory_xact_lock_shared(%s, 4)", [locks.LIVE_MODEL])
        held.rollback()
        wait_for(connection, waits.format("wait_event = 'advisory'"))
        values = [raw[name.strip()] for name in columns.split(",")]
        writer.execute(f"insert into raw.sessions ({columns}) values (%s, %s, %s, %s, %s)".encode(), values)
        writer.execute("select marts.refresh_sessions(array[%s::uuid])", [raw["session_id"]])
    run()
    assert score(connection, 16, "sessions_7d") == before + 1
    assert scores(connection) == rows(connection, LIVE)
    (waiting,) = (
        connection.execute("select count(*) from marts.tutor_scores where peer_percentile = -1").fetchone() or ()
    )
    assert waiting <= 1, "what only a run knows is written into that row, too"
    torn = "select count(*) from marts.tutor_scores where harm_sessions <> planned_sessions_7d * let_down_rate_expected"
    assert connection.execute(torn).fetchone() == (0,), "sessions at risk are of the plan and the rate beside them"


def test_a_post_counts_what_a_run_has_left_half_done(
    built: Dbt, database: Database, connection: psycopg.Connection
) -> None:
    """A run that has renewed the facts, and not yet the days."""
    day = timedelta(days=1)
    post(database, session("from one day", 17, 4, LAST - 3 * day), session("to another", 17, 4, LAST - 5 * day))
    before = score(connection, 17, "sessions_7d")
    connection.execute(
        "update raw.sessions set scheduled_time = scheduled_time - interval '2 days' where session_id = %s",
        [named("from one day")],
    )
    built("run", "--select", "int_session_facts")
    post(database, session("to another", 17, 4, LAST - 5 * day, rating=2))
    assert score(connection, 17, "sessions_7d") == before
    built(*TO_SCORES)
    assert score(connection, 17, "sessions_7d") == before


def test_bulk_is_left_to_the_run(built: Dbt, database: Database, connection: psycopg.Connection) -> None:
    before = score(connection, 14, "sessions_7d")
    bulk = [session(f"bulk {number}", 14, number % 90 + 1) for number in range(live.BULK_SESSIONS + 1)]
    ledger = post(database, *bulk, wait=False)
    assert ledger.live.sessions == {Refreshed.LEFT_TO_RUN: len(bulk)}
    assert score(connection, 14, "sessions_7d") == before
    built(*TO_SCORES)
    assert score(connection, 14, "sessions_7d") == before + len(bulk)


def in_background(work: Callable[[threading.Event], Any]) -> Callable[[], Any]:
    """Run `work` in a thread; the function returned tells it to stop, and gives its result or raises its error."""
    stop = threading.Event()
    result: list[Any] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            result.append(work(stop))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()

    def finish() -> Any:
        stop.set()
        thread.join()
        if errors:
            raise errors[0]
        return result[0]

    return finish


def test_a_tag_stands_for_one_body(built: Dbt, database: Database) -> None:
    read = f"""
        select {VERSION}, md5(string_agg(scores::text, '' order by tutor_id))
        from marts.tutor_scores as scores
        cross join marts.publication
        group by 1
    """

    def look(stop: threading.Event) -> set[tuple[str, str]]:
        seen = set()
        with database.connect(autocommit=True) as connection:
            while not stop.is_set():
                seen.add(tuple(connection.execute(read.encode()).fetchone() or ()))
        return seen

    readers = [in_background(look) for _ in range(2)]
    for number in range(30):
        post(database, session(f"tagged {number}", number % 30 + 1, 6, rating=1 + number % 5))
    seen = set().union(*(reader() for reader in readers))
    assert len(seen) > 10
    assert len({tag for tag, _ in seen}) == len(seen) == len({body for _, body in seen})


def test_what_everybody_looks_at_does_not_grow(built: Dbt, database: Database) -> None:
    """Room is made of old rows in its page as soon as no transaction sees them: it grows up to then at most."""
    with database.connect(autocommit=True) as connection:

        def refreshed() -> int:
            for _ in range(30):
                connection.execute("select marts.refresh_sessions(%s)", [[named("session 1")]])
            (size,) = connection.execute("select pg_relation_size('marts.publication')").fetchone() or (0,)
            return int(size)

        (row,) = connection.execute("select pg_column_size(publication) from marts.publication").fetchone() or (0,)
        assert 30 * row > 2 * 8192
        sizes = [refreshed()]
        while (size := refreshed()) != sizes[-1]:
            sizes.append(size)
            assert len(sizes) < 20, sizes


@pytest.mark.soak
def test_runs_and_two_processes_at_the_same_time(
    built: Dbt, database: Database, connection: psycopg.Connection, marts: Marts
) -> None:
    tutors = [20, 21, 22]

    def keep_posting(name: str, chance: random.Random) -> Callable[[threading.Event], LiveScores]:
        async def work(stop: threading.Event) -> LiveScores:
            async with opened(database) as ledger:
                number = 0
                while not stop.is_set():
                    few = [
                        session(f"{name} {(number := number + 1)}", chance.choice(tutors), 8, rating=3)
                        for _ in range(chance.randrange(1, 4))
                    ]
                    assert await ledger.write(posts(few)) == ["{}"] * len(few)
                    await asyncio.sleep(0.002)
                return (await settled(ledger)).live

        return lambda stop: asyncio.run(work(stop))

    def watch(stop: threading.Event) -> int:
        """Sessions are only added, so no count may ever fall."""
        highest = dict.fromkeys(tutors, 0)
        looks = 0
        with database.connect(autocommit=True) as reader:
            while not stop.is_set():
                looks += 1
                for tutor in tutors:
                    counted = score(reader, tutor, "sessions_7d")
                    assert counted >= highest[tutor], (tutor, counted, highest[tutor])
                    highest[tutor] = counted
        return looks

    background = [in_background(keep_posting(name, random.Random(name))) for name in ("one", "two")]
    watcher = in_background(watch)
    try:
        for _ in range(2):
            built("run")
    finally:
        refreshed = [finish() for finish in background]
        looks = watcher()
    assert looks > 100
    for scored in refreshed:
        assert scored.sessions[Refreshed.AT_ONCE] > 50
        assert scored.sessions[Refreshed.LEFT_TO_RUN] == 0
    assert scores(connection) == rows(connection, LIVE)
    built("run")
    incremental = marts.content()
    built("run", "--full-refresh")
    assert marts.content() == incremental
