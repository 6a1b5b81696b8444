"""Order of arrival never changes the marts: rows shuffled, files split and reversed, scored in between or not."""

from pathlib import Path

import pandas as pd
import pytest

from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from demo import write_demo
from ingest import load_file, load_folder
from tests.conftest import Postgres

# The gate has the rows (test_properties.py) and the increments (dbt/test_incremental.py), each for itself.
pytestmark = pytest.mark.soak

# Everything but when it was built.
MARTS = {
    "tutor_scores": "tutor_id",
    "fct_sessions": "session_id",
    "fct_moves": "session_id, move_time",
    "tutor_weekly": "tutor_id, week_start",
    "platform_weekly": "week_start",
    "platform_baseline": "as_of",
    "match_outcomes": "tutor_id, student_id",
    "dim_tutors": "tutor_id",
    "dim_students": "student_id",
}


def marts(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.connect() as connection:
        return {
            name: connection.execute(f"select * from marts.{name} order by {key}").fetchall()
            for name, key in MARTS.items()
        }


def test_any_order_gives_the_same_marts(
    environment: Settings, database: Database, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_demo(tmp_path / "demo", tutors=10, students=40, days=50, seed=11)
    load_folder(database.as_role(DatabaseRole.INGEST), tmp_path / "demo", timezone="UTC")
    dbt_runner.build(environment, database)

    other = postgres.new_database(tmp_path / "other")
    monkeypatch.setenv("TUTORQ_DATABASE_URL", other.url)
    (tmp_path / "parts").mkdir()
    for entity in ("reschedules", "sessions", "students", "tutors"):  # the wrong way round
        source = next((tmp_path / "demo").glob(f"{entity}.*"))
        rows = pd.read_csv(source, dtype=str, keep_default_na=False).sample(frac=1, random_state=2)
        for number in range(3):
            part = tmp_path / "parts" / f"{entity}.{number}.csv"
            rows.iloc[number::3].to_csv(part, index=False)
            load_file(other.as_role(DatabaseRole.INGEST), part, timezone="UTC")
        if entity == "sessions":
            dbt_runner.build(Settings(), other)  # half of it is there; the rest has to be taken in later
    dbt_runner.build(Settings(), other)

    assert marts(other) == marts(database)
