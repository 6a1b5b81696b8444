"""What appeals of the demo plead is what the records of their sessions say."""

from pathlib import Path

import pytest

from core import dbt_runner
from core.database import DatabaseRole
from core.settings import Settings
from demo import write_demo
from demo.appeals import EXAMPLES, write_appeals
from demo.staff import add_staff
from ingest import load_folder
from tests.conftest import Postgres

pytestmark = pytest.mark.soak

APPEALED = """
select appeals.tutor_id, appeals.state, appeals.text, array_agg(distinct sessions.reason_code), count(*)
from app.appeals as appeals
inner join app.appeal_sessions as about on appeals.appeal_id = about.appeal_id
inner join marts.fct_sessions as sessions on about.session_id = sessions.session_id
group by appeals.appeal_id order by appeals.appeal_id
"""


def test_appeals_fit_the_records(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path)
    folder = tmp_path / "landing"
    write_demo(folder, tutors=150, students=1500, days=180, seed=7)
    load_folder(database.as_role(DatabaseRole.INGEST), folder, timezone="UTC")
    dbt_runner.build(
        Settings(home=tmp_path, database_url=database.url), database, exclude=["tag:matching", "resource_type:test"]
    )
    with database.connect() as connection:
        whose = write_appeals(connection, add_staff(connection).lead, days=10)
        written = connection.execute(APPEALED).fetchall()
    assert written
    examples = {example.text: example for example in EXAMPLES}
    for _, state, text, recorded, sessions in written:
        assert (state, recorded, sessions) == (
            examples[text].state,
            [examples[text].recorded],
            examples[text].sessions,
        )
    assert len({tutor_id for tutor_id, *_ in written}) == len(written)
    assert [tutor_id for tutor_id, state, *_ in written if state == "open"] == ([] if whose is None else [whose])
