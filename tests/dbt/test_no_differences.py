"""Where all tutors are alike, concerns are raised about hardly anybody: through raw rows and SQL."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest

from core import dbt_runner
from core.settings import Settings
from tests.worlds import RATING_SHARES, alike_in_everything
from verify.recompute.concerns import CONCERNS

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.conftest import Postgres
    from verify.recompute.concerns import DailyCounts

pytestmark = pytest.mark.soak

TUTORS, DAYS, LAST_DAYS = 300, 210, 30
AS_OF = date(2026, 1, 31)
COPY = """
copy raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, initiator, started_at, rating) from stdin
"""
# Tutor-days of the last 30 on which a concern was raised; the first row is for any of them.
RAISED = f"""
select concern, count(distinct (tutor_id, day))
from marts.tutor_flags
cross join lateral generate_series(
    greatest(raised_on, date '{AS_OF}' - {LAST_DAYS - 1}), coalesce(cleared_on - 1, date '{AS_OF}'), interval '1 day'
) as day
group by rollup (concern)
"""
JUDGED = "select concern, count(*) from marts.tutor_concerns where status <> 'insufficient_data' group by concern"


def sessions(counts: DailyCounts) -> Iterator[tuple[object, ...]]:
    """Rows of raw.sessions with these counts of each tutor and day; which of them get how many stars is drawn.

    A new student who is not lost has the tutor's next session that is nobody's first.
    """
    rng = np.random.default_rng(1)
    daily = [np.asarray(part, dtype=int) for part in vars(counts).values()]
    for tutor in range(TUTORS):
        waiting: deque[int] = deque()
        student = 0
        for day in range(DAYS):
            n, let_downs, no_shows, held, late, first, lost, ratings, *_ = (int(part[tutor, day]) for part in daily)
            assert n == let_downs + held
            for place in range(n):
                at = datetime.combine(AS_OF - timedelta(DAYS - 1 - day), time(8), UTC) + timedelta(minutes=place)
                taught, status = (
                    0,
                    "completed" if place < held else "no_show" if place < held + no_shows else "cancelled",
                )
                if place < first:
                    student += 1
                    taught = student
                elif place < held and waiting:
                    taught = waiting.popleft()
                if lost <= place < first:
                    waiting.append(taught)
                yield (
                    *(UUID(int=(tutor * DAYS + day) * 1000 + place), UUID(int=tutor), UUID(int=tutor * 1000 + taught)),
                    *(at, status, None if place < held else "tutor"),
                    at + timedelta(minutes=10 if place < late else 0) if place < held else None,
                    int(rng.choice(5, p=RATING_SHARES)) + 1 if place < ratings else None,
                )


def load(connection: psycopg.Connection) -> None:
    rows = list(sessions(alike_in_everything(TUTORS, DAYS, seed=6)))
    with connection.cursor() as cursor:
        cursor.executemany("insert into raw.tutors (tutor_id) values (%s)", [(UUID(int=i),) for i in range(TUTORS)])
        cursor.executemany(
            "insert into raw.students (student_id) values (%s)", [(student,) for student in {row[2] for row in rows}]
        )
        with cursor.copy(COPY) as copy:
            for row in rows:
                copy.write_row(row)


def test_at_most_one_percent_of_tutor_days_are_raised(
    postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = postgres.new_database(tmp_path)
    with database.connect() as connection:
        load(connection)
    settings = Settings(home=tmp_path, database_url=database.url, as_of=AS_OF.isoformat())
    dbt_runner.build(settings, database, exclude=["tag:matching", "resource_type:test"])
    with database.connect() as connection:
        days = dict(connection.execute(RAISED.encode()).fetchall())
        judged = dict(connection.execute(JUDGED.encode()).fetchall())
    shares = {name or "any": count / (TUTORS * LAST_DAYS) for name, count in days.items()}
    with capsys.disabled():
        print("\nraised tutor-days:", ", ".join(f"{name} {share:.2%}" for name, share in sorted(shares.items())))
    assert judged.keys() == set(CONCERNS)
    assert min(judged.values()) > 0.7 * TUTORS
    assert shares["any"] <= 0.01
