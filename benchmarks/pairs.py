"""How fast are all pairs predicted and stored? Against the way of before, the obvious way, and XGBoost and COPY."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from psycopg import sql
from rich.console import Console

from benchmarks import history, pairs_twin
from benchmarks.harness import Report, alternate, peak_mebibytes, ratios, run_apart, settings_of
from core import dbt_runner
from core.database import Database
from core.settings import Settings
from ml.copy_rows import COLUMNS, HEADER, TRAILER, RowEncoder
from ml.features import MATCH, feature_matrix
from ml.model import BoostedModel
from ml.pairs import OF_STUDENT, OF_TUTOR, Students, Tutors, score
from ml.people import active_people
from ml.predictions import predict_all, repredict
from ml.registry import model_store
from ml.rules import rules_for
from ml.training import Candidate, train

PREFERENCES = """
update raw.students set
    is_stub = false, age = 8 + abs(hashtext(student_id::text)) % 12,
    preferred_pace = 1 + abs(hashtext('p' || student_id)) % 5,
    communication_style = 1 + abs(hashtext('c' || student_id)) % 5,
    urgency_level = 1 + abs(hashtext('u' || student_id)) % 5,
    preferred_teaching_style = ('{structured,flexible,interactive}'::text[])[1 + abs(hashtext('s' || student_id)) % 3];
update raw.tutors set
    is_stub = false, age = 22 + abs(hashtext(tutor_id::text)) % 40,
    experience_years = abs(hashtext('e' || tutor_id)) % 20,
    preferred_pace = 1 + abs(hashtext('p' || tutor_id)) % 5,
    communication_style = 1 + abs(hashtext('c' || tutor_id)) % 5,
    teaching_style = ('{structured,flexible,interactive}'::text[])[1 + abs(hashtext('s' || tutor_id)) % 3];
"""


@dataclass(frozen=True)
class Size:
    """`sessions` make about (sessions + 60 * per_day) / 20 students."""

    tutors: int
    sessions: int
    per_day: int
    obvious_students: int = 20
    rounds: int = 3
    training_rows: int = 20_000
    has_peers: bool = True


SMALL = Size(tutors=1_000, sessions=14_000, per_day=100)
FULL = Size(tutors=5_000, sessions=70_000, per_day=500, rounds=1, has_peers=False)
TINY = replace(SMALL, tutors=20, sessions=400, per_day=20, obvious_students=2, rounds=1, training_rows=1_000)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Make a marketplace and a model, measure, and print the table."""
    settings = settings_of(home, database_url=database.url, as_of=history.AS_OF.isoformat())
    with database.connect() as connection:
        history.write(connection, sessions=size.sessions, per_day=size.per_day, tutors=size.tutors)
    with database.connect() as connection:
        connection.execute(PREFERENCES)
    dbt_runner.build(settings, database)
    model = trained_model(size.training_rows)
    address = model_store(settings).save(model)
    with database.connect() as connection:
        students, tutors = active_people(connection)
    pairs = len(students) * len(tutors)
    report = Report(
        title="pairs: predict every student with every tutor, and store it",
        ratio="ours ÷ theirs",
        sizes=(
            f"{len(students):,} students, {len(tutors):,} tutors, {pairs:,} pairs; "
            f"{model.booster.num_boosted_rounds()} trees over {len(model.features)} features"
        ),
        packages=["xgboost-cpu", "pandas", "psycopg", "numpy"],
    )
    contestants = {
        "tutorq": lambda: _ours(settings, address, pairs),
        "one student": lambda: _one(settings, database, model, students, tutors),
    }
    if size.has_peers:
        contestants["before"] = lambda: _before(settings, address, pairs)
        prepared = _Prepared(model, students, tutors, database)
        contestants["bare"] = prepared.measure
        contestants["obvious"] = lambda: _obvious(model, students, tutors, size.obvious_students, database)
    figures = alternate(contestants, size.rounds)
    ours = figures["tutorq"]
    report.add("tutorq, end to end", ours, "pairs/s", note="in a fresh process: read, predict, COPY, index, swap")
    report.add("tutorq, seconds", figures["tutorq seconds"], "s")
    report.add(
        "tutorq, bytes a pair", [_bytes(database, "^match_predictions_[0-9]+") / pairs], "B", note="with indexes"
    )
    report.add("tutorq, peak memory", figures["tutorq MiB"], "MiB", note="of the whole process, XGBoost and all")
    if size.has_peers:
        note = "XGBoost asked about each pair, and all that readers are shown stored in its row"
        report.add("the way of before", figures["before"], "pairs/s", ratios(ours, figures["before"]), note)
        report.add("before, bytes a pair", [_bytes(database, "^twin_[0-9]+") / pairs], "B")
        note = f"pandas cross join, predict_proba, to_sql; {size.obvious_students:,} students with all tutors"
        report.add("the obvious way", figures["obvious"], "pairs/s", ratios(ours, figures["obvious"]), note)
        note = "inplace_predict on a finished matrix, COPY of finished rows, no keys"
        report.add("XGBoost and COPY", figures["bare"], "pairs/s", ratios(ours, figures["bare"]), note)
        note = "the same, and key and index that readers need"
        report.add(
            "with key and index", figures["bare indexed"], "pairs/s", ratios(ours, figures["bare indexed"]), note
        )
    report.add("one changed student", figures["student seconds"], "s", note="repredict: all pairs, in one transaction")
    report.add("one changed tutor", figures["tutor seconds"], "s")
    report.show(console, database)


