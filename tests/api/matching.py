"""People and predictions for the tests of matching."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from core.database import Database, DatabaseRole
from ingest.load import load_folder
from tests.conftest import Postgres
from tests.marts import publish

STUDENTS = 12
TUTORS = 9
# S-11 has left, T-9 is inactive; S-12 and T-8 are described by nothing but a name.
ACTIVE_STUDENTS = [f"S-{i}" for i in range(1, STUDENTS + 1) if i != 11]
ACTIVE_TUTORS = [f"T-{i}" for i in range(1, TUTORS)]
STYLES = ("structured", "flexible", "interactive")
SUBJECTS = ("maths;physics", "geography", "maths")
GOAL = "wants to please Aunt Petronella by May"
PREDICTED_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)

STUDENT_COLUMNS = (
    "student_id", "name", "age", "subjects", "preferred_teaching_style", "preferred_pace", "communication_style",
    "urgency_level", "learning_goals",
)  # fmt: skip
TUTOR_COLUMNS = (
    "tutor_id", "name", "email", "subjects", "is_active", "capacity", "age", "experience_years", "teaching_style",
    "preferred_pace", "communication_style",
)  # fmt: skip


# In the last 90 days T-8 had no session and T-7 over 50; but for T-8, each has two students just now. The last session
# of S-11 was long ago, S-12 never had any.
HISTORIES = """
insert into raw.sessions (
    session_id, external_id, tutor_id, student_id, scheduled_time, status, rating, initiator, booked_at
)
select
    gen_random_uuid(), 'H-' || tutor || '-' || n, tutors.tutor_id, students.student_id,
    timestamptz '2026-01-30 10:00+00' - (n * 37 + tutor) * interval '1 hour' - (student = 11)::int * interval '1 year',
    (array['completed', 'completed', 'completed', 'completed', 'rescheduled', 'no_show'])[1 + (n * tutor) % 6],
    1 + (n + tutor) % 5, 'tutor', '2025-01-01'
from generate_series(1, 7) as tutor
cross join lateral generate_series(1, tutor * 8) as n
cross join lateral (values (
    case when n = 1 and tutor = 1 then 11 when n <= 30 then tutor + n % 2 else 1 + (n * tutor) % 10 end
)) as pair (student)
inner join raw.tutors as tutors on tutors.external_id = 'T-' || tutor
inner join raw.students as students on students.external_id = 'S-' || student;

insert into raw.reschedules (session_id, initiator, requested_at)
select session_id, 'tutor', scheduled_time - interval '3 hours' from raw.sessions where status = 'rescheduled';
"""


def student_row(i: int) -> list[object]:
    name = f"Zebulon Quist {i}"
    if i == STUDENTS:
        return [f"S-{i}", name, *[None] * 7]
    return [f"S-{i}", name, 8 + i, SUBJECTS[i % 3], STYLES[i % 3], 1 + i % 5, 1 + i % 4, 1 + i % 5, GOAL]


def tutor_row(i: int) -> list[object]:
    name, email = f"Wilhelmina Ibsen {i}", f"wilhelmina{i}@ibsen.example"
    if i == TUTORS - 1:
        return [f"T-{i}", name, email, None, True, *[None] * 6]
    return [
        *(f"T-{i}", name, email, SUBJECTS[i % 3], i < TUTORS),
        *(1 + i % 4, 25 + 3 * i, i / 2, STYLES[(i + 1) % 3], 1 + i % 5, 1 + i % 5),
    ]


def load_people(database: Database, folder: Path) -> None:
    """Twelve students and nine tutors, by way of landing files, and sessions that they had with each other."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns, row, count in (
        ("students.csv", STUDENT_COLUMNS, student_row, STUDENTS),
        ("tutors.csv", TUTOR_COLUMNS, tutor_row, TUTORS),
    ):
        with (folder / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(row(i) for i in range(1, count + 1))
    load_folder(database.as_role(DatabaseRole.INGEST), folder, timezone="UTC")
    with database.connect() as connection:
        connection.execute(HISTORIES)
        connection.execute("delete from ml.touched_people")


def people_template(postgres: Postgres) -> str:
    """The template of a database with published marts and these people; made once."""

    def made() -> Database:
        home = postgres.gate_folder / "people"
        database = postgres.new_database(home)
        load_people(database, home / "landing")
        publish(database, home)
        return database

    postgres.make_template("people", made)
    return "people"


def scramble(database: Database) -> None:
    """A stored prediction for every active pair, with a made-up probability, so that it shows where an answer comes
    from."""
    with database.connect() as connection:
        connection.execute("delete from ml.match_predictions; delete from ml.match_runs; delete from ml.touched_people")
        connection.execute(
            """
            with run as (
                insert into ml.match_runs (model_version, predicted_at, medium_from, high_from)
                values ('rules-v1', %s, 0.3, 0.7)
                returning run_id
            )

            insert into ml.match_predictions (student_id, tutor_id, churn_probability, run_id, bucket)
            select student_id, tutor_id, chance, run_id, ml.student_bucket(student_id)
            from marts.match_students as students
            cross join marts.match_tutors as tutors
            cross join run
            cross join lateral (
                select (get_byte(uuid_send(student_id), 3) * 7 + get_byte(uuid_send(tutor_id), 6)) %% 256 / 256.0::real
            ) as made_up (chance)
            where students.is_active and tutors.is_active
            """,
            (PREDICTED_AT,),
        )
        connection.execute("update ml.prediction_version set version = version + 1")


def rows(connection: psycopg.Connection[Any], query: str, *arguments: object) -> list[Any]:
    return connection.execute(query.encode(), arguments).fetchall()


def everyone(client: httpx2.Client, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """All rows of a list, which has to fit on one page."""
    response = client.get(path, params={"limit": 500, **parameters})
    assert response.status_code == 200, response.text
    body = response.json()
    assert len(body["data"]) == body["meta"]["total"]
    found: list[dict[str, Any]] = body["data"]
    return found
