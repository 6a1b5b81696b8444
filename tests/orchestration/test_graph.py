"""The code location as the Dagster server loads it, and its jobs run for real."""

import os
import re
import shutil
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from core.database import Database, DatabaseRole
from core.settings import Settings
from demo import write_demo
from demo.marketplace import FILES
from ingest import load_folder
from orchestration.definitions import defs as load_definitions
from orchestration.defs.ingest.arrivals import ARRIVALS
from orchestration.defs.marts.dbt_models import LIVE_WAITING, MANIFEST, dbt_models, live_equals_batch
from orchestration.policies import SCORED, freshness
from orchestration.resources import Platform
from orchestration.run_limits import TAG
from tests.conftest import MADE
from verify import verify

SNAPSHOT = Path(__file__).with_name("graph.txt")
EXCUSES = dg.AssetKey(["app", "excuses"])
CASES = {dg.AssetKey(["app", name]) for name in ("cases", "case_events", "people")}
GROUPS = ("raw", "staging", "intermediate", "marts", "models", "predictions", "reports")


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return load_definitions()


@pytest.fixture
def landed(environment: Settings) -> Settings:
    """A small marketplace in the landing folder."""
    write_demo(environment.landing, tutors=20, students=60, days=60, seed=3)
    settle(environment.landing)
    return environment


def settle(folder: Path) -> None:
    """Make the files look as if nobody had written to them for a while."""
    moment = time.time() - 60
    for path in folder.iterdir():
        os.utime(path, (moment, moment))


def run(
    definitions: dg.Definitions, instance: dg.DagsterInstance, job: str, **kwargs: object
) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **kwargs)  # type: ignore[arg-type]


def described(definitions: dg.Definitions) -> str:
    """All that Dagster lists, one a line: what a person at the web server would miss, or wonder about."""
    repository = definitions.get_repository_def()
    graph = definitions.resolve_asset_graph()
    checks = sorted(f"{key.asset_key.to_user_string()} {key.name}" for key in graph.asset_check_keys)
    listed = {
        "asset": sorted(key.to_user_string() for key in graph.get_all_asset_keys()),
        "check": checks,
        "job": sorted({job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"}),
        "sensor": sorted(f"{sensor.name} {sensor.default_status.value}" for sensor in repository.sensor_defs),
        "schedule": sorted(f"{each.name} {each.default_status.value}" for each in repository.schedule_defs),
    }
    return "".join(f"{kind} {name}\n" for kind, names in listed.items() for name in names)


def test_the_graph_is_the_one_we_know(definitions: dg.Definitions, tmp_path: Path) -> None:
    found = tmp_path / "graph.txt"
    found.write_text(described(definitions))
    assert found.read_text() == SNAPSHOT.read_text(), f"if it is meant to change: cp {found} {SNAPSHOT}"


def test_everything_is_made_here_but_what_people_write(definitions: dg.Definitions) -> None:
    """An asset whose key differs from that of dbt's source would be in the graph twice, once without a maker."""
    graph = definitions.resolve_asset_graph()
    watched = {EXCUSES, ARRIVALS}
    assert {key for key in graph.get_all_asset_keys() if not graph.get(key).is_materializable} == watched | CASES
    assert all(graph.get(key).is_observable for key in watched)


def test_assets_may_get_as_old_as_their_runs_let_them(definitions: dg.Definitions) -> None:
    """Whatever the batch renews has to follow within the hour; a policy that no run can keep would cry wolf."""
    graph = definitions.resolve_asset_graph()
    batch = definitions.resolve_job_def("score").asset_layer.selected_asset_keys
    for key in graph.get_all_asset_keys() - {EXCUSES, *CASES}:
        policy = graph.get(key).freshness_policy
        assert policy is not None, key
        assert (policy == SCORED) == (key in batch), key
    assert {graph.get(key).freshness_policy for key in (EXCUSES, *CASES)} == {None}


def test_data_may_stay_away_for_as_long_as_the_settings_say() -> None:
    def policy(**settings: object) -> dg.FreshnessPolicy | None:
        return freshness(dg.AssetSpec(ARRIVALS), Settings(**settings))  # type: ignore[arg-type]

    assert policy() == dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26))
    assert policy(silent_data_hours=72) == dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=72))
    assert policy(silent_data_hours=0) is None


