"""The process of a run keeps its connections to Dagster's database."""

from collections.abc import Iterator
from importlib import import_module

import dagster as dg
import psycopg
import pytest

from core.database import Database
from core.settings import Settings
from orchestration.dagster_internals import keep_connections
from orchestration.first_run import prepare_dagster_home

STORAGES = ("event_log.event_log", "run_storage.run_storage", "schedule_storage.schedule_storage")
BACKENDS = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


@dg.asset(check_specs=[dg.AssetCheckSpec("is_well", asset="thing")])
def thing() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(passed=True)


@pytest.fixture
def kept(environment: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    database.ensure_databases()
    for storage in STORAGES:
        module = import_module(f"dagster_postgres.{storage}")
        monkeypatch.setattr(module, "create_pg_engine", module.create_pg_engine)  # and back, at the end
    keep_connections()
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(environment))) as instance:
        yield instance


def test_a_run_connects_once_and_again_where_it_was_cut(kept: dg.DagsterInstance, database: Database) -> None:
    with psycopg.connect(database.dagster_url, autocommit=True) as watcher:
        assert dg.materialize([thing], instance=kept).success
        first = set(watcher.execute(BACKENDS).fetchall())
        assert dg.materialize([thing], instance=kept).success
        second = set(watcher.execute(BACKENDS).fetchall())
        assert first & second, "connections of the first run"
        assert len(second - first) <= 3, "few beside them"
        for (pid,) in second:
            watcher.execute("select pg_terminate_backend(%s, 10000)", [pid])
        assert dg.materialize([thing], instance=kept).success
        third = set(watcher.execute(BACKENDS).fetchall())
        assert third
        assert not second & third
    assert len(kept.fetch_materializations(dg.AssetKey("thing"), limit=10).records) == 3
