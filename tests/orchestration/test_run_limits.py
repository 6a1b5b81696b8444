"""How long runs may take: what the settings say, and longer the more a run has to do."""

import os
import time

import dagster as dg
import pytest
import yaml

from core.database import Database
from core.settings import Settings
from ingest import arrivals
from orchestration.definitions import defs as load_definitions
from orchestration.first_run import prepare_dagster_home
from orchestration.run_limits import TAG, prolong

SESSIONS = dg.AssetKey(["raw", "sessions"])


def limit_of(instance: dg.DagsterInstance, job: str, *assets: dg.AssetKey, **how: object) -> int:
    """Seconds that a run had in the end, if it had a limit of its own; it may have failed."""
    result = (
        load_definitions()
        .resolve_job_def(job)
        .execute_in_process(instance=instance, asset_selection=[*assets], raise_on_error=False, **how)  # type: ignore[arg-type]
    )
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    return int(run.tags[TAG])


def test_the_instance_of_up_has_the_limit_of_the_settings(environment: Settings) -> None:
    for seconds in (300, 1200):
        home = prepare_dagster_home(environment.model_copy(update={"run_seconds": seconds}))
        config = yaml.safe_load((home / "dagster.yaml").read_text())
        assert config["run_monitoring"]["max_runtime_seconds"] == seconds
        assert config["storage"], "the rest is as shipped"


def test_large_files_prolong_the_run_that_loads_them(
    instance: dg.DagsterInstance, environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert limit_of(instance, "load_and_score", SESSIONS) == 300
    moment = time.time() - 60
    for name in ("sessions.csv", "sessions.2.csv", "tutors.csv"):
        path = environment.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 3_000_000)
        os.utime(path, (moment, moment))
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0)
    monkeypatch.setenv("TUTORQ_RUN_SECONDS", "1000")
    assert limit_of(instance, "load_and_score", SESSIONS) == 1000 + 2 * 3_000_000 // 60_000


def test_stored_sessions_prolong_every_run_that_may_make_all_tables_anew(
    instance: dg.DagsterInstance, environment: Settings, database: Database
) -> None:
    with database.connect() as connection:
        connection.execute("update pg_class set reltuples = 7300000 where oid = 'raw.sessions'::regclass")
    assert limit_of(instance, "score", dg.AssetKey(["intermediate", "int_as_of"])) == 300 + 7_300_000 // 2_000


def test_days_prolong_what_the_run_has_and_a_retry_does_not(instance: dg.DagsterInstance) -> None:
    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def history(context: dg.AssetExecutionContext) -> None:
        prolong(context, Settings(), days=365)
        if not context.retry_number:
            raise RuntimeError("meant to fail")

    def limit(tags: dict[str, str]) -> str:
        result = dg.materialize([history], instance=instance, tags=tags)
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        return run.tags[TAG]

    assert limit({}) == "3950", "365 days of ten seconds each"
    assert limit({TAG: "7200"}) == "10850"
