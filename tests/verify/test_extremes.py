"""Marketplaces at the edge of the formulas are scored, published and confirmed like any other."""

import pytest

from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from tests.conftest import MADE
from verify import verify

pytestmark = pytest.mark.slow

# Per kind of tutor: how many of them, sessions of each, reschedules of each.
MARKETPLACES = {
    "nobody ever reschedules": [(20, 10, 0)],
    "everybody always does": [(20, 10, 10)],
    "one tutor alone": [(1, 3, 1)],
    "one bad tutor among the perfect": [(60, 10, 0), (1, 10, 10)],
    "one enormous tutor": [(1, 3000, 600), (5, 4, 0)],
}
IN_THE_GATE = ("one bad tutor among the perfect",)

SESSIONS = """
    with tutors as (
        insert into raw.tutors (tutor_id) select gen_random_uuid() from generate_series(1, %(tutors)s)
        returning tutor_id
    ),

    student as (
        insert into raw.students (student_id) values (gen_random_uuid()) returning student_id
    ),

    sessions as (
        insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status)
        select
            gen_random_uuid(), tutor_id, student_id, now() - make_interval(hours => 24 + number %% 1200),
            case when number <= %(reschedules)s then 'rescheduled' else 'completed' end
        from tutors, student, generate_series(1, %(sessions)s) as number
        returning session_id, status
    )

    insert into raw.reschedules (session_id, initiator)
    select session_id, 'tutor' from sessions where status = 'rescheduled'
"""


@pytest.mark.template(MADE)
@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(kinds, id=name, marks=() if name in IN_THE_GATE else pytest.mark.soak)
        for name, kinds in MARKETPLACES.items()
    ],
)
def test_extremes_are_published_and_confirmed(
    kinds: list[tuple[int, int, int]], environment: Settings, database: Database
) -> None:
    with database.connect() as connection:
        for tutors, sessions, reschedules in kinds:
            connection.execute(SESSIONS, {"tutors": tutors, "sessions": sessions, "reschedules": reschedules})

    dbt_runner.build(environment, database)

    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=environment)
    assert report.ok, report.to_dict()
