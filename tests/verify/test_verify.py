"""`verify` against marts made by hand in a real Postgres, and what it knows against what dbt declares."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import psycopg
import pytest
import yaml
from psycopg.types.json import Jsonb
from rich.console import Console

from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from tests.conftest import Postgres
from tests.verify.rows import ANN, AS_OF, BASIS, BOB, CYD, SHIPPED, busy_frames, busy_scores
from verify import verify
from verify.columns import CARRIED_THROUGH
from verify.frames import load_kept, load_raw
from verify.inputs import Basis, RawFrames
from verify.recompute import recompute
from verify.recompute.rules import Rules

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = postgres.new_database(tmp_path_factory.mktemp("verify"))
    with database.connect() as connection:
        fill_raw(connection, busy_frames())
    return database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, database_url=None, as_of=AS_OF.isoformat(), timezone="UTC")


def fill_raw(connection: psycopg.Connection, frames: RawFrames) -> None:
    def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
        objects = frame.astype("object")
        records = objects.where(objects.notna(), None).to_dict("records")
        return [{str(name): value for name, value in record.items()} for record in records]

    with connection.cursor() as cursor:
        cursor.executemany("insert into raw.tutors (tutor_id) values (%(tutor_id)s)", rows(frames.tutors))
        students = [{"id": str(student)} for student in frames.sessions["student_id"].unique()]
        cursor.executemany("insert into raw.students (student_id) values (%(id)s)", students)
        cursor.executemany(
            """
            insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, rating, initiator)
            values (%(session_id)s, %(tutor_id)s, %(student_id)s, %(scheduled_time)s, %(status)s, %(rating)s,
                    %(initiator)s)
            """,
            rows(frames.sessions),
        )
        cursor.executemany(
            """
            insert into raw.reschedules (session_id, initiator, reason_code, requested_at, original_time)
            values (%(session_id)s, %(reschedule_initiator)s, %(reason_code)s, %(requested_at)s, %(original_time)s)
            """,
            rows(frames.reschedules),
        )
        cursor.execute("delete from raw.changes")


SQL_TYPES = {date: "date", str: "text", float: "float8", int: "bigint", list[str]: "text[]", dict[str, Any]: "jsonb"}
NOT_NUMBERS = {
    "as_of": "date",
    "risk_status": "text",
    "is_high_risk": "boolean",
    "attention": "boolean",
    "concerns": "text[]",
    "last_session_at": "timestamptz",
}
CARRIED = {
    "external_id": "text",
    "name": "text",
    "subjects": "text[]",
    "is_active": "boolean",
    "risk_status_since": "date",
    "case_mix_expected": "double precision",
}

CONCERN_TYPES = {
    **dict.fromkeys(("concern_key", "concern", "status"), "text"),
    **dict.fromkeys(("as_of", "raised_on", "last_high_on", "clears_on"), "date"),
    **dict.fromkeys(("trials", "events"), "bigint"),
    "tutor_id": "uuid",
    "superseded": "boolean",
}


def insert(connection: psycopg.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names, places = ", ".join(rows[0]), ", ".join(["%s"] * len(rows[0]))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into {table} ({names}) values ({places})".encode(), [list(row.values()) for row in rows]
        )


@pytest.fixture
def marts(database: Database) -> Iterator[psycopg.Connection]:
    """The marts that `verify` reads, with the recomputed scores and concerns of `busy_frames`."""
    scores = busy_scores().drop(columns="is_near")
    types = {
        name: NOT_NUMBERS.get(name, "bigint" if column.dtype.kind == "i" else "float8")
        for name, column in scores.items()
    }
    objects = scores.astype("object").where(scores.notna(), None).rename_axis("tutor_id").reset_index()
    settings = asdict(BASIS) | {"concern_rules": Jsonb(BASIS.concern_rules)}
    with database.connect(autocommit=True) as connection:
        connection.execute("set role tutorq_transform")
        declared = ", ".join(f"{field.name} {SQL_TYPES[field.type]}" for field in fields(Basis))
        connection.execute(f"create table marts.publication (generation bigint, {declared})".encode())
        insert(connection, "marts.publication", [{"generation": 1, **settings}])
        declared = ", ".join(f"{name} {kind}" for name, kind in {"tutor_id": "uuid", **CARRIED, **types}.items())
        connection.execute(f"create table marts.tutor_scores ({declared})".encode())
        insert(
            connection,
            "marts.tutor_scores",
            [{str(name): value for name, value in row.items()} for row in objects.to_dict("records")],
        )
        recomputed = recompute(busy_frames(), BASIS, load_kept(connection))
        concerns = recomputed.concerns.drop(columns="is_near").reset_index()
        declared = ", ".join(f"{name} {CONCERN_TYPES.get(name, 'float8')}" for name in concerns)
        connection.execute(f"create table marts.tutor_concerns ({declared})".encode())
        insert(
            connection,
            "marts.tutor_concerns",
            [
                {str(name): None if pd.isna(value) else value for name, value in row.items()}
                for row in concerns.astype("object").to_dict("records")
            ],
        )
        connection.execute("reset role")
        yield connection
        connection.execute("drop table marts.publication, marts.tutor_scores, marts.tutor_concerns")


def test_what_is_loaded_is_what_was_written(database: Database) -> None:
    expected = busy_frames()
    moment = datetime(2026, 5, 1, 12, 30, 15, 123457, tzinfo=UTC)
    codes = ["", "NA", None]
    with database.connect() as connection:
        for number, code in enumerate(codes):
            connection.execute(
                """
                insert into raw.reschedules (session_id, initiator, reason_code, original_time)
                values (%s, 'tutor', %s, %s)
                """,
                [UUID(int=5000 + number), code, moment],
            )
        frames = load_raw(connection)
        connection.rollback()
    assert sorted(frames.tutors["tutor_id"]) == [ANN, BOB, CYD]
    for loaded, wanted in ((frames.sessions, expected.sessions), (frames.reschedules, expected.reschedules)):
        both = loaded.merge(wanted, on="session_id", suffixes=("", "_wanted"))
        assert len(both) == len(wanted)
        for name in wanted.columns.drop("session_id"):
            assert list(both[name].dropna()) == list(both[f"{name}_wanted"].dropna())
    strange = frames.reschedules[~frames.reschedules["session_id"].isin(expected.reschedules["session_id"])]
    assert strange["reason_code"].isna().tolist() == [False, False, True]
    assert strange["reason_code"].dropna().tolist() == ["", "NA"]
    assert set(strange["original_time"]) == {pd.Timestamp(moment)}
    assert strange["requested_at"].isna().all()


def test_verify_needs_a_publication(database: Database, settings: Settings) -> None:
    with pytest.raises(TutorqError, match="tutorq score"):
        verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)


def test_verify_accepts_correct_marts(database: Database, settings: Settings, marts: psycopg.Connection) -> None:
    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)
    assert report.ok
    assert report.notes == ()
    assert {column.compared for column in report.columns} == {3}
    assert {column.borderline for column in report.columns} == {0}
    assert json.loads(json.dumps(report.to_dict()))["basis"]["as_of"] == "2026-06-30"


def test_verify_reports_the_column_of_a_changed_cell(
    database: Database, settings: Settings, marts: psycopg.Connection
) -> None:
    marts.execute("update marts.tutor_scores set tutor_reschedules_30d = 99 where tutor_id = %s", [ANN])
    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)
    assert not report.ok
    (wrong,) = [column for column in report.columns if column.differences]
    assert (wrong.column, wrong.differences, wrong.largest_difference) == ("tutor_reschedules_30d", 1, 96)

    console = Console(record=True, width=160, file=StringIO())
    console.print(report.to_table())
    assert "DIFFER" in console.export_text()
    assert report.errors() == [f"tutor_reschedules_30d of {ANN}: 99.0 in the marts, 3.0 recomputed"]


def test_verify_reports_a_changed_concern(database: Database, settings: Settings, marts: psycopg.Connection) -> None:
    marts.execute("update marts.tutor_concerns set probability = probability + 0.01 where concern = 'no_shows'")
    marts.execute("delete from marts.tutor_concerns where concern = 'unreliable'")
    marts.execute("alter table marts.tutor_concerns add naps integer, drop clears_on")
    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)
    assert not report.ok
    assert report.concerns is not None
    (wrong,) = [column for column in report.concerns.columns if column.differences]
    assert (wrong.column, wrong.largest_difference) == ("probability", pytest.approx(0.01))
    assert {key.split()[1] for key in report.concerns.missing_tutors} == {"unreliable"}
    errors = report.errors()
    assert "marts.tutor_concerns lacks the column clears_on" in errors
    assert any("a column that nothing verifies: naps" in error for error in errors)


def test_every_column_of_the_concerns_is_verified() -> None:
    recomputed = set(CONCERN_TYPES) | {"probability", "threshold", "raw_rate", "expected", "low", "high"}
    assert declared_columns("tutor_concerns") == recomputed


def test_the_publication_outweighs_the_settings_and_notes_say_what_changed(
    database: Database, settings: Settings, marts: psycopg.Connection
) -> None:
    now = settings.model_copy(update={"as_of": "2020-01-01", "timezone": "Asia/Tokyo"})
    marts.execute("update raw.tutors set name = 'Cyd' where tutor_id = %s", [CYD])
    try:
        report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=now)
    finally:
        marts.execute("delete from raw.changes")
    assert report.ok
    assert report.basis.as_of == AS_OF
    assert report.notes == (
        "changes that are not in the marts yet: 1; `tutorq score` takes them over",
        "timezone was UTC when the marts were built and is Asia/Tokyo now",
    )


def test_columns_that_only_the_mart_or_verify_knows_are_named(
    database: Database, settings: Settings, marts: psycopg.Connection
) -> None:
    marts.execute("alter table marts.tutor_scores add tutor_naps_7d bigint, drop quality_score, drop name")
    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)
    assert (report.ok, report.unknown_columns) == (False, ("tutor_naps_7d",))
    assert report.missing_columns == ("name", "quality_score")


@pytest.mark.parametrize(("table", "column"), [("publication", "short_notice_hours"), ("tutor_scores", "tutor_id")])
def test_verify_says_what_it_cannot_do_without(
    table: str, column: str, database: Database, settings: Settings, marts: psycopg.Connection
) -> None:
    marts.execute(f"alter table marts.{table} drop {column}".encode())
    with pytest.raises(TutorqError, match=f"marts.{table} lacks {column}; run `tutorq score"):
        verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)


def declared_columns(mart: str) -> set[str]:
    path = PROJECT_ROOT / "dbt_project" / "models" / "marts" / f"{mart}.yml"
    return {column["name"] for column in yaml.safe_load(path.read_text())["models"][0]["columns"]}


def test_every_column_of_the_scores_is_verified_or_carried_through() -> None:
    assert declared_columns("tutor_scores") == {"tutor_id", *CARRIED_THROUGH, *busy_scores()} - {"is_near"}


def test_every_var_that_scores_depend_on_is_published_and_read() -> None:
    """Others are named here: which days are recorded, what matching and its models are told, and what has a form."""
    declared = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text())["vars"]
    others = {
        "metrics",  # what is counted has names, and no values
        "models_version",
        "scoring_days",
        "scores_per_batch",
        "rating_fallback_mean",
        "active_student_days",
        "active_pair_days",
        "session_training_days",
        # Of histories, which models learn from.
        *("let_down_fallback_prior", "no_show_fallback_prior", "first_session_fallback_prior", "rating_prior_sessions"),
        *("student_no_show_fallback_prior", "student_call_off_fallback_prior", "unnamed_no_shows"),
        "sessions_per_pair_prior",
        "break_share",
        *(name for name in declared if name.startswith("attrition_")),
        # What is in force is in app.score_reference.
        *("tutors_of_a_reference", "new_reference", "reference_tolerance"),
        # Of cases, which follow from scores.
        # Of what is computed at night beside scores; test_honesty.py has its own reading of them.
        *("calibration_days", "forecast_days", "judged_sessions", "volume_bands"),
        *("calibration_tolerance", "calibration_least", "dayparts", "case_mix_least_events"),
        *("fairness_days", "fairness_least_tutors", "tenure_bands", "age_bands"),
        *(name for name in declared if name.startswith("pattern_")),
        # Of what is computed beside scores, to compare; dbt/test_beside_scores.py has its own reading of them.
        *("notice_days", "notice_edges", "retention_days", "retention_sessions", "attention_weeks"),
        *("case_relapse_days", "case_effect_days", "let_down_concerns", "randomise_follow_up"),
    }
    structure = {"concerns", "rate_concerns", "closed_day_tolerance"}
    matching = {name for name in declared if name.startswith("match_")}
    columns = {field.name for field in fields(Basis)}
    of_scores = declared_columns("publication") - {"randomise_follow_up", "unnamed_no_shows"}
    assert columns == of_scores - {"generation", "published_at", "refreshed_at", "models_version"}
    read = (columns - {"concern_rules"}) | {field.name for field in fields(Rules)} | set(SHIPPED)
    assert read == set(declared) - others - structure - matching
    assert {name: declared[name] for name in BASIS.concern_rules} == json.loads(json.dumps(BASIS.concern_rules))
