"""What keeping the best of each student costs, whether the lists are exact, and what free places do to them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from rich.console import Console

from benchmarks import history
from benchmarks.harness import Report, peak_mebibytes, run_apart, settings_of
from benchmarks.pairs import PREFERENCES, trained_model
from core import dbt_runner
from core.database import Database
from core.settings import Settings
from ml.candidates import UNKNOWN_PLACES, candidates
from ml.features import Integers, Matrix
from ml.model import Model
from ml.pairs import Students, Tutors, score
from ml.people import active_people
from ml.predictions import Predicted, predict_all, repredict
from ml.registry import model_store
from ml.top import BEST, LISTS_PER_PLACE, rank

# Students without sessions, besides those of the made-up past. Tutors teach one or two of 40 subjects, students want
# one or two; a tenth of the capacities is unknown, the others leave up to ten places.
PEOPLE = """
insert into raw.students (student_id, external_id, name)
select md5('further student ' || i)::uuid, 'F-' || i, 'Further student ' || i from generate_series(1, {students}) as i;
update raw.students set subjects = array(
    select distinct 'subject ' || abs(hashtext(student_id::text || n)) % {subjects}
    from generate_series(0, abs(hashtext('n' || student_id)) % 2) as n
);
update raw.tutors set
    capacity = case when abs(hashtext('x' || tutor_id)) % 10 > 0 then abs(hashtext('y' || tutor_id)) % 15 end,
    subjects = array(
        select distinct 'subject ' || abs(hashtext(tutor_id::text || n)) % {subjects}
        from generate_series(0, abs(hashtext('n' || tutor_id)) % 2) as n
    );
"""
# Whom the lists have to be compared with, worked out by Postgres.
FITTING = """
select tutors.tutor_id
from marts.match_tutors as tutors
inner join marts.match_students as students on students.student_id = %s and students.subjects && tutors.subjects
where tutors.is_active and coalesce(tutors.free_capacity, %s) > 0
"""
SIZE = "select sum(pg_total_relation_size(relid)) from pg_partition_tree('ml.match_predictions')"
OF_TUTOR = "select * from marts.match_predictions where tutor_id = '{}'"


@dataclass(frozen=True)
class Size:
    """`sessions` make about (sessions + 60 * per_day) / 20 of the students."""

    tutors: int
    students: int
    sessions: int
    per_day: int
    subjects: int = 40
    sample: int = 200
    heads: int = 2_000
    training_rows: int = 20_000


SMALL = Size(tutors=2_000, students=10_000, sessions=28_000, per_day=200, subjects=10)
FULL = Size(tutors=20_000, students=200_000, sessions=280_000, per_day=2_000)
TINY = replace(SMALL, tutors=150, students=120, sessions=400, per_day=20, subjects=2, sample=20, training_rows=1_000)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Make a marketplace and a model, keep the best pairs, and print the table.

    Raises AssertionError if a list is not exact.
    """
    settings = settings_of(home, database_url=database.url, as_of=history.AS_OF.isoformat())
    settings = settings.model_copy(update={"match_pairs": "top"})
    with database.connect() as connection:
        history.write(connection, sessions=size.sessions, per_day=size.per_day, tutors=size.tutors)
    with database.connect() as connection:
        (known,) = connection.execute("select count(*) from raw.students").fetchone() or (0,)
        further = max(0, size.students - known)
        connection.execute(PEOPLE.format(students=further, subjects=size.subjects).encode())
        connection.execute(PREFERENCES)
    dbt_runner.build(settings, database)
    model = trained_model(size.training_rows)
    address = model_store(settings).save(model)
    done, seconds, mebibytes = run_apart(_predict_all, settings, address)
    report = Report(
        title="top: keep the best tutors of each student",
        ratio="",
        sizes=(
            f"{done.students:,} students, {done.tutors:,} tutors, {done.students * done.tutors:,} possible pairs; "
            f"{model.booster.num_boosted_rounds()} trees over {len(model.features)} features"
        ),
        packages=["xgboost-cpu", "psycopg", "numpy"],
    )
    report.add("seconds, end to end", [seconds], "s", note="in a fresh process: read, score, fill lists, COPY, index")
    report.add("candidates scored", [done.scored], "pairs", note=f"{done.scored / seconds:,.0f} a second")
    report.add("peak memory", [mebibytes], "MiB", note="of the whole process")
    with database.connect(autocommit=True) as connection:
        connection.execute("vacuum analyze ml.match_predictions")
        (on_disk,) = connection.execute(SIZE).fetchone() or (0,)
    all_pairs = done.students * done.tutors * on_disk / done.pairs
    report.add("rows", [done.pairs], "", note=f"all pairs: {done.students * done.tutors:,}")
    report.add("size on disk", [on_disk / 2**20], "MiB", note=f"all pairs at that rate: {all_pairs / 2**30:,.1f} GiB")
    _exactness(report, size, database, model)
    _refresh(report, settings, database, model)
    report.show(console, database)


def _predict_all(settings: Settings, address: str) -> tuple[Predicted, float, float]:
    model = model_store(settings).load(address)
    started = time.perf_counter()
    done = predict_all(settings, Database(settings), model)
    return done, time.perf_counter() - started, peak_mebibytes()


