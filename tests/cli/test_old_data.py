"""What is said of scores for a day long after the newest session, and of scores that were made with other settings."""

import pytest

from cli.doctor import data as doctor
from cli.old_data import old_data
from core.database import Database
from core.settings import Settings
from tests.conftest import PUBLISHED

SESSION = """
insert into raw.tutors (tutor_id, external_id) values (gen_random_uuid(), 't');
insert into raw.students (student_id, external_id) values (gen_random_uuid(), 'p');
insert into raw.sessions (session_id, external_id, tutor_id, student_id, scheduled_time, status)
select gen_random_uuid(), at, tutor_id, student_id, at::timestamptz, 'completed'
from raw.tutors, raw.students, unnest(array['2017-08-31 23:30+00', '2040-01-01 10:00+00']) as at
"""


def test_old_sessions_are_told_with_the_day_of_the_scores(environment: Settings, database: Database) -> None:
    def said(**changes: str) -> str | None:
        return old_data(environment.model_copy(update=changes), database)

    assert said() is None  # nothing is there
    with database.connect() as connection:
        connection.execute(SESSION.encode())
    assert said(as_of="2017-09-30") is None
    told = str(said(as_of="2017-10-01"))
    assert told.startswith("The newest session is of 2017-08-31, and the day of the scores is 2017-10-01. ")
    assert "TUTORQ_AS_OF=latest" in told
    assert said(as_of="2017-10-01", timezone="Asia/Tokyo") is None  # there it is of September
    assert said(as_of="latest") is None
    found = doctor.day_of_scores(environment, database)
    assert not found.ok
    assert "The newest session is of 2017-08-31" in found.found


@pytest.mark.slow
@pytest.mark.template(PUBLISHED)
def test_doctor_compares_zone_and_day_with_the_published_ones(environment: Settings, database: Database) -> None:
    def found(**changes: str) -> str:
        finding = doctor.scoring(environment.model_copy(update=changes), database)
        assert finding.ok == ("other settings" not in finding.found)
        return finding.found

    assert found() == "as configured"  # published on its day
    assert found(as_of="2026-01-31") == "as configured"
    assert found(as_of="2026-01-30") == "as configured; the published scores use other settings: as_of 2026-01-31"
    assert found(timezone="Asia/Tokyo") == "as configured; the published scores use other settings: timezone UTC"
    with database.connect() as connection:
        connection.execute("update marts.publication set published_at = '2026-12-01'")
    assert found() == "as configured; the published scores use other settings: as_of 2026-01-31"
