"""Whatever is killed in the middle of what: the next run makes up for it, to the last bit, and no reader notices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from core.settings import PROJECT_ROOT
from tests.api.conftest import served
from tests.crashes.harness import (
    LOAD,
    LOADED_SESSIONS,
    PATIENCE_SECONDS,
    Platform,
    assert_only_whole_states,
    change,
    commits_that_hang,
    join,
    kill,
    named,
    read,
    start,
    wait_for,
    watched,
    write_sessions,
)
from tests.e2e.processes import EmbeddedServer
from verify import verify

pytestmark = pytest.mark.soak

if TYPE_CHECKING:
    from tests.crashes.conftest import Server

MANIFEST = PROJECT_ROOT / "dbt_project" / "target" / "manifest.json"
# So many that copying takes a while.
VERSIONS = 200
GENERATION = "select generation from marts.publication"
STUCK_SECONDS = 0.3


def materialized_models() -> dict[str, dict[str, Any]]:
    """All models that are a table or a view, by name."""
    nodes = json.loads(MANIFEST.read_text())["nodes"].values()
    models = {node["name"]: node for node in nodes if node["resource_type"] == "model"}
    return {name: model for name, model in models.items() if model["config"]["materialized"] != "ephemeral"}


@contextmanager
def held_up(platform: Platform, *models: str) -> Iterator[None]:
    """Meanwhile the transactions of these models wait in their middle; readers pass."""
    known = materialized_models()
    with platform.connect("obstacle") as obstacle, obstacle.transaction(force_rollback=True):
        for name in models:
            relation = sql.Identifier(known[name]["schema"], name)
            if known[name]["config"]["materialized"] == "view":
                # A lock of the view would be one of all that it reads, too.
                obstacle.execute(sql.SQL("comment on view {} is 'held up'").format(relation))
            else:
                obstacle.execute(sql.SQL("lock table {} in share mode").format(relation))
        yield


def reached(platform: Platform, models: set[str]) -> set[str]:
    """Those of the models that a build is in the middle of, once it can go no further; before, none."""
    waiting = platform.waiting()
    time.sleep(STUCK_SECONDS)
    return waiting.keys() & models if platform.waiting() == waiting else set()


def kill_in_each(server: Server, platform: Platform, left: set[str], *options: str) -> None:
    """Kill builds until one was killed in the middle of each of these models; then build everything undisturbed.

    Each build goes on with what the one before it was killed in, and comes to further models.
    """
    models = materialized_models()
    published = {name for name in left if models[name]["schema"] == "marts" and "matching" not in models[name]["tags"]}
    before, kills, killed = read(platform), 0, set[str]()
    with watched(platform) as reader:
        while left:
            change(platform, kills)
            generation = platform.value(GENERATION)
            with held_up(platform, *left):
                build = platform.start_models("--select", *left, *killed, *options)
                killed = wait_for(partial(reached, platform, left), f"a build reaches one of {left}")
                kill(build)
            wait_for(platform.is_left_alone, f"the end of {killed}")
            assert "publication" not in killed or left & published == {"publication"}, "published before other marts"
            assert not left & published or platform.value(GENERATION) == generation, "published what is not built"
            left = left - killed
            kills += 1
        platform.build()
    assert platform.content() == server.undisturbed(kills).content()
    after = read(platform)
    added = {name: (after[name] - before[name]) // kills for name in before}
    states = [{name: before[name] + number * added[name] for name in before} for number in range(kills + 1)]
    assert_only_whole_states(reader, *states)


def test_in_the_middle_of_each_model(server: Server, platform: Platform) -> None:
    kill_in_each(server, platform, set(materialized_models()))
    assert verify(platform.database, settings=platform.settings).ok


def test_in_the_middle_of_each_table_of_a_full_refresh(server: Server, platform: Platform) -> None:
    models = materialized_models()
    tables = {name for name, model in models.items() if model["config"]["materialized"] == "incremental"}
    # Its own past cannot be made anew: it is never rebuilt.
    kill_in_each(server, platform, tables - {"score_history"}, "--full-refresh")


def test_a_full_refresh_and_another_time_zone_take_nothing_away(server: Server, platform: Platform) -> None:
    before = read(platform)
    owner = platform.value("select tableowner from pg_tables where schemaname = 'marts' and tablename = 'tutor_scores'")
    with platform.connect() as connection:
        connection.execute("create view public.of_a_view as select session_id from marts.fct_sessions")
        connection.execute(
            "create view intermediate.of_a_table with (security_invoker = true)"
            " as select tutor_id, risk_status from marts.tutor_scores"
        )
        connection.execute(f"alter view intermediate.of_a_table owner to {owner}".encode())
    tokyo = Platform(platform.database, platform.settings.model_copy(update={"timezone": "Asia/Tokyo"}))
    home = platform.settings.home
    with watched(platform) as reader, served(platform.database, home) as api, api.client(api.key) as client:

        def statuses_during(build: BaseProcess) -> set[int]:
            statuses = set()

            def ended() -> bool:
                statuses.add(client.get(f"/api/tutors/{named('tutor 1')}/history").status_code)
                return not build.is_alive()

            wait_for(ended, "the build ends")
            join(build)
            return statuses

        assert statuses_during(platform.start_build(full_refresh=True)) == {200}
        assert platform.content() == server.original.content()
        assert statuses_during(tokyo.start_build()) == {200}
        assert platform.content() != server.original.content()
    # Days of another zone are other days, but the same sessions of the same people.
    for name in ("fct_sessions", "fct_moves", "dim_tutors", "tutor_scores", "match_students"):
        assert reader.seen[f"rows of {name}"] == {before[f"rows of {name}"]}, name
    assert [name for name, seen in reader.seen.items() if seen & {0, None}] == []
    assert platform.value("select count(*) from public.of_a_view") == before["rows of fct_sessions"]
    assert platform.value("select count(*) from intermediate.of_a_table") == before["rows of tutor_scores"]
    options = platform.value("select reloptions from pg_class where oid = 'intermediate.of_a_table'::regclass")
    assert options == ["security_invoker=true"]


def test_the_next_build_waits_for_what_is_left_of_a_killed_one(server: Server, platform: Platform) -> None:
    change(platform)
    before = read(platform)
    with watched(platform) as reader:
        with held_up(platform, "int_session_facts"):
            build = platform.start_build()
            left = wait_for(lambda: platform.waiting().get("int_session_facts"), "the build reaches its middle")
            kill(build)
            build = platform.start_build()
            waits = f"select count(*) > 0 from pg_stat_activity where {left} = any(pg_blocking_pids(pid))"
            wait_for(lambda: platform.value(waits), "the next build comes to where the first one is")
        join(build)
    assert platform.content() == server.undisturbed().content()
    assert_only_whole_states(reader, before, read(platform))


@pytest.mark.parametrize("model", ["int_session_facts", "publication"])
def test_a_commit_that_outlives_its_process(server: Server, platform: Platform, model: str) -> None:
    """Nobody is left to hear of it, and it is done all the same."""
    before = read(platform)
    generation = platform.value(GENERATION)
    change(platform)
    with watched(platform) as reader, platform.connect() as connection, ExitStack() as obstacle:
        obstacle.enter_context(held_up(platform, model))
        build = platform.start_models()
        left = wait_for(lambda: platform.waiting().get(model), f"the build reaches {model}")
        with commits_that_hang(connection):
            obstacle.close()
            hangs = f"select wait_event = 'SyncRep' from pg_stat_activity where pid = {left}"
            wait_for(lambda: platform.value(hangs), f"the commit of {model}")
            kill(build)
        wait_for(platform.is_left_alone, f"the end of the commit of {model}")
        is_published = platform.value(GENERATION) > generation
        platform.build()
    assert is_published == (model == "publication")
    assert platform.content() == server.undisturbed().content()
    assert_only_whole_states(reader, before, read(platform))


def locked(table: str) -> Callable[[psycopg.Connection], AbstractContextManager[Any]]:
    @contextmanager
    def lock(connection: psycopg.Connection) -> Iterator[None]:
        with connection.transaction(force_rollback=True):
            connection.execute(f"lock table {table} in share mode".encode())
            yield

    return lock


# Where a load is killed: what holds it up there, and how pg_stat_activity tells that it is there.
STEPS_OF_A_LOAD: dict[str, tuple[Callable[[psycopg.Connection], AbstractContextManager[Any]], str]] = {
    "rows are copied": (nullcontext, "pid in (select pid from pg_stat_progress_copy)"),
    "rows are merged": (locked("raw.sessions"), "wait_event = 'relation' and query ~ 'merged'"),
    "all but the commit is done": (locked("raw.loads"), "wait_event = 'relation' and query ~ 'raw.loads'"),
    "the commit is done, and nobody told": (commits_that_hang, "wait_event = 'SyncRep'"),
}


@contextmanager
def load_until(platform: Platform, step: str, folder: Path) -> Iterator[BaseProcess]:
    """A load in a process of its own that has come to a step and waits there."""
    obstacle, there = STEPS_OF_A_LOAD[step]
    with platform.connect("obstacle") as connection, obstacle(connection):
        load = start(LOAD, platform.settings, folder=str(folder))
        wait_for(lambda: platform.value(f"select count(*) > 0 from pg_stat_activity where {there}"), step)
        yield load


def test_a_load_at_each_of_its_steps(server: Server, platform: Platform, tmp_path: Path) -> None:
    undisturbed, before = server.copy(), read(platform)
    rows = before["rows of raw"]
    with watched(platform) as reader:
        for number, step in enumerate(STEPS_OF_A_LOAD):
            folder = write_sessions(tmp_path / str(number), number, versions=1 if number else VERSIONS)
            undisturbed.load(folder)
            with load_until(platform, step, folder) as load:
                kill(load)
            wait_for(platform.is_left_alone, step)
            is_in = platform.value("select count(*) from raw.sessions") > rows
            assert is_in == (step == "the commit is done, and nobody told")
            platform.load(folder)
            rows += LOADED_SESSIONS
            assert platform.raw() == undisturbed.raw()
        platform.build()
    undisturbed.build()
    assert platform.content() == undisturbed.content()
    assert reader.seen.pop("rows of raw") <= set(range(before["rows of raw"], rows + 1, LOADED_SESSIONS))
    assert_only_whole_states(reader, before, read(platform))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sessions(tmp_path_factory.mktemp("landing") / "new", 0)


@pytest.mark.parametrize("end", [EmbeddedServer.kill, EmbeddedServer.kill_postmaster, EmbeddedServer.shut_down_at_once])
def test_postgres_in_the_middle_of_a_load_and_a_build(
    server: Server, platform: Platform, folder: Path, end: Callable[[EmbeddedServer], None]
) -> None:
    before = read(platform)
    change(platform)
    with watched(platform, may_be_cut=True) as reader:
        with suppress(psycopg.OperationalError), ExitStack() as obstacles:  # which are cut, too
            obstacles.enter_context(held_up(platform, "int_tutor_days"))
            build = platform.start_build()
            wait_for(lambda: "int_tutor_days" in platform.waiting(), "the build reaches its middle")
            load = obstacles.enter_context(load_until(platform, "rows are merged", folder))
            end(server.process)
        for process in (load, build):
            process.join(PATIENCE_SECONDS)
            assert process.exitcode == 1
        assert platform.value("select count(*) from raw.sessions") == before["rows of raw"] + 3
        platform.load(folder)
        platform.build()
    assert platform.content() == server.undisturbed(loaded=folder).content()
    assert_only_whole_states(reader, before, read(server.undisturbed()), read(platform))
