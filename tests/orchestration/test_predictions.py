"""Predictions of a small marketplace: complete, exact about whom they touch, swapped whole, and kept up by Dagster."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import numpy as np
import pandas as pd
import psycopg
import pytest

from cli.doctor.examine import examine
from core import locks
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from ml.features import ATTRITION, MATCH, SESSION, TASKS
from ml.pairs import Students, Tutors, score
from ml.people import active_people
from ml.plan import churn_matrix, plan
from ml.predictions import predict_all, repredict
from ml.promote import Fault
from ml.registry import champion, champion_version, record, settled_champion
from ml.retraining import retrain
from ml.rules import AttritionRules, MatchRules, SessionRules, StudentNoShowRules, rules_for
from ml.session_predictions import predict_sessions
from ml.store import ModelStoreError
from ml.training import train
from ml.training_set import training_set
from ml.tutor_predictions import predict_tutors
from orchestration.definitions import defs as load_definitions
from orchestration.defs.predictions.automation import REASON, stale_predictions
from orchestration.defs.predictions.models import verdicts
from orchestration.partitions import ALL_BUCKETS
from orchestration.resources import Platform
from reports import troubles as found_troubles

RULES = MatchRules()


def as_runs_do(database: Database) -> Database:
    """What is to be tested connects as runs do; what a test prepares, as the owner."""
    return database.as_role(DatabaseRole.TRANSFORM)


def rows(connection: psycopg.Connection, query: str, *values: object) -> list[tuple[object, ...]]:
    return connection.execute(query.encode(), list(values)).fetchall()


ALL = (
    "select student_id, tutor_id, churn_probability, risk_level, compatibility_score, pace_mismatch, style_mismatch, "
    "communication_mismatch, age_mismatch, model_version from marts.match_predictions order by 1, 2"
)


def test_every_pair_has_the_prediction_of_the_model(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    with database.connect(autocommit=True) as connection:
        connection.execute("update raw.students set preferred_pace = null, age = null where age > 16")
        done = predict_all(settings, as_runs_do(database), RULES)
        stored = rows(connection, ALL)
        students, tutors = active_people(connection)
        buckets = rows(connection, "select distinct bucket = ml.student_bucket(student_id) from ml.match_predictions")
        touched = rows(connection, "select count(*) from ml.touched_people")
    assert len(stored) == done.pairs == len(students) * len(tutors) > 500
    assert (buckets, touched) == ([(True,)], [(0,)])

    expected = {}
    for block in score(RULES, students, tutors, block_rows=50):
        for position, probability in enumerate(block.probability):
            student = UUID(bytes=block.students[position // len(tutors)].tobytes())
            tutor = UUID(bytes=block.tutors[position % len(tutors)].tobytes())
            values = [probability, block.compatibility[position], *(v[position] for v in block.mismatches.values())]
            expected[student, tutor] = [None if np.isnan(value) else float(value) for value in values]
    for student, tutor, probability, level, compatible, *others, version in stored:
        found = [None if value is None else float(np.float32(value)) for value in (probability, compatible, *others)]  # type: ignore[arg-type]
        assert found == expected[student, tutor]  # type: ignore[index]
        assert level == ("low" if probability < 0.3 else "medium" if probability < 0.7 else "high")  # type: ignore[operator]
        assert version == "rules-v1"
    assert any(row[5] is None for row in stored)
    assert {row[3] for row in stored} >= {"low", "medium"}


def test_mismatches_are_those_of_the_training_set(marketplace: tuple[Settings, Database]) -> None:
    """The formulas stand in SQL and in NumPy; pairs that met have both."""
    settings, database = marketplace
    predict_all(settings, as_runs_do(database), RULES)
    with database.connect() as connection:
        compared, apart = rows(
            connection,
            """
            select count(*), max(abs(p.pace_mismatch - o.pace_mismatch) + abs(p.style_mismatch - o.style_mismatch)
                + abs(p.communication_mismatch - o.communication_mismatch) + abs(p.age_mismatch - o.age_mismatch)
                + abs(p.compatibility_score - o.compatibility_score))
            from marts.match_predictions as p inner join marts.match_outcomes as o using (student_id, tutor_id)
            """,
        )[0]
    assert int(str(compared)) > 50
    assert float(str(apart)) < 1e-6


def test_one_changed_person_predicts_that_persons_pairs_only(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    predict_all(settings, as_runs_do(database), RULES)
    with database.connect(autocommit=True) as connection:
        before = rows(connection, "select student_id, tutor_id, run_id from ml.match_predictions")
        version = rows(connection, "select version from ml.prediction_version")[0][0]
        (tutor,) = rows(connection, "select tutor_id from marts.match_tutors where is_active order by 1 limit 1")[0]
        connection.execute(
            "update raw.tutors set preferred_pace = case preferred_pace when 1 then 5 else 1 end where tutor_id = %s",
            [tutor],
        )
        assert rows(connection, "select entity, person_id from ml.touched_people") == [("tutor", tutor)]
        done = repredict(settings, as_runs_do(database), RULES, tutors=[tutor])  # type: ignore[list-item]
        after = rows(connection, "select student_id, tutor_id, run_id from ml.match_predictions")
        assert {row[1] for row in set(after) - set(before)} == {tutor}
        assert done.pairs == len(set(after) - set(before)) == sum(row[1] == tutor for row in before)
        assert {row[:2] for row in after} == {row[:2] for row in before}
        assert rows(connection, "select count(*) from ml.touched_people") == [(0,)]
        assert rows(connection, "select version from ml.prediction_version")[0][0] > version  # type: ignore[operator]
        single = rows(connection, ALL)
        predict_all(settings, as_runs_do(database), RULES)
        assert rows(connection, ALL) == single, "as if everybody had been predicted"

        connection.execute("update raw.tutors set is_active = false where tutor_id = %s", [tutor])
        repredict(settings, as_runs_do(database), RULES, tutors=[tutor])  # type: ignore[list-item]
        assert rows(connection, "select count(*) from ml.match_predictions where tutor_id = %s", tutor) == [(0,)]


def test_readers_see_a_bucket_whole_while_it_is_replaced(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    predict_all(settings, as_runs_do(database), RULES)
    with database.connect() as reader:
        count = rows(reader, "select count(*) from ml.match_predictions")
        reader.commit()
        # A reader in the middle of a transaction holds the swap up, and sees what was there when it began.
        reader.execute("set transaction isolation level repeatable read")
        rows(reader, "select 1")
        predict_all(settings, as_runs_do(database), RULES, buckets=[3])
        assert rows(reader, "select count(*) from ml.match_predictions") == count


RUN = """
from core.database import Database, DatabaseRole
from core.settings import Settings
from ml.predictions import predict_all
from ml.rules import MatchRules

