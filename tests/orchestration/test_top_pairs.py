"""`top` mode in the database: exact lists, partial refreshes, a change of mode, and a run that is killed."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any
from uuid import UUID

import dagster as dg
import psycopg
import pytest

from cli.doctor.examine import examine
from core import locks
from core.database import Database, DatabaseRole
from core.settings import Settings
from ml import kept
from ml.features import MATCH
from ml.model import Model
from ml.plan import plan
from ml.predictions import predict_all, predict_booked, repredict, repredict_touched
from ml.rules import MatchRules, rules_for
from ml.top import BEST, LISTS_PER_PLACE
from ml.training import train
from orchestration.definitions import defs as load_definitions
from orchestration.defs.predictions.automation import REASON, stale_predictions
from orchestration.partitions import ALL_BUCKETS
from orchestration.resources import Platform
from tests.ml.conftest import made_up_matches

RULES = MatchRules()
NEW_TUTORS = 240

# With the 20 of the marketplace, more tutors of each subject than a list holds.
MORE_TUTORS = f"""
insert into raw.tutors (
    tutor_id, external_id, name, subjects, capacity, age, experience_years, teaching_style, preferred_pace,
    communication_style
)
select
    md5('more ' || i)::uuid,
    'M-' || i,
    'Tutor ' || i,
    case when i % 40 = 0 then '{{}}' else subjects.taught end,
    1000,
    22 + i % 40,
    i % 20,
    ('{{structured,flexible,interactive}}'::text[])[1 + i % 3],
    1 + i % 5,
    1 + i / 5 % 5
from generate_series(1, {NEW_TUTORS}) as i
inner join (
    select array[subject] as taught, row_number() over (order by subject) - 1 as n, count(*) over () as names
    from (select distinct unnest(subjects) as subject from raw.students) as all_of_them
) as subjects on subjects.n = i % subjects.names;
update raw.tutors set capacity = 1000;
"""

ROWS = """
select
    student_id, tutor_id, churn_probability, risk_level, compatibility_score, pace_mismatch, style_mismatch,
    communication_mismatch, age_mismatch, model_version
from marts.match_predictions
order by student_id, tutor_id
"""
BOOKED = """
select distinct planned.student_id, planned.tutor_id
from marts.upcoming_sessions as planned
inner join marts.match_students as students on planned.student_id = students.student_id and students.is_active
inner join marts.match_tutors as tutors on planned.tutor_id = tutors.tutor_id and tutors.is_active
where planned.is_first_meeting
"""
POSSIBLE = """
select
    (select count(*) from marts.match_students where is_active)
    * (select count(*) from marts.match_tutors where is_active)