def _exactness(report: Report, size: Size, database: Database, model: Model) -> None:
    with database.connect() as connection:
        students, tutors = active_people(connection)
        among = candidates(connection, students.ids, tutors.ids)
        load = _loads(connection.execute("select tutor_id, count(*) from ml.match_predictions group by 1"), tutors)
        drawn = np.random.default_rng(7).permutation(len(students))
        sample, heads = drawn[: size.sample], drawn[: size.heads]
        ranked = rank(model, students[heads], tutors, among[heads], depth=BEST)
        found, listed, explained, wanted = 0, 0, 0, 0
        for at, student in enumerate(sample.tolist()):
            exact = _exact(connection, model, students, tutors, student)[:10]
            on_list = _list(connection, students, student)
            found += len(set(exact) & set(ranked.tutor[:10, at].tolist()))
            ids = [UUID(bytes=tutors.ids[tutor].tobytes()) for tutor in exact]
            is_on = np.array([each in on_list for each in ids], dtype=np.bool_)
            is_full = load[exact] >= LISTS_PER_PLACE * among.places[exact]
            listed, explained = listed + int(is_on.sum()), explained + int((is_on | is_full).sum())
            wanted += len(exact)
        after = [min(chances, key=lambda each: chances[each]) for chances in
                 (_list(connection, students, student) for student in heads.tolist()) if chances]  # fmt: skip
    note = f"top 10 by rank and by sorting all candidates, of {len(sample):,} students"
    report.add("overlap with the exact top 10", [100 * found / wanted], "%", note=note)
    if found < wanted:
        raise AssertionError(f"{wanted - found} of {wanted} tutors of exact top tens were not found")
    note = f"at most {LISTS_PER_PLACE} lists a free place, unless nothing else is left"
    report.add("of the exact top 10, on the stored list", [100 * listed / wanted], "%", note=note)
    report.add("on it, or at the limit", [100 * explained / wanted], "%", note="why anybody is missing")
    over = load > LISTS_PER_PLACE * np.maximum(among.places, 1)
    note = f"most lists of a tutor: {load.max():,}; {over.mean():.0%} of the tutors are over their limit"
    report.add("lists, of each free place", [load.sum() / max(1, among.places.sum())], "", note=note)
    before = ranked.tutor[0][ranked.tutor[0] >= 0]
    note = f"of {len(heads):,} students; {len(np.unique(before)):,} tutors head a list"
    report.add("headed by the busiest, before", [100 * np.bincount(before).max() / len(before)], "%", note=note)
    counts = np.unique([each.bytes for each in after], return_counts=True)[1]
    note = f"{len(counts):,} tutors head a list"
    report.add("headed by the busiest, after", [100 * counts.max() / len(after)], "%", note=note)


def _exact(connection: Any, model: Model, students: Students, tutors: Tutors, student: int) -> list[int]:
    """Everybody who fits, from the lowest risk on, by scoring the student alone with all tutors."""
    key = UUID(bytes=students.ids[student].tobytes())
    fitting = {tutor.bytes for (tutor,) in connection.execute(FITTING, [key, UNKNOWN_PLACES])}
    risk: Matrix = np.concatenate([block.probability for block in score(model, students[[student]], tutors)])  # type: ignore[index]
    order = np.lexsort((np.arange(len(tutors)), risk))
    return [tutor for tutor in order.tolist() if tutors.ids[tutor].tobytes() in fitting]


def _list(connection: Any, students: Students, student: int) -> dict[UUID, float]:
    key = UUID(bytes=students.ids[student].tobytes())
    query = (
        "select tutor_id, churn_probability from ml.match_predictions "
        "where bucket = ml.student_bucket(%s) and student_id = %s order by 2, 1"
    )
    return dict(connection.execute(query, [key, key]).fetchall())


def _loads(found: Sequence[tuple[UUID, int]] | Any, tutors: Tutors) -> Integers:
    lists = {tutor.bytes: count for tutor, count in found}
    return np.array([lists.get(row.tobytes(), 0) for row in tutors.ids], dtype=np.int64)


def _refresh(report: Report, settings: Settings, database: Database, model: Model) -> None:
    with database.connect() as connection:
        (student, tutor) = connection.execute(
            "select student_id, tutor_id from ml.match_predictions limit 1"
        ).fetchone() or (None, None)
        plan = "\n".join(line for (line,) in connection.execute(f"explain {OF_TUTOR.format(tutor)}".encode()))
        started = time.perf_counter()
        matches = connection.execute(OF_TUTOR.format(tutor).encode()).rowcount
        took = time.perf_counter() - started
    how = "a scan" if "Seq Scan on match_predictions" in plan else "an index"
    report.add("a tutor's matches", [took * 1_000], "ms", note=f"{matches:,} rows by {how}")
    for what, students, tutors in (("student", [student], []), ("tutor", [], [tutor])):
        started = time.perf_counter()
        done = repredict(settings, database, model, students=students, tutors=tutors)
        note = f"repredict: {done.pairs:,} pairs"
        report.add(f"one changed {what}", [time.perf_counter() - started], "s", note=note)