settings = Settings()
predict_all(settings, Database(settings).as_role(DatabaseRole.TRANSFORM), MatchRules())
"""


def test_a_run_that_is_killed_leaves_each_bucket_as_it_was_or_as_it_is_to_be(
    marketplace: tuple[Settings, Database],
) -> None:
    settings, database = marketplace
    predict_all(settings, as_runs_do(database), RULES)
    by_run = "select bucket, run_id, count(*) from ml.match_predictions group by 1, 2 order by 1"
    with database.connect(autocommit=True) as watcher:
        before, shown = rows(watcher, by_run), rows(watcher, ALL)
        ((run,),) = rows(watcher, "select run_id from ml.match_runs")
        assert {each[1] for each in before} == {run}
        with database.connect() as reader:
            reader.execute("lock table ml.match_predictions_05 in access share mode")
            process = subprocess.Popen([sys.executable, "-c", RUN], cwd=PROJECT_ROOT)
            waiting = "select count(*) from pg_locks where not granted and locktype = 'relation'"
            deadline = time.monotonic() + 60
            while rows(watcher, waiting) == [(0,)]:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            process.kill()
            process.wait()
        # Postgres notices that nobody listens any more, and rolls back.
        others = """
            select count(*) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
        """
        while rows(watcher, others) != [(0,)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        after = rows(watcher, by_run)
        assert [(bucket, count) for bucket, _, count in after] == [(bucket, count) for bucket, _, count in before]
        assert (5, run) in [each[:2] for each in after]
        assert rows(watcher, ALL) == shown
        predict_all(settings, as_runs_do(database), RULES)
        ((newest,),) = rows(watcher, "select run_id from ml.match_runs")
        assert {each[1] for each in rows(watcher, by_run)} == {newest}
        assert newest > run  # type: ignore[operator]


def test_runs_are_kept_while_a_bucket_may_have_rows_of_them(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    runs = "select run_id, model_version from ml.match_runs order by 1"
    orphans = "select count(*) from ml.match_predictions where run_id not in (select run_id from ml.match_runs)"
    predict_all(settings, as_runs_do(database), RULES)
    with database.connect(autocommit=True) as connection:
        ((first, _),) = rows(connection, runs)
        students = [person for (person,) in rows(connection, "select student_id from raw.students limit 3")]
        for student in students:
            repredict(settings, as_runs_do(database), RULES, students=[student])  # type: ignore[list-item]
        for bucket in range(15):
            predict_all(settings, as_runs_do(database), RULES, buckets=[bucket])
        assert [run for run, _ in rows(connection, runs)] == list(range(first, first + 19))  # type: ignore[call-overload,operator]
        predict_all(settings, as_runs_do(database), RULES, buckets=[15])
        # All are gone that are older than what any bucket was written by.
        assert [run for run, _ in rows(connection, runs)] == list(range(first + 4, first + 20))  # type: ignore[call-overload,operator]
        assert rows(connection, orphans) == [(0,)]


def test_a_person_waits_for_nobody_where_asked_not_to(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    with database.connect() as writer:
        writer.execute("select pg_advisory_xact_lock_shared(%s)", [locks.PAIRS_WRITE])
        (student,) = rows(writer, "select student_id from raw.students limit 1")[0]
        done = repredict(settings, as_runs_do(database), RULES, students=[student], wait=False)  # type: ignore[list-item]
    assert not done.is_done


def test_from_reading_people_to_the_last_bucket_nobody_else_writes_pairs(
    marketplace: tuple[Settings, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a tutor who changes meanwhile is predicted, and the next bucket puts the old tutor back."""
    settings, database = marketplace
    with database.connect() as connection:
        (tutor,) = rows(connection, "select tutor_id from marts.match_tutors where is_active order by 1 limit 1")[0]
    written = []

    def read(connection: psycopg.Connection) -> tuple[Students, Tutors]:
        people = active_people(connection)
        with database.connect(autocommit=True) as other:
            other.execute("update raw.tutors set age = 99 where tutor_id = %s", [tutor])
        written.append(repredict(settings, as_runs_do(database), RULES, tutors=[tutor], wait=False).is_done)  # type: ignore[list-item]
        return people

    monkeypatch.setattr("ml.predictions.active_people", read)
    predict_all(settings, as_runs_do(database), RULES)
    assert written == [False]
    with database.connect() as connection:
        assert rows(connection, "select entity, person_id from ml.touched_people") == [("tutor", tutor)]


