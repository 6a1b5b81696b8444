"""Talks that the truth knows of are cases that can be looked at, and what came of them is what was planted."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from core import dbt_runner
from core.database import DatabaseRole
from core.settings import Settings
from demo import write_demo
from demo.coaching import write_cases
from demo.staff import add_staff
from ingest import load_folder
from tests.conftest import Postgres

pytestmark = pytest.mark.soak

EFFECTS = """
select
    reason, count(*), sum(sessions)::int, sum(let_downs)::int, sum(let_downs_expected), bool_and(is_talked_to),
    array_agg(distinct is_raised_after_30_days)
from marts.case_effects inner join marts.cases using (case_id)
where not is_open and contacts = 1 group by reason
"""


TEAM = """
select exists (
    select from app.cases where cases.tutor_id = theirs.tutor_id and cases.closed_at is null
) from app.person_tutors as theirs where person_id = %s
"""


def test_talks_that_work_show_and_others_do_not(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path)
    until = date(2026, 6, 28)
    folder = tmp_path / "landing"
    write_demo(folder, tutors=150, students=1500, days=180, seed=7, until=until)
    load_folder(database.as_role(DatabaseRole.INGEST), folder, timezone="UTC")
    settings = Settings(home=tmp_path, database_url=database.url, as_of=until.isoformat())
    dbt_runner.build(settings, database, exclude=["tag:matching", "resource_type:test"])
    with database.connect() as connection:
        coach = add_staff(connection).coach
        assert add_staff(connection).coach == coach  # both are known the second time
        team = connection.execute(TEAM, [coach.person_id]).fetchall()
        written = write_cases(connection, folder, coach)
        by = connection.execute("select distinct actor from app.case_events where kind <> 'opened'").fetchall()
        found = {reason: counts for reason, *counts in connection.execute(EFFECTS).fetchall()}
        changed_later = connection.execute("select count(*) from app.cases where changed_at <> closed_at").fetchone()
    assert by == [(coach.actor,)]
    assert len(team) == 12
    assert 1 <= sum(has_case for (has_case,) in team) <= 4
    assert coach.name == "Nora Quinn"
    events = pd.read_csv(folder / ".truth" / "events.csv")
    talks = events[events["event"] == "coached"]
    assert 3 <= written <= len(talks)
    assert changed_later == (0,)  # the list of closed cases begins with the newest
    assert sum(cases for cases, *_ in found.values()) == written
    _, sessions, let_downs, expected, is_talked_to, is_raised = found["improved"]
    assert is_talked_to
    assert is_raised == [False]
    assert sessions > 100
    assert let_downs < 0.75 * expected
    if "no_effect" in found:
        _, sessions, let_downs, expected, _, is_raised = found["no_effect"]
        assert is_raised == [True]
        assert let_downs == pytest.approx(expected, rel=0.5)
