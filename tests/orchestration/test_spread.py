"""Predictions of whole buckets by several processes: the same rows as by one, published at once, whoever is killed."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import yaml
from dagster import load_from_defs_folder
from dagster._core.launcher import DefaultRunLauncher
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.app import app
from core.code_version import PACKAGES, code_version
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from ml.prediction_plans import Part, Plan, PlanEndedError, make_part
from ml.predictions import plan_pairs, predict_all, predict_share, publish_pairs, repredict
from ml.rules import MatchRules
from orchestration.defs.ingest.raw_tables import raw_table
from orchestration.defs.predictions.predictions import MATCH_PREDICTIONS, match_predictions_by_bucket
from orchestration.partitions import ALL_BUCKETS
from orchestration.resources import Platform
from orchestration.shared import check_code_version, check_shared, note_code_version

RULES = MatchRules()
PAIRS = "select student_id, tutor_id, churn_probability from ml.match_predictions order by 1, 2"
VERSION = "select version from ml.prediction_version"
TOUCHED = "select entity, person_id from ml.touched_people"


def as_runs_do(database: Database) -> Database:
    return database.as_role(DatabaseRole.TRANSFORM)


def rows(database: Database, query: str, *values: object) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(query.encode(), list(values)).fetchall()


def begin(settings: Settings, database: Database, asked_by: str = "a run") -> Plan:
    return plan_pairs(settings, as_runs_do(database), RULES, asked_by=asked_by)


def test_shares_in_any_order_make_the_rows_of_one_process(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    predict_all(settings, as_runs_do(database), RULES)
    expected, version = rows(database, PAIRS), rows(database, VERSION)
    plan = begin(settings, database)
    assert plan.shares == [(bucket,) for bucket in range(16)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda share: predict_share(settings, as_runs_do(database), plan.run, share), plan.shares[::-1]))
    assert rows(database, VERSION) == version, "nothing is published yet"
    assert {run for (run,) in rows(database, "select run_id from ml.match_predictions")} == {plan.run - 1}
    done = publish_pairs(settings, as_runs_do(database), plan.run)
    assert rows(database, PAIRS) == expected
    assert done.pairs == len(expected) > 500
    assert rows(database, VERSION) == [(version[0][0] + 1,)]
    assert rows(database, "select distinct run_id from ml.prediction_buckets") == [(plan.run,)]


def test_what_is_repeated_changes_nothing(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    plan = begin(settings, database)
    for share in [*plan.shares, *plan.shares[:3]]:
        predict_share(settings, as_runs_do(database), plan.run, share)
    publish_pairs(settings, as_runs_do(database), plan.run)
    expected, version = rows(database, PAIRS), rows(database, VERSION)
    # A step that was killed after its transaction is done again, too.
    assert predict_share(settings, as_runs_do(database), plan.run, plan.shares[5]).pairs == 0
    assert publish_pairs(settings, as_runs_do(database), plan.run).pairs == len(expected)
    assert (rows(database, PAIRS), rows(database, VERSION)) == (expected, version)


def test_a_part_that_is_missing_is_named_and_nothing_is_published(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    plan = begin(settings, database)
    for share in plan.shares[:14]:
        predict_share(settings, as_runs_do(database), plan.run, share)
    with pytest.raises(TutorqError, match=f"buckets 14, 15 of prediction {plan.run} have not been made"):
        publish_pairs(settings, as_runs_do(database), plan.run)
    assert rows(database, PAIRS) == []


def test_a_part_whose_making_is_broken_off_is_made_anew(
    marketplace: tuple[Settings, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, database = marketplace
    plan = begin(settings, database)

    def broken(*_: object) -> Iterator[object]:
        raise ConnectionAbortedError("killed")
        yield

    with monkeypatch.context() as patch:
        patch.setattr("ml.predictions.PairScorer.score", broken)
        with pytest.raises(ConnectionAbortedError):
            predict_share(settings, as_runs_do(database), plan.run, [4])
        # Made once more with others, and killed then: what had been there counts as made no more.
        patch.undo()
        predict_share(settings, as_runs_do(database), plan.run, [5])
        patch.setattr("ml.predictions.PairScorer.score", broken)
        with pytest.raises(ConnectionAbortedError):
            predict_share(settings, as_runs_do(database), plan.run, [5, 6])
    assert rows(database, "select from ml.prediction_parts") == []
    for share in plan.shares:
        predict_share(settings, as_runs_do(database), plan.run, share)
    publish_pairs(settings, as_runs_do(database), plan.run)
    found = rows(database, PAIRS)
    predict_all(settings, as_runs_do(database), RULES)
    assert rows(database, PAIRS) == found


def test_a_later_plan_ends_an_earlier_one(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    first = begin(settings, database)
    predict_share(settings, as_runs_do(database), first.run, [0])
    predict_all(settings, as_runs_do(database), RULES)
    expected = rows(database, PAIRS)
    for late in (
        lambda: predict_share(settings, as_runs_do(database), first.run, [1]),
        lambda: publish_pairs(settings, as_runs_do(database), first.run),
    ):
        with pytest.raises(PlanEndedError, match=f"prediction {first.run} was replaced by a later one"):
            late()
    assert rows(database, PAIRS) == expected


def test_who_changes_between_two_shares_stays_noted(marketplace: tuple[Settings, Database]) -> None:
    """The publication may put back what was made of the tutor before."""
    settings, database = marketplace
    predict_all(settings, as_runs_do(database), RULES)
    plan = begin(settings, database)
    for share in plan.shares[:8]:
        predict_share(settings, as_runs_do(database), plan.run, share)
    ((tutor,),) = rows(database, "select tutor_id from marts.match_tutors where is_active order by 1 limit 1")
    with database.connect() as connection:
        connection.execute("update raw.tutors set age = 99 where tutor_id = %s", [tutor])
    assert repredict(settings, as_runs_do(database), RULES, tutors=[tutor], wait=False).is_done
    assert rows(database, TOUCHED) == [("tutor", tutor)]
    for share in plan.shares[8:]:
        predict_share(settings, as_runs_do(database), plan.run, share)
    publish_pairs(settings, as_runs_do(database), plan.run)
    assert rows(database, TOUCHED) == [("tutor", tutor)]
    repredict(settings, as_runs_do(database), RULES, tutors=[tutor])
    assert rows(database, TOUCHED) == []
    found = rows(database, PAIRS)
    predict_all(settings, as_runs_do(database), RULES)
    assert rows(database, PAIRS) == found


def test_lists_of_the_best_are_one_share(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    settings = settings.model_copy(update={"match_pairs": "top"})
    predict_all(settings, as_runs_do(database), RULES)
    expected = rows(database, PAIRS)
    plan = begin(settings, database)
    assert plan.shares == [tuple(range(16))]
    predict_share(settings, as_runs_do(database), plan.run, plan.shares[0])
    assert publish_pairs(settings, as_runs_do(database), plan.run).kept == "top"
    assert rows(database, PAIRS) == expected


def test_the_graph_has_a_step_for_each_bucket(
    marketplace: tuple[Settings, Database], instance: dg.DagsterInstance
) -> None:
    settings, database = marketplace
    predict_all(settings, as_runs_do(database), RULES)
    expected, version = rows(database, PAIRS), rows(database, VERSION)
    asset = match_predictions_by_bucket()
    job = dg.Definitions(
        assets=[asset], resources={"platform": Platform()}, jobs=[dg.define_asset_job("predict", [asset])]
    ).resolve_job_def("predict")
    done = job.execute_in_process(instance=instance, tags=ALL_BUCKETS)
    steps = {event.step_key for event in done.all_events if event.is_step_success}
    prefix = "ml__match_predictions"
    assert {f"{prefix}.predict_bucket[{bucket:02d}]" for bucket in range(16)} < steps
    assert len(steps) == 18
    assert rows(database, PAIRS) == expected
    assert rows(database, VERSION) == [(version[0][0] + 1,)]
    of_asset = [event for event in done.get_asset_materialization_events() if event.asset_key == MATCH_PREDICTIONS]
    assert {event.partition for event in of_asset} == {f"{bucket:02d}" for bucket in range(16)}


def test_some_buckets_are_as_many_steps(marketplace: tuple[Settings, Database], instance: dg.DagsterInstance) -> None:
    _, database = marketplace
    asset = match_predictions_by_bucket()
    done = dg.materialize([asset], instance=instance, resources={"platform": Platform()}, partition_key="03")
    assert done.success
    assert {bucket for (bucket,) in rows(database, "select bucket from ml.prediction_buckets")} == {3}


def test_by_default_one_process_does_everything(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    config = yaml.safe_load((PROJECT_ROOT / "deploy" / "dagster.yaml").read_text())
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"run_launcher": config["run_launcher"]}))
    with dg.DagsterInstance.from_config(str(tmp_path)) as configured:
        assert isinstance(configured.run_launcher, DefaultRunLauncher)


def test_workers_say_what_they_lack(environment: Settings, database: Database) -> None:
    def said(**changed: object) -> str:
        settings = environment.model_copy(update=changed)
        with pytest.raises(TutorqError) as caught:
            check_shared(settings, Database(settings))
        return str(caught.value)

    assert "TUTORQ_DATABASE_URL" in said(database_url=None)
    assert "TUTORQ_MODEL_STORE" in said()
    assert "TUTORQ_ERASURE_KEY" in said(model_store="s3://bucket/models")
    shared = environment.model_copy(
        update={"model_store": "s3://bucket/models", "erasure_key": SecretStr("the same everywhere")}
    )
    check_shared(shared, Database(shared))


def test_workers_want_the_code_of_the_code_location(database: Database) -> None:
    with pytest.raises(TutorqError, match="no code location has been started"):
        check_code_version(as_runs_do(database))
    note_code_version(as_runs_do(database))
    check_code_version(as_runs_do(database))
    with database.connect() as connection:
        connection.execute("update app.code_location set code_version = '0.9.0+abc'")
    with pytest.raises(TutorqError, match=f"this is tutorq {code_version().replace('+', '.')}, the code location is 0"):
        check_code_version(as_runs_do(database))


def test_the_code_of_a_step_is_all_that_orchestration_imports() -> None:
    first_party = {path.parent.name for path in PROJECT_ROOT.glob("*/__init__.py")}
    imported, following = {"orchestration"}, ["orchestration"]
    while following:
        code = "".join(path.read_text() for path in (PROJECT_ROOT / following.pop()).rglob("*.py"))
        found = set(re.findall(r"^ *(?:from|import) (\w+)", code, flags=re.MULTILINE)) & first_party - imported
        imported |= found
        following += found
    assert imported == set(PACKAGES)


def test_only_what_is_worth_it_is_spread() -> None:
    jobs = load_from_defs_folder(path_within_project=PROJECT_ROOT).jobs or ()
    by_default = {
        job.name
        for job in jobs
        if not (job.has_specified_executor if isinstance(job, dg.JobDefinition) else job.executor_def)
    }
    assert by_default == {"train", "predict"}


def test_a_worker_without_the_landing_folder_loads_nothing(
    environment: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TUTORQ_EXECUTOR", "celery")
    monkeypatch.setenv("TUTORQ_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("TUTORQ_LANDING_DIR", str(tmp_path / "unmounted"))
    assert environment.executor == "in_process"
    table = raw_table("tutors")
    done = dg.materialize([table], instance=instance, resources={"platform": Platform()}, raise_on_error=False)
    (failed,) = (event for event in done.all_events if event.is_step_failure)
    assert "mount it and name it in TUTORQ_LANDING_DIR" in str(failed.step_failure_data.user_failure_data)


def test_the_publication_and_a_part_that_is_made_again_do_not_wait_for_each_other(
    marketplace: tuple[Settings, Database],
) -> None:
    settings, database = marketplace
    plan = begin(settings, database)
    predict_share(settings, as_runs_do(database), plan.run, [4])
    with ThreadPoolExecutor(1) as pool, database.connect() as publisher:
        # The order of a publication: the table, then what is noted of the part.
        publisher.execute("lock table ml.match_predictions_04_next in access exclusive mode")
        again = pool.submit(make_part, as_runs_do(database), plan.run, Part(4, 0, None), [])
        with database.connect(autocommit=True) as looking:
            waiting = (
                "select from pg_locks where not granted "
                "and database = (select oid from pg_database where datname = current_database())"
            )
            while looking.execute(waiting).fetchone() is None:
                assert not again.done()
        publisher.execute("delete from ml.prediction_parts where run_id = %s", [plan.run])
        publisher.commit()
        assert again.result() == 0


def test_the_command_says_so_in_one_line(environment: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        answer = CliRunner().invoke(app, ["worker", "--queue", "steps"])
        assert answer.exit_code == 1
        return answer.stderr

    assert "TUTORQ_EXECUTOR=celery" in said()
    monkeypatch.setenv("TUTORQ_EXECUTOR", "celery")
    assert "TUTORQ_BROKER_URL" in said()
    monkeypatch.setenv("TUTORQ_BROKER_URL", "amqp://user:canary@host")
    assert "TUTORQ_BROKER_URL: is not the address of a Valkey or Redis" in said()
    assert "canary" not in said()


def test_both_tables_are_of_the_runs_alone(database: Database) -> None:
    with as_runs_do(database).connect() as connection:
        connection.execute("select from ml.prediction_plans, ml.prediction_parts, app.code_location")
    with (
        database.as_role(DatabaseRole.API).connect() as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("select from ml.prediction_parts")