"""
# From what `all` has stored: sorted whole, in SQL.
EXACT = f"""
select student_id, tutor_id
from (
    select
        everything.student_id,
        everything.tutor_id,
        row_number() over (
            partition by everything.student_id order by everything.churn_probability, everything.tutor_id
        ) as place
    from everything
    inner join marts.match_students as students on everything.student_id = students.student_id
    inner join marts.match_tutors as tutors on everything.tutor_id = tutors.tutor_id
    where
        (students.subjects && tutors.subjects or students.subjects = '{{}}' or tutors.subjects = '{{}}')
        and coalesce(tutors.free_capacity, 1) > 0
) as placed
where place <= {BEST}
union
{BOOKED}
"""


@pytest.fixture
def crowded(marketplace: tuple[Settings, Database]) -> tuple[Settings, Database]:
    """The marketplace in `top` mode, with many tutors who all have places."""
    settings, database = marketplace
    with database.connect() as connection:
        connection.execute(MORE_TUTORS.encode())
    return settings.model_copy(update={"match_pairs": "top"}), database


@pytest.fixture(scope="module")
def trained() -> Model:
    candidate = train(MATCH, made_up_matches(4_000), seed=1, champion=None, rules=rules_for(MATCH))
    assert candidate.model is not None, candidate.reason
    return candidate.model


def as_runs_do(database: Database) -> Database:
    return database.as_role(DatabaseRole.TRANSFORM)


def rows(connection: psycopg.Connection[Any], query: str, *values: object) -> list[Any]:
    return connection.execute(query.encode(), list(values) or None).fetchall()


def stored(database: Database) -> dict[tuple[UUID, UUID], tuple[Any, ...]]:
    with database.connect() as connection:
        return {(row[0], row[1]): row[2:] for row in rows(connection, ROWS)}


def everything(settings: Settings, database: Database, model: Model) -> dict[tuple[UUID, UUID], tuple[Any, ...]]:
    """What `all` stores, which is also put into the table `everything`."""
    predict_all(settings.model_copy(update={"match_pairs": "all"}), as_runs_do(database), model)
    with database.connect() as connection:
        connection.execute("drop table if exists everything")
        connection.execute("create table everything as select * from ml.match_predictions")
    return stored(database)


def of(database: Database, students: set[UUID]) -> set[tuple[UUID, UUID]]:
    return {pair for pair in stored(database) if pair[0] in students}


def test_lists_are_the_exact_best_with_the_bits_of_all_pairs(
    crowded: tuple[Settings, Database], trained: Model
) -> None:
    settings, database = crowded
    whole = everything(settings, database, trained)
    done = predict_all(settings, as_runs_do(database), trained)
    found = stored(database)
    with database.connect() as connection:
        expected = {(row[0], row[1]) for row in rows(connection, EXACT)}
        booked = rows(connection, BOOKED)
        most = rows(connection, "select max(n) from (select count(*) n from ml.match_predictions group by student_id)")
    assert found.keys() == expected
    assert found == {pair: whole[pair] for pair in expected}, "to the last bit"
    assert done.pairs == len(found)
    assert (done.kept, done.students) == ("top", 60)
    assert BEST <= most[0][0] <= BEST + len(booked)
    assert len(found) < done.scored < len(whole)


def test_the_same_rows_whichever_buckets_are_written(crowded: tuple[Settings, Database]) -> None:
    settings, database = crowded
    with database.connect() as connection:
        connection.execute("update raw.tutors set capacity = 2")
    predict_all(settings, as_runs_do(database), RULES)
    at_once = stored(database)
    with database.connect() as connection:
        connection.execute("delete from ml.match_predictions where bucket in (2, 9, 11)")
    for bucket in (9, 2, 11):
        predict_all(settings, as_runs_do(database), RULES, buckets=[bucket])
    assert stored(database) == at_once


def test_no_tutor_is_on_more_lists_than_free_places_allow(crowded: tuple[Settings, Database]) -> None:
    settings, database = crowded
    predict_all(settings, as_runs_do(database), RULES)
    loads = "select tutor_id, count(*) from ml.match_predictions group by tutor_id"
    with database.connect() as connection:
        before = dict(rows(connection, loads))
        busiest = max(before, key=lambda tutor: before[tutor])
        assert before[busiest] > 25
        connection.execute(
            "update raw.tutors set capacity = 1 + (select active_students from marts.match_tutors where tutor_id = %s) "
            "where tutor_id = %s",
            [busiest, busiest],
        )
    predict_all(settings, as_runs_do(database), RULES)
    with database.connect() as connection:
        after = dict(rows(connection, loads))
        students = rows(connection, "select count(distinct student_id) from ml.match_predictions")
        booked = {pair for pair in rows(connection, BOOKED) if pair[1] == busiest}
    assert LISTS_PER_PLACE <= after[busiest] <= LISTS_PER_PLACE + len(booked)
    assert sum(after.values()) == pytest.approx(sum(before.values()), abs=5), "others are on the lists instead"
    assert students == [(60,)]


CHANGES = {
    "a student wants something else": (
        "update raw.students set preferred_pace = 5, age = 30 where student_id = {student}", "student"
    ),
    "a student of another subject": (
        "update raw.students set subjects = (select subjects from raw.tutors where external_id = 'M-7') "
        "where student_id = {student}", "student"
    ),
    "a tutor who becomes better for some": (
        "update raw.tutors set preferred_pace = 3, communication_style = 3, teaching_style = 'flexible' "
        "where tutor_id = {tutor}", "tutor"
    ),
    "a tutor who becomes worse": (
        "update raw.tutors set preferred_pace = 5, communication_style = 1, age = 90 where tutor_id = {tutor}", "tutor"
    ),
    "a tutor who leaves": ("update raw.tutors set is_active = false where tutor_id = {tutor}", "tutor"),
    "a tutor who is full": ("update raw.tutors set capacity = 0 where tutor_id = {tutor}", "tutor"),
    "a tutor of every subject": ("update raw.tutors set subjects = '{{}}' where tutor_id = {tutor}", "tutor"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_refresh_of_one_person_is_what_predicting_everybody_gives(
    crowded: tuple[Settings, Database], change: str
) -> None:
    settings, database = crowded
    statement, kind = CHANGES[change]
    predict_all(settings, as_runs_do(database), RULES)
    before = stored(database)
    with database.connect(autocommit=True) as connection:
        people = {
            "student": rows(connection, "select student_id from ml.match_predictions order by 1 limit 1")[0][0],
            "tutor": rows(
                connection,
                "select tutor_id from ml.match_predictions inner join raw.tutors using (tutor_id) "
                "where subjects <> '{}' group by 1 order by count(*) "
                + ("" if change == "a tutor of every subject" else "desc")
                + ", 1 limit 1",
            )[0][0],
        }
        connection.execute(statement.format(**{name: f"'{each}'" for name, each in people.items()}).encode())
        assert rows(connection, "select entity, person_id from ml.touched_people") == [(kind, people[kind])]
        done = repredict_touched(settings, as_runs_do(database), RULES)
        refreshed = stored(database)
        predict_all(settings, as_runs_do(database), RULES)
    assert refreshed == stored(database)
    assert refreshed != before
    assert done.kept == "top"
    if kind == "student":
        assert {pair[0] for pair, _ in before.items() ^ refreshed.items()} == {people["student"]}


def test_a_subject_whose_tutors_become_full_and_free_again(crowded: tuple[Settings, Database]) -> None:
    settings, database = crowded
    with database.connect(autocommit=True) as connection:
        connection.execute("update raw.tutors set subjects = '{chess}' where external_id in ('M-1', 'M-2', 'M-3')")
        connection.execute("update raw.tutors set subjects = '{latin}' where subjects = '{}'")
        connection.execute(
            "update raw.students set subjects = '{chess}' where student_id in "
            "(select student_id from marts.match_students where is_active order by 1 limit 9)"
        )
        predict_all(settings, as_runs_do(database), RULES)
        # The others of chess have none: where all are full, all are shown.
        steps = [({"M-1": 0}, 2), ({"M-2": 0, "M-3": 0}, 3), ({"M-2": 5}, 1), ({"M-1": 4, "M-3": 9}, 3)]
        for capacities, expected in steps:
            for name, capacity in capacities.items():
                connection.execute("update raw.tutors set capacity = %s where external_id = %s", [capacity, name])
            repredict_touched(settings, as_runs_do(database), RULES)
            refreshed = stored(database)
            predict_all(settings, as_runs_do(database), RULES)
            assert refreshed == stored(database)
            found = rows(
                connection,
                "select count(distinct predictions.tutor_id), count(distinct predictions.student_id) "
                "from ml.match_predictions as predictions inner join raw.students using (student_id) "
                "inner join raw.tutors on predictions.tutor_id = tutors.tutor_id "
                "where students.subjects = '{chess}' and tutors.subjects = '{chess}'",
            )
            assert found == [(expected, 9)]


def test_at_the_limit_a_refresh_keeps_to_it_and_the_nightly_run_evens_out(
    crowded: tuple[Settings, Database],
) -> None:
    settings, database = crowded
    with database.connect(autocommit=True) as connection:
        connection.execute("update raw.tutors set capacity = 6")
        predict_all(settings, as_runs_do(database), RULES)
        pairs = rows(connection, "select count(*) from ml.match_predictions")
        (tutor,) = rows(connection, "select tutor_id from raw.tutors where external_id = 'M-4'")[0]
        connection.execute(
            "update raw.tutors set preferred_pace = 3, communication_style = 3, subjects = '{}' where tutor_id = %s",
            [tutor],
        )
        repredict(settings, as_runs_do(database), RULES, tutors=[tutor])
        assert rows(connection, "select count(*) from ml.match_predictions") == pairs, "as long as before"
        [(lists,)] = rows(connection, "select count(*) from ml.match_predictions where tutor_id = %s", tutor)
        predict_all(settings, as_runs_do(database), RULES)
        [(evened,)] = rows(connection, "select count(*) from ml.match_predictions where tutor_id = %s", tutor)
    assert 0 < lists <= LISTS_PER_PLACE * 6
    assert 0 < evened <= LISTS_PER_PLACE * 6


@pytest.mark.soak
def test_a_change_of_mode_leaves_nothing_of_the_other(
    crowded: tuple[Settings, Database], instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, database = crowded
    predict = load_definitions().resolve_job_def("predict")

    def run() -> dict[str, Any]:
        result = predict.execute_in_process(instance=instance, raise_on_error=False, tags=ALL_BUCKETS)
        assert result.success
        assert [check.check_name for check in result.get_asset_check_evaluations() if not check.passed] == []
        made = {event.asset_key.path[-1]: event.materialization for event in result.get_asset_materialization_events()}
        return {name: each.value for name, each in made["match_predictions"].metadata.items()}

    def asked() -> str | None:
        answer = stale_predictions(
            dg.build_sensor_context(instance=instance, resources={"platform": Platform(settings=Settings())})
        )
        return answer.tags[REASON] if isinstance(answer, dg.RunRequest) else None

    def said() -> str:
        return next(finding.found for finding in examine() if finding.what == "stored pairs")

    monkeypatch.setenv("TUTORQ_MATCH_PAIRS", "")
    with database.connect() as connection:
        [(possible,)] = rows(connection, POSSIBLE)
    assert run()["kept"] == "all"
    assert len(stored(database)) == possible
    assert asked() is None
    assert said().startswith(f"all: {possible:,} of {possible:,}")

    monkeypatch.setenv("TUTORQ_MATCH_PAIRS", "top")
    assert asked() == "other pairs are to be kept"
    made = run()
    assert made["kept"] == "top"
    top = stored(database)
    assert len(top) == made["dagster/row_count"] <= 60 * BEST + 60
    assert made["scored"] < possible
    assert asked() is None
    assert said().startswith("top: ")

    # Without a setting, so many pairs decide.
    monkeypatch.setenv("TUTORQ_MATCH_PAIRS", "")
    assert asked() == "other pairs are to be kept"
    monkeypatch.setattr(kept, "MOST_OF_ALL", possible - 1)
    assert asked() is None
    assert run()["kept"] == "top"
    monkeypatch.setattr(kept, "MOST_OF_ALL", possible)
    assert asked() == "other pairs are to be kept"
    assert run()["kept"] == "all"
    assert len(stored(database)) == possible


def test_a_run_that_is_killed_changes_nothing_and_is_made_up_for(
    crowded: tuple[Settings, Database], instance: dg.DagsterInstance
) -> None:
    settings, database = crowded
    whole = everything(settings, database, RULES)
    process = get_context("spawn").Process(target=killed_in_the_middle, args=(settings,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert stored(database) == whole
    with database.connect(autocommit=True) as connection:
        assert rows(connection, "select distinct kept from ml.prediction_buckets") == [("all",)]
        assert len(rows(connection, "select from ml.prediction_parts")) >= 3
        # Somebody might still publish what was made of the people before: who changes stays noted.
        (student,) = rows(connection, "select student_id from marts.match_students where is_active limit 1")[0]
        connection.execute("update raw.students set age = 19 where student_id = %s", [student])
        assert repredict(settings, as_runs_do(database), RULES, students=[student]).is_done
        assert rows(connection, "select person_id from ml.touched_people") == [(student,)]

        def asked() -> object:
            return stale_predictions(dg.build_sensor_context(instance=instance, resources={"platform": Platform()}))

        # While somebody makes parts, nothing was interrupted.
        with database.connect() as maker:
            maker.execute("select pg_advisory_lock(%s, 3)", [locks.PAIRS_BUCKET])
            assert isinstance(asked(), dg.SkipReason)
        answer = asked()
        assert isinstance(answer, dg.RunRequest)
        assert (answer.job_name, answer.tags[REASON]) == ("predict", "a prediction was interrupted")
        predict_all(settings, as_runs_do(database), RULES)
        assert rows(connection, "select distinct kept from ml.prediction_buckets") == [("top",)]
        assert rows(connection, "select count(*) from ml.touched_people") == [(0,)]


@pytest.mark.soak
def test_where_buckets_keep_different_pairs_single_people_wait(crowded: tuple[Settings, Database]) -> None:
    settings, database = crowded
    everything(settings, database, RULES)
    predict_all(settings, as_runs_do(database), RULES, buckets=[1, 2, 3])
    with database.connect(autocommit=True) as connection:
        assert rows(connection, "select distinct kept from ml.prediction_buckets order by 1") == [("all",), ("top",)]
        (student,) = rows(connection, "select student_id from marts.match_students where is_active limit 1")[0]
        connection.execute("update raw.students set age = 19 where student_id = %s", [student])
        assert not repredict(settings, as_runs_do(database), RULES, students=[student]).is_done
        finding = next(finding for finding in examine() if finding.what == "stored pairs")
        assert (finding.ok, finding.found.partition(":")[0]) == (False, "all and top")
        repredict_touched(settings, as_runs_do(database), RULES)
        assert rows(connection, "select distinct kept from ml.prediction_buckets") == [("top",)]
        assert rows(connection, "select count(*) from ml.touched_people") == [(0,)]


def killed_in_the_middle(settings: Settings) -> None:
    """Killed after the third bucket, when others are still to be written."""
    reports = 0

    def watch(done: int, total: int) -> None:
        nonlocal reports
        # Of what has been scored, every report has more than a bucket; of what has been written, it starts again at 0.
        reports = 1 if done == 0 else reports + 1 if reports else 0
        if reports > 3:
            os.kill(os.getpid(), signal.SIGKILL)

    predict_all(settings, as_runs_do(Database(settings)), RULES, on_progress=watch)


def book(connection: psycopg.Connection[Any], student: UUID, tutor: UUID) -> None:
    connection.execute(
        """
        insert into raw.sessions (session_id, student_id, tutor_id, scheduled_time, status, booked_at, updated_at)
        select gen_random_uuid(), %s, %s, max(scheduled_time), 'scheduled', now(), now()
        from raw.sessions where status = 'scheduled'
        """,
        [student, tutor],
    )


def test_a_booked_first_meeting_is_predicted_though_on_no_list(crowded: tuple[Settings, Database]) -> None:
    settings, database = crowded
    whole = everything(settings, database, RULES)
    predict_all(settings, as_runs_do(database), RULES)
    with database.connect(autocommit=True) as connection:
        found = stored(database)
        met = set(rows(connection, "select student_id, tutor_id from raw.sessions"))
        student, tutor = sorted(whole.keys() - found.keys() - met)[0]
        assert predict_booked(settings, as_runs_do(database), RULES) == 0
        book(connection, student, tutor)
        assert predict_booked(settings, as_runs_do(database), RULES) == 1
        assert stored(database) == {**found, (student, tutor): whole[student, tutor]}
        # It stays where the student's list is made anew, and where everybody's is.
        repredict(settings, as_runs_do(database), RULES, students=[student])
        assert stored(database)[student, tutor] == whole[student, tutor]
        predict_all(settings, as_runs_do(database), RULES)
        assert stored(database)[student, tutor] == whole[student, tutor]


def test_booked_first_meetings_are_left_to_who_changes_the_mode_meanwhile(
    crowded: tuple[Settings, Database],
) -> None:
    settings, database = crowded
    whole = everything(settings, database, RULES)
    predict_all(settings, as_runs_do(database), RULES)
    with ThreadPoolExecutor(1) as pool, database.connect(autocommit=True) as other:
        met = set(rows(other, "select student_id, tutor_id from raw.sessions"))
        book(other, *sorted(whole.keys() - stored(database).keys() - met)[0])
        other.execute("select pg_advisory_lock_shared(%s)", [locks.PAIRS_WRITE])
        waits = pool.submit(predict_booked, settings, as_runs_do(database), RULES)
        asked = (
            "select from pg_locks inner join pg_database on pg_locks.database = pg_database.oid "
            "where datname = current_database() and locktype = 'advisory' and not granted and objid = %s"
        )
        while not waits.done() and not rows(other, asked, locks.PAIRS_WRITE):
            time.sleep(0.01)
        other.execute("update ml.prediction_buckets set kept = 'all'")
        other.execute("select pg_advisory_unlock_shared(%s)", [locks.PAIRS_WRITE])
        assert waits.result(timeout=60) == 0


def test_an_assignment_is_the_same_in_both_modes(crowded: tuple[Settings, Database]) -> None:
    settings, database = crowded
    request: dict[str, Any] = {
        "students": [], "tutors": [], "fixed": [], "forbidden": [], "unknown_capacity": 0, "require_subject": False,
        "exploration_share": 0.0, "seed": 0,
    }  # fmt: skip
    with database.connect() as connection:
        connection.execute("update raw.tutors set capacity = 1")
    whole = everything(settings, database, RULES)
    from_all = plan(settings, as_runs_do(database), **request)
    predict_all(settings, as_runs_do(database), RULES)
    from_top = plan(settings, as_runs_do(database), **request)
    assert from_top == from_all
    assert len(from_top.pairs) == 60
    assert len(stored(database)) < len(whole)