def trained_model(rows: int) -> BoostedModel:
    """Trees as training makes them, on made-up pairs."""
    model = trained(rows).model
    assert model is not None
    return model


def trained(rows: int) -> Candidate:
    """The same as training hands it over."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({name: rng.random(rows) * 4 for name in MATCH.names})
    burden = frame["pace_mismatch"] + frame["style_mismatch"] * frame["student_urgency"] / 3 - frame["tutor_rating"]
    frame["churned"] = rng.random(rows) < 1 / (1 + np.exp(2 - burden))
    frame["first_session_at"] = pd.date_range("2025-01-01", periods=rows, freq="h", tz="UTC")
    frame["student_id"], frame["tutor_id"], frame["subject"] = np.arange(rows).astype(str), "t", "maths"
    return train(MATCH, frame, seed=7, champion=None, rules=rules_for(MATCH))


def _ours(settings: Settings, address: str, pairs: int) -> Mapping[str, float]:
    seconds, mebibytes = run_apart(_predict_all, settings, address)
    return {"tutorq": pairs / seconds, "tutorq seconds": seconds, "tutorq MiB": mebibytes}


def _predict_all(settings: Settings, address: str) -> tuple[float, float]:
    model = model_store(settings).load(address)
    started = time.perf_counter()
    predict_all(settings, Database(settings), model)
    return time.perf_counter() - started, peak_mebibytes()


def _before(settings: Settings, address: str, pairs: int) -> Mapping[str, float]:
    return {"before": pairs / run_apart(_predict_as_before, settings, address)}


def _predict_as_before(settings: Settings, address: str) -> float:
    model = model_store(settings).load(address)
    assert isinstance(model, BoostedModel)
    return pairs_twin.predict_all(Database(settings), model)


def _bytes(database: Database, pattern: str) -> int:
    """On disk, of tables whose names match, with their indexes."""
    with database.connect() as connection:
        row = connection.execute(
            "select sum(pg_total_relation_size(oid)) from pg_class where relkind = 'r' and relname ~ %s", [pattern]
        ).fetchone()
    assert row is not None
    return int(row[0])


def _one(
    settings: Settings, database: Database, model: BoostedModel, students: Students, tutors: Tutors
) -> Mapping[str, float]:
    from uuid import UUID

    started = time.perf_counter()
    repredict(settings, database, model, students=[UUID(bytes=students.ids[0].tobytes())])
    between = time.perf_counter()
    repredict(settings, database, model, tutors=[UUID(bytes=tutors.ids[0].tobytes())])
    return {"student seconds": between - started, "tutor seconds": time.perf_counter() - between}


class _Prepared:
    """Features and rows that are made beforehand, so that only XGBoost's and Postgres' own work is measured."""

    def __init__(self, model: BoostedModel, students: Students, tutors: Tutors, database: Database) -> None:
        self._model, self._database = model, database
        self._rows = len(students) * len(tutors)
        encoder = RowEncoder(1)
        self._encoded = [encoder.encode(block) for block in score(model, students, tutors)]
        rng = np.random.default_rng(7)
        self._matrix = rng.random((self._rows, len(model.features)), dtype=np.float32) * 4

    def measure(self) -> Mapping[str, float]:
        copy = sql.SQL("copy bare ({}) from stdin (format binary)").format(
            sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        )
        with self._database.connect() as connection:
            connection.execute("drop table if exists bare")
            connection.execute("create table bare (like ml.match_predictions)")
            connection.commit()
            started = time.perf_counter()
            self._model.booster.inplace_predict(self._matrix)
            with connection.cursor().copy(copy) as rows:
                rows.write(HEADER)
                for block in self._encoded:
                    rows.write(block)
                rows.write(TRAILER)
            connection.commit()
            copied = time.perf_counter()
            connection.execute("alter table bare add primary key (student_id, tutor_id, bucket)")
            connection.execute("create index on bare (tutor_id)")
            connection.commit()
            indexed = time.perf_counter()
        return {"bare": self._rows / (copied - started), "bare indexed": self._rows / (indexed - started)}


def _obvious(
    model: BoostedModel, students: Students, tutors: Tutors, count: int, database: Database
) -> Mapping[str, float]:
    """As one would write it on a first day: frames of people, a cross join, a classifier, to_sql."""
    from xgboost import XGBClassifier

    classifier = XGBClassifier()
    classifier._Booster = model.booster
    classifier.n_classes_ = 2
    started = time.perf_counter()
    some, all_of_them = _frame(students[:count]), _frame(tutors)
    frame = some.merge(all_of_them, how="cross", suffixes=("_student", "_tutor"))
    frame["pace_mismatch"] = (frame["pace_student"] - frame["pace_tutor"]).abs()
    same, flexible = frame["style_student"] == frame["style_tutor"], 1.0
    either = (frame["style_student"] == flexible) | (frame["style_tutor"] == flexible)
    frame["style_mismatch"] = np.where(same, 0.0, np.where(either, 0.5, 1.0))
    frame["communication_mismatch"] = (frame["communication_student"] - frame["communication_tutor"]).abs()
    frame["age_mismatch"] = (frame["age_student"] - frame["age_tutor"]).abs()
    # A column of both sides has got a suffix.
    names = {feature: f"{field}_student" if hasattr(tutors, field) else field for feature, field in OF_STUDENT.items()}
    names |= {feature: f"{field}_tutor" if hasattr(students, field) else field for feature, field in OF_TUTOR.items()}
    for feature, column in names.items():
        frame[feature] = frame[column]
    frame["lead_hours"] = model.fill["lead_hours"]
    frame["churn_probability"] = classifier.predict_proba(feature_matrix(model.features, frame))[:, 1]
    frame["risk_level"] = np.where(
        frame["churn_probability"] < 0.3, "low", np.where(frame["churn_probability"] < 0.7, "medium", "high")
    )
    frame["model_version"], frame["predicted_at"] = model.version, datetime.now(UTC)
    stored = ["id_student", "id_tutor", "churn_probability", "risk_level", "pace_mismatch", "style_mismatch",
              "communication_mismatch", "age_mismatch", "model_version", "predicted_at"]  # fmt: skip
    engine = database.sqlalchemy_engine()
    frame[stored].to_sql("obvious", engine, if_exists="replace", index=False)
    engine.dispose()
    return {"obvious": len(frame) / (time.perf_counter() - started)}


def _frame(people: Students | Tutors) -> pd.DataFrame:
    columns: dict[str, Any] = {name: values for name, values in vars(people).items() if name != "ids"}
    return pd.DataFrame({"id": [row.tobytes().hex() for row in people.ids], **columns})