def test_other_buckets_may_be_written_by_somebody_else_at_the_same_time(
    marketplace: tuple[Settings, Database],
) -> None:
    settings, database = marketplace
    with database.connect() as elsewhere:
        elsewhere.execute("select pg_advisory_lock(%s, 3)", [locks.PAIRS_BUCKET])
        elsewhere.execute("select pg_advisory_lock_shared(%s)", [locks.PAIRS_WRITE])
        assert predict_all(settings, as_runs_do(database), RULES, buckets=[2, 4]).pairs > 0


def test_a_student_and_a_tutor_of_one_id_are_two_people(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    with database.connect(autocommit=True) as connection:
        (tutor,) = rows(connection, "select tutor_id from raw.tutors limit 1")[0]
        connection.execute("insert into raw.students (student_id, external_id) values (%s, '17')", [tutor])
        predict_all(settings, as_runs_do(database), RULES)
        connection.execute("update raw.students set age = 9 where student_id = %s", [tutor])
        connection.execute("update raw.tutors set age = 40 where tutor_id = %s", [tutor])
        repredict(settings, as_runs_do(database), RULES, students=[tutor])  # type: ignore[list-item]
        assert rows(connection, "select entity from ml.touched_people") == [("tutor",)]


def test_sessions_to_come_are_predicted_once_a_day(marketplace: tuple[Settings, Database]) -> None:
    _, database = marketplace
    by = (SessionRules(), StudentNoShowRules())
    first = predict_sessions(as_runs_do(database), *by)
    assert first > 10
    assert predict_sessions(as_runs_do(database), *by) == 0
    with database.connect(autocommit=True) as connection:
        known = """
            select
                tutor_disruption_probability between 0.01 and 0.9,
                abs(student_no_show_rate - student_no_show_probability) < 1e-6,
                student_risk_level is not null, student_model_version
            from marts.upcoming_sessions
        """
        assert set(rows(connection, known)) == {(True, True, True, "rules-v1")}
        # As a version left it that knew of the tutor's risk only.
        connection.execute("update ml.session_predictions set student_model_version = null")
        assert predict_sessions(as_runs_do(database), *by) == first
        connection.execute("update raw.sessions set status = 'cancelled' where status = 'scheduled'")
        predict_sessions(as_runs_do(database), *by)
        assert rows(connection, "select count(*) from ml.session_predictions") == [(0,)]


def test_sessions_predicted_before_the_roll_over_are_predicted_again_after_it(
    marketplace: tuple[Settings, Database],
) -> None:
    """Between midnight and the roll-over, histories are those of the day before."""
    _, database = marketplace
    by = (SessionRules(), StudentNoShowRules())
    with database.connect(autocommit=True) as connection:
        connection.execute("update intermediate.int_tutors_now set as_of = as_of - 1")
        first = predict_sessions(as_runs_do(database), *by)
        assert first > 10
        assert predict_sessions(as_runs_do(database), *by) == 0
        # The roll-over, a few minutes later: a tutor's history is another one.
        connection.execute("update intermediate.int_tutors_now set as_of = as_of + 1, tutor_reschedule_rate = 0.5")
        assert predict_sessions(as_runs_do(database), *by) == first
        lowest = "select min(tutor_disruption_probability) from ml.session_predictions"
        assert rows(connection, lowest)[0][0] >= 0.5  # type: ignore[operator]


def test_tutors_who_taught_lately_are_predicted_and_what_differs_alone_is_written(
    marketplace: tuple[Settings, Database],
) -> None:
    _, database = marketplace
    by = AttritionRules()
    with database.connect(autocommit=True) as connection:
        done = predict_tutors(as_runs_do(database), by)
        expected = rows(
            connection,
            """
            select
                features.tutor_id,
                1 / (1 + exp(
                    2.94 - 0.08 * greatest(days_since_session - 7, 0) + least(sessions_change, 0)
                )) as chance
            from marts.attrition_features as features
            """,
        )
        stored = dict(rows(connection, "select tutor_id, stop_probability::float8 from marts.tutor_attrition"))
        assert done == len(expected) == len(stored) > 10
        for tutor, chance in expected:
            assert stored[tutor] == pytest.approx(chance, abs=1e-4)
        for factors, days in rows(
            connection, "select factors, days_since_session from marts.tutor_attrition where days_since_session > 9"
        ):
            silence = [each for each in factors if each["feature"] == "days_since_session"]  # type: ignore[attr-defined]
            assert [each["value"] for each in silence] == [days]
            assert silence[0]["effect"] == pytest.approx(0.08 * (days - 7), abs=1e-3)  # type: ignore[operator]

        version = "select version, (select array_agg(xmin::text order by tutor_id) from ml.tutor_predictions) "
        before = rows(connection, version + "from ml.prediction_version")
        assert predict_tutors(as_runs_do(database), by) == done
        assert rows(connection, version + "from ml.prediction_version") == before
        # Who has left is no longer predicted.
        gone = expected[0][0]
        connection.execute("update raw.tutors set is_active = false where tutor_id = %s", [gone])
        assert rows(connection, "select count(*) from marts.tutor_attrition") == [(done - 1,)]
        assert predict_tutors(as_runs_do(database), by) == done - 1
        assert rows(connection, "select count(*) from ml.tutor_predictions where tutor_id = %s", gone) == [(0,)]


def test_a_candidate_is_kept_and_champions_take_turns(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    assert champion(settings, as_runs_do(database), "match").model.version == "rules-v1"
    frame = training_set(as_runs_do(database), MATCH)
    candidate = train(MATCH, frame, seed=1, champion=None, rules=RULES)
    if candidate.model is None:
        pytest.fail(candidate.reason)
    record(settings, as_runs_do(database), replace(candidate, is_promoted=False))
    assert champion(settings, as_runs_do(database), "match").model.version == "rules-v1"
    version = record(settings, as_runs_do(database), replace(candidate, is_promoted=True))
    found = champion(settings, as_runs_do(database), "match").model
    assert found.version == version
    assert champion_version(settings, as_runs_do(database), "match") == version
    (settings.home / "models").rename(settings.home / "moved")
    instead = champion(settings, as_runs_do(database), "match")
    assert instead.model.version == "rules-v1"
    assert str(instead.lost).startswith(f"the model {version} is lost")
    (settings.home / "moved").rename(settings.home / "models")
    assert champion(settings, as_runs_do(database), "match").lost is None
    with database.connect() as connection:
        students, tutors = active_people(connection)
    _, _, churn = churn_matrix(as_runs_do(database), found)
    assert churn.shape == (len(students), len(tutors))


@pytest.mark.parametrize(
    ("faults", "failed"),
    [
        (set(), []),
        ({"too_little"}, []),
        ({"champion"}, []),
        ({"chance"}, ["beats_baseline"]),
        ({"baseline", "calibration", "champion"}, ["beats_baseline", "is_calibrated"]),
    ],
)
def test_the_checks_of_a_candidate_follow_its_faults(faults: set[Fault], failed: list[str]) -> None:
    checks = [*verdicts(dg.AssetKey("model"), frozenset(faults), "said in words")]
    assert [check.check_name for check in checks if not check.passed] == failed
    assert {check.check_name for check in checks} == {"beats_baseline", "is_calibrated"}


def test_an_assignment_from_the_command_line_tells_people_of_one_id_apart(
    marketplace: tuple[Settings, Database],
) -> None:
    settings, database = marketplace
    with database.connect(autocommit=True) as connection:
        (tutor,) = rows(connection, "select tutor_id from marts.match_tutors where is_active order by 1 desc limit 1")[
            0
        ]
        (other,) = rows(connection, "select student_id from marts.match_students where is_active order by 1 limit 1")[0]
        connection.execute("insert into raw.students (student_id, external_id) values (%s, 'same')", [tutor])
        connection.execute("update raw.tutors set capacity = 99")
    request: dict[str, Any] = {
        "students": [], "tutors": [], "forbidden": [], "unknown_capacity": 0, "require_subject": True,
        "exploration_share": 0.0, "seed": 0,
    }  # fmt: skip
    found = plan(settings, as_runs_do(database), **request, fixed=[(tutor, tutor)])
    (fixed,) = [pair for pair in found.pairs if "fixed" in pair.remarks]
    assert fixed.student == "same"
    assert fixed.tutor != "same"
    free = plan(settings, as_runs_do(database), **request, fixed=[])
    assert "same" in {pair.student for pair in free.pairs}, "without a subject every tutor will do"

    with database.connect(autocommit=True) as connection:
        connection.execute("update raw.tutors set is_active = false where tutor_id = %s", [tutor])
    with pytest.raises(TutorqError, match="takes no part"):
        plan(settings, as_runs_do(database), **{**request, "students": [other], "tutors": [tutor]}, fixed=[])


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return load_definitions()


def tick(instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, resources={"platform": Platform()})
    answer = stale_predictions(context)
    assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
    return answer


def test_predictions_are_made_and_kept_up(
    marketplace: tuple[Settings, Database], definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    _, database = marketplace
    answer = tick(instance)
    assert isinstance(answer, dg.RunRequest)
    assert answer.job_name == "predict"

    job = definitions.resolve_job_def("train")
    result = job.execute_in_process(instance=instance, raise_on_error=False, tags=ALL_BUCKETS)
    assert result.success, "whether or not a candidate is good enough"
    made = {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}
    assert made >= {"match_model", "match_metrics", "session_model", "session_metrics"}
    job = definitions.resolve_job_def("predict")
    result = job.execute_in_process(instance=instance, raise_on_error=False, tags=ALL_BUCKETS)
    assert result.success
    assert [check.check_name for check in result.get_asset_check_evaluations() if not check.passed] == []
    assert isinstance(tick(instance), dg.SkipReason)

    with database.connect(autocommit=True) as connection:
        connection.execute(
            "update raw.students set age = 9 where student_id = (select student_id from raw.students limit 1)"
        )
        answer = tick(instance)
        assert isinstance(answer, dg.RunRequest)
        assert (answer.job_name, answer.tags[REASON]) == ("predict_touched", "people changed")
        job = definitions.resolve_job_def("predict_touched")
        assert job.execute_in_process(instance=instance).success
        assert isinstance(tick(instance), dg.SkipReason)

        connection.execute("update ml.prediction_buckets set as_of = as_of - 1 where bucket = 5")
        answer = tick(instance)
        assert isinstance(answer, dg.RunRequest)
        assert answer.job_name == "predict"


@pytest.fixture
def promoted(marketplace: tuple[Settings, Database]) -> dict[str, str]:
    """By kind, the version of a champion that was trained on so few rows that nobody would promote it. Of attrition
    there is nothing in so few months."""
    settings, database = marketplace
    versions = {}
    for task in TASKS.values():
        if task is ATTRITION:
            continue
        candidate = train(task, training_set(as_runs_do(database), task), seed=1, champion=None, rules=rules_for(task))
        version = record(settings, as_runs_do(database), replace(candidate, is_promoted=True))
        assert version, candidate.reason
        versions[task.kind] = version
    return versions


def lost(database: Database) -> set[str]:
    with database.connect() as connection:
        return {str(kind) for (kind,) in rows(connection, "select kind from ml.models where lost_at is not null")}


@pytest.mark.soak
def test_a_lost_model_counts_as_none_until_it_is_back_or_another_is_trained(
    marketplace: tuple[Settings, Database],
    promoted: dict[str, str],
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
) -> None:
    settings, database = marketplace
    predict = definitions.resolve_job_def("predict")

    def predicted_by() -> tuple[dict[str, str], dict[str, str]]:
        """Model, and what is said of a lost one, by table."""
        result = predict.execute_in_process(instance=instance, raise_on_error=False, tags=ALL_BUCKETS)
        assert result.success
        made = {event.asset_key.path[-1]: event.materialization for event in result.get_asset_materialization_events()}
        metadata = {name: made[name].metadata for name in ("match_predictions", "session_predictions")}
        return (
            {name: str(each["model"].value) for name, each in metadata.items()},
            {name: str(each["lost_model"].value) for name, each in metadata.items() if "lost_model" in each},
        )

    def troubles() -> list[str]:
        with as_runs_do(database).connect() as connection:
            return sorted(each.name for each in found_troubles.troubles(connection))

    by_models = {"match_predictions": promoted["match"], "session_predictions": promoted["session"]}
    assert predicted_by() == (by_models, {})
    assert (lost(database), troubles()) == (set(), [])

    (settings.home / "models").rename(settings.home / "moved")
    with database.connect() as connection:
        connection.execute("delete from ml.session_predictions")
    by, said = predicted_by()
    assert by == {"match_predictions": "rules-v1", "session_predictions": "rules-v1"}
    for name, version in by_models.items():
        assert said[name].startswith(f"the model {version} is lost (there is no ")
        assert said[name].endswith("; rules-v1 answers until `tutorq train` makes another one")
    assert lost(database) == {"match", "session", "student_no_show"}
    assert troubles() == ["model_lost:match", "model_lost:session", "model_lost:student_no_show"]
    assert isinstance(tick(instance), dg.SkipReason), "predicted as well as can be"
    found = next(finding for finding in examine() if finding.what == "models")
    assert not found.ok
    assert promoted["match"] in found.found
    assert "tutorq train" in str(found.advice)

    # The folder is back: noticed by the next look.
    (settings.home / "moved").rename(settings.home / "models")
    answer = tick(instance)
    assert isinstance(answer, dg.RunRequest)
    assert answer.job_name == "predict"
    assert predicted_by()[0]["match_predictions"] == promoted["match"]
    assert isinstance(tick(instance), dg.SkipReason)

    # Damaged for good: training makes another, which is compared with the rules alone.
    for path in (settings.home / "models").rglob("certificate.json"):
        path.write_text("{}")
    assert predicted_by()[0]["match_predictions"] == "rules-v1"
    done = retrain(settings, as_runs_do(database), "match", seed=1)
    assert promoted["match"] in str(done.lost)
    assert "champion" not in done.candidate.metrics
    candidate = replace(done.candidate, is_promoted=True)
    assert record(settings, as_runs_do(database), candidate) == promoted["match"], "the same rows give the same model"
    assert lost(database) <= {"session", "student_no_show"}
    assert champion(settings, as_runs_do(database), "match").model.version == promoted["match"]


@pytest.mark.soak
def test_training_takes_a_sample_of_many_rows_and_says_so(marketplace: tuple[Settings, Database]) -> None:
    settings, database = marketplace
    database = as_runs_do(database)
    frame = training_set(database, SESSION)
    few = settings.model_copy(update={"training_rows": 1_000})
    sample = training_set(database, SESSION, share=1_000 / len(frame))
    assert 850 < len(sample) < 1_150 < len(frame)
    again = training_set(database, SESSION, share=1_000 / len(frame))
    assert sorted(sample["session_id"]) == sorted(again["session_id"])
    smaller = training_set(database, SESSION, share=300 / len(frame))
    assert set(smaller["session_id"]) < set(sample["session_id"]) < set(frame["session_id"])
    # Of all times, not the oldest or the newest.
    assert sample["scheduled_time"].mean() == pytest.approx(frame["scheduled_time"].mean(), abs=pd.Timedelta(days=15))
    done = retrain(few, database, "session", seed=1)
    assert done.candidate.parameters["sample"] == {"rows": len(sample), "of": len(frame)}
    assert done.candidate.model is not None
    assert done.candidate.model.birth["labelled_rows"] == len(sample)
    with database.connect() as connection:
        recorded = rows(
            connection, "select parameters -> 'sample' from ml.models where model_version = %s", done.version
        )
    assert recorded == [({"rows": len(sample), "of": len(frame)},)]
    assert "sample" not in retrain(settings, database, "session", seed=1).candidate.parameters


def test_a_store_that_cannot_be_read_is_no_reason_to_predict_by_rules(
    marketplace: tuple[Settings, Database], promoted: dict[str, str], tmp_path: Path
) -> None:
    settings, database = marketplace
    (tmp_path / "file").write_text("")
    elsewhere = settings.model_copy(update={"model_store": str(tmp_path / "file")})
    with pytest.raises(ModelStoreError, match="cannot read"):
        settled_champion(elsewhere, as_runs_do(database), "match")
    assert lost(database) == set()