@pytest.mark.parametrize("as_of", ["latest", "2024-06-30"])
def test_historic_data_do_not_get_stale(as_of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions of a fixed day are made once."""
    monkeypatch.setenv("TUTORQ_AS_OF", as_of)
    graph = load_definitions().resolve_asset_graph()
    assert {key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy} == set()


def test_assets_say_where_they_are_made(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        files = [Path(each.file_path) for each in graph.get(key).metadata["dagster/code_references"].code_references]
        assert files, key
        assert all(file.is_file() for file in files), key


def test_every_dbt_test_is_a_check() -> None:
    """One that reads several models has to name the one that it is a check of."""
    tests = {key for key, node in MANIFEST["nodes"].items() if node["resource_type"] == "test"}
    assert {spec.metadata["dagster_dbt/unique_id"] for spec in dbt_models.check_specs} == tests


def test_every_check_can_be_understood(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.asset_check_keys:
        assert graph.get(key).description, key
        assert not re.search(r"_[0-9a-f]{8,}$|__.*__|_$", key.name.replace("stg_raw__", "").replace("stg_ml__", "")), (
            key
        )


def test_every_asset_can_be_understood(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, f"{key} has no description"
        assert node.owners, f"{key} has no owner"
        assert node.kinds, f"{key} has no kinds"
        assert node.group_name in GROUPS, key


def test_lineage_is_complete(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    def upstream(key: dg.AssetKey) -> set[dg.AssetKey]:
        parents = graph.get(key).parent_keys
        return parents | {ancestor for parent in parents for ancestor in upstream(parent)}

    mail = dg.AssetKey(["app", "email_reports"])
    pairs = dg.AssetKey(["marts", "match_predictions"])
    cases, effects = dg.AssetKey(["marts", "cases"]), dg.AssetKey(["marts", "case_effects"])
    reports = {dg.AssetKey(["ml", f"{kind}_metrics"]) for kind in ("match", "session", "student_no_show", "attrition")}
    everything = graph.get_all_asset_keys()
    # Scores, pairs and what is to come end in mail, cases in their marts, training in its figures, and arrivals in an
    # alert.
    inside = upstream(mail) | upstream(cases) | upstream(effects)
    # The sessions of the day are only looked at.
    today = dg.AssetKey(["marts", "todays_sessions"])
    assert everything - inside == {mail, cases, effects, today, *reports, ARRIVALS}
    assert upstream(cases) >= {dg.AssetKey(["marts", "tutor_flags"]), *CASES}
    assert upstream(pairs) >= {dg.AssetKey(["marts", "match_outcomes"]), dg.AssetKey(["ml", "match_model"])}
    assert upstream(mail) >= {dg.AssetKey(["marts", "publication"]), dg.AssetKey(["ml", "session_predictions"])}


def test_steps_retry_and_runs_end(definitions: dg.Definitions) -> None:
    for job in ("load_and_score", "score", "roll_over", "predict_touched", "send_reports", "delete_old_runs"):
        assert TAG not in definitions.resolve_job_def(job).tags, "the instance has their limit (test_run_limits.py)"
    for job in ("train", "predict"):
        assert definitions.resolve_job_def(job).tags[TAG] == "7200"
    asking = definitions.resolve_sensor_def("weekly_training")
    assert isinstance(asking, dg.AutomationConditionSensorDefinition)
    assert asking.run_tags[TAG] == "7200"
    dbt = definitions.resolve_job_def("score").get_node_named("dbt_models").definition
    assert dbt.pools == {"dbt"}
    policy = dbt.retry_policy
    assert policy is not None
    assert (policy.max_retries, policy.backoff, policy.jitter) == (3, dg.Backoff.EXPONENTIAL, dg.Jitter.PLUS_MINUS)


@pytest.mark.template(MADE)
def test_files_become_published_and_correct_scores_live_and_in_runs(
    definitions: dg.Definitions, instance: dg.DagsterInstance, landed: Settings, database: Database
) -> None:
    result = run(definitions, instance, "load_and_score")

    assert result.success
    failed = [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
    assert failed == []
    materialized = {tuple(event.asset_key.path) for event in result.get_asset_materialization_events()}
    assert ("marts", "publication") in materialized
    sessions = result.asset_materializations_for_node("raw__sessions")[0].metadata
    assert sessions["rows_inserted"].value == sessions["dagster/row_count"].value > 0
    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=landed)
    assert report.ok, report.errors()

    assert [path.name for path in landed.landing.iterdir() if not path.name.startswith(".")] == ["processed"]
    by_key = {event.asset_key.path[-1]: event.materialization for event in result.get_asset_materialization_events()}
    lineage = by_key["dim_tutors"].metadata["dagster/column_lineage"].value.deps_by_column
    assert lineage["name"] == [dg.TableColumnDep(dg.AssetKey(["staging", "stg_raw__tutors"]), "name")]

    # The next run compares scores that were refreshed live with its own.
    with database.connect() as connection:
        connection.execute(
            "select marts.refresh_sessions(array(select session_id from raw.sessions order by session_id limit 3))"
        )
    again = run(definitions, instance, "load_and_score")
    assert again.success
    assert again.asset_materializations_for_node("raw__sessions")[0].metadata["rows_read"].value == 0
    with database.connect() as connection:
        assert connection.execute("select count(*) from marts.publication").fetchone() == (1,)
        tutors = connection.execute("select count(*) from marts.tutor_scores").fetchone()
    [found] = [each for each in again.get_asset_check_evaluations() if each.check_name == "live_equals_batch"]
    assert found.passed
    assert (found.metadata["compared"].value,) == tutors  # a sample of 200 at most

    with database.connect() as connection:
        connection.execute(
            "update marts.tutor_scores set sessions_7d = sessions_7d + 1"
            " where tutor_id = (select min(tutor_id::text)::uuid from marts.tutor_scores)"
        )
        connection.execute(
            "update marts.tutor_concerns set probability = probability / 2 where concern = 'no_shows'"
            " and tutor_id = (select max(tutor_id::text)::uuid from marts.tutor_concerns where concern = 'no_shows')"
        )
    different = live_equals_batch(Platform())
    assert isinstance(different, dg.AssetCheckResult)
    assert not different.passed
    assert different.metadata["different"].value == 2


def test_scores_wait_for_a_run_in_these_columns_alone() -> None:
    config = MANIFEST["nodes"]["model.tutorq.tutor_scores"]["config"]
    assert [*config["batch_only"], *config["batch_part"]] == LIVE_WAITING


@pytest.mark.soak  # the gate has it with `tutorq up` (e2e/test_start.py)
def test_roll_over_records_the_chosen_days(
    definitions: dg.Definitions, instance: dg.DagsterInstance, landed: Settings, database: Database
) -> None:
    today = date.today()
    days = [today - timedelta(days=3), today - timedelta(days=2), today - timedelta(days=1)]

    result = run(
        definitions,
        instance,
        "roll_over",
        tags={
            "dagster/asset_partition_range_start": days[0].isoformat(),
            "dagster/asset_partition_range_end": days[-1].isoformat(),
        },
    )

    assert result.success
    run_of_days = instance.get_run_by_id(result.run_id)
    assert run_of_days is not None
    assert 330 <= int(run_of_days.tags[TAG]) < 340, "ten seconds a day more, and a little for the files"
    evaluated = {check.check_name for check in result.get_asset_check_evaluations()}
    assert evaluated >= {"risk_status_follows_from_probability", "tutor_days_reproduce_sessions"}
    with database.connect() as connection:
        recorded = connection.execute("select distinct as_of from marts.score_history order by 1").fetchall()
        scores = connection.execute(
            "select count(*) from marts.tutor_scores where risk_probability is not null"
        ).fetchone()
    assert [row[0] for row in recorded] == [*days, today]
    assert scores is not None
    assert scores[0] > 0
    key = dg.AssetKey(["marts", "score_history"])
    assert instance.get_materialized_partitions(key) == {day.isoformat() for day in days}

    # A backfill of the history alone, as the Dagster UI starts it.
    earlier = today - timedelta(days=9)
    result = run(definitions, instance, "roll_over", partition_key=earlier.isoformat(), asset_selection=[key])
    assert result.success
    with database.connect() as connection:
        found = connection.execute("select distinct as_of from marts.score_history where as_of = %s", [earlier])
        assert found.fetchall() == [(earlier,)]


def test_rows_that_vanish_are_noticed(
    definitions: dg.Definitions, instance: dg.DagsterInstance, landed: Settings, database: Database
) -> None:
    load_folder(database.as_role(DatabaseRole.INGEST), landed.landing, timezone="UTC")
    with database.connect() as connection:
        connection.execute("delete from raw.sessions where ctid = (select min(ctid) from raw.sessions)")
    result = run(definitions, instance, "load_and_score", asset_selection=[dg.AssetKey(["raw", "sessions"])])

    failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert failed == {"read_equals_accepted_plus_quarantined"}


def test_a_failed_blocking_check_keeps_the_marts_as_they_are(
    definitions: dg.Definitions, instance: dg.DagsterInstance, environment: Settings, database: Database
) -> None:
    assert environment.landing.exists() is False
    result = run(definitions, instance, "load_and_score")

    assert not result.success
    with database.connect() as connection:
        assert connection.execute("select to_regclass('marts.publication')").fetchone() == (None,)


@pytest.mark.soak
@pytest.mark.template(MADE)
def test_a_broken_file_is_named_and_the_others_are_loaded(
    definitions: dg.Definitions, instance: dg.DagsterInstance, landed: Settings, database: Database
) -> None:
    landing = landed.landing
    (landing / "sessions.broken.csv").write_text("session_id\nx\n")
    (landing / "notes.txt").write_text("no landing file")
    settle(landing)
    with (landing / "sessions.unfinished.csv").open("w") as unfinished:
        unfinished.write("session_id,tutor_id,stud")
        unfinished.flush()
        result = run(definitions, instance, "load_and_score")

    assert result.success
    failed = {check.check_name: check for check in result.get_asset_check_evaluations() if not check.passed}
    assert failed.keys() == {"every_file_could_be_read", "nothing_else_has_landed"}
    refused = str(failed["every_file_could_be_read"].metadata["files_refused"].value)
    assert re.fullmatch(r"- failed/\S+/sessions.broken.csv: sessions.broken.csv: required .*: tutor_id.*", refused)
    assert failed["nothing_else_has_landed"].metadata["left_alone"].value == "- notes.txt"
    with database.connect() as connection:
        loaded = connection.execute("select count(*) from raw.sessions").fetchone()
        published = connection.execute("select count(*) from marts.publication").fetchone()
    assert loaded is not None
    assert loaded[0] > 0
    assert published == (1,)
    lying = {path.name for path in landing.iterdir() if not path.name.startswith(".")}
    assert lying == {"notes.txt", "sessions.unfinished.csv", "processed", "failed"}
    assert {path.name for path in landing.glob("processed/*/*") if path.suffix != ".json"} == set(FILES)

    # It is told until somebody has seen to it.
    raw = [dg.AssetKey(["raw", "sessions"])]

    (landing / "sessions.unfinished.csv").unlink()

    def failures() -> set[str]:
        result = run(definitions, instance, "load_and_score", asset_selection=raw)
        return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}

    assert failures() == {"every_file_could_be_read", "nothing_else_has_landed"}
    shutil.rmtree(landing / "failed")
    (landing / "notes.txt").unlink()
    assert failures() == set()


@pytest.mark.soak  # the gate has it without Dagster (ingest/test_landing_directory.py)
def test_files_that_cannot_be_moved_are_loaded_and_named(
    definitions: dg.Definitions, instance: dg.DagsterInstance, landed: Settings, database: Database
) -> None:
    (landed.landing / "processed").write_text("in the way")
    results = [run(definitions, instance, "load_and_score") for _ in range(2)]

    for result in results:
        assert result.success
        failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
        assert {check.check_name for check in failed} == {"every_file_could_be_moved"}
        assert {str(check.metadata["files_that_stay"].value) for check in failed} == {
            f"- {name}: Not a directory" for name in FILES
        }
    first, second = [result.asset_materializations_for_node("raw__sessions")[0].metadata for result in results]
    assert first["rows_inserted"].value == first["dagster/row_count"].value > 0
    assert (second["rows_read"].value, second["files_already_in"].value) == (0, 1)
