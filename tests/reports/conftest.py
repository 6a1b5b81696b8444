"""A published marketplace, and sessions of today put beside it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.database import Database, DatabaseRole
from core.settings import Settings
from reports.due import Queued, queue_due
from tests.conftest import MIGRATED, PUBLISHED, Postgres

EVENING = datetime(2026, 2, 10, 3, tzinfo=UTC)  # no digest, no snapshot
STAFF = ["head@example.org"]


@dataclass
class Marketplace:
    """Published marts and the raw rows behind today's sessions. Tutors are numbered from 1."""

    database: Database
    settings: Settings
    students: list[UUID] = field(default_factory=list)

    def execute(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def tutor(self, number: int) -> UUID:
        (row,) = self.execute("select md5('tutor' || %s::int)::uuid", number)
        return UUID(str(row[0]))

    def session(
        self,
        status: str = "completed",
        *,
        tutor: int = 1,
        initiator: str | None = None,
        rating: float | None = None,
        moved_by: str | None = None,
        notice_hours: float | None = None,
        excused: bool = False,
        ago: timedelta = timedelta(hours=1),
        is_first: bool = True,
        arrived_ago: timedelta = timedelta(0),
    ) -> UUID:
        """A session that was planned for `ago` before now; unless it is the first of its pair, one lies before it."""
        student, session, now = uuid4(), uuid4(), datetime.now(UTC)
        time = now - ago
        if not is_first:
            self.session(tutor=tutor, ago=ago + timedelta(days=60), rating=5)
            (student,) = self.students[-1:]
        self.students.append(student)
        values = {
            "id": session, "external_id": f"S-{str(session)[:4]}", "tutor": self.tutor(tutor), "student": student,
            "status": status, "time": time, "rating": rating, "initiator": initiator, "moved_by": moved_by,
            "requested": time - timedelta(hours=notice_hours) if notice_hours is not None else None,
            "notice": notice_hours, "excused": excused, "arrived": now - arrived_ago,
        }  # fmt: skip
        with self.database.connect() as connection:
            connection.execute("insert into raw.tutors (tutor_id) values (%(tutor)s) on conflict do nothing", values)
            connection.execute(
                "insert into raw.students (student_id) values (%(student)s) on conflict do nothing", values
            )
            connection.execute(
                "insert into raw.sessions "
                "(session_id, external_id, tutor_id, student_id, subject, scheduled_time, status, rating, initiator, "
                "loaded_at) "
                "values (%(id)s, %(external_id)s, %(tutor)s, %(student)s, 'maths', %(time)s, %(status)s, %(rating)s, "
                "%(initiator)s, %(arrived)s)",
                values,
            )
            if moved_by:
                connection.execute(
                    "insert into raw.reschedules (session_id, initiator, requested_at, loaded_at) "
                    "values (%(id)s, %(moved_by)s, %(requested)s, %(arrived)s)",
                    values,
                )
            if excused:
                connection.execute(
                    "insert into app.excuses (session_id, reason, created_by) values (%(id)s, 'ill', 'test')", values
                )
            # Its facts, as a post would refresh them; scores stay as `score` has set them.
            connection.execute(
                "insert into intermediate.int_session_facts"
                " select * from intermediate.int_session_facts_definition where session_id = %(id)s",
                values,
            )
            connection.execute(
                "insert into marts.dim_students (student_id, external_id, name, subjects, is_stub) "
                "values (%(student)s, %(student)s::text, 'Zed Secret', '{}', false) on conflict do nothing",
                values,
            )
            connection.execute("delete from raw.changes")
        return session

    def score(self, tutor: int, status: str, *, for_days: int = 0, on_day: int = 0) -> None:
        """The tutor's status, unchanged for so many days, as of so many days after the fixture's day."""
        self.execute(
            """
            update marts.tutor_scores
            set
                risk_status = %s, as_of = date '2026-01-31' + %s, is_active = true,
                risk_status_since = date '2026-01-31' + %s - %s, risk_probability = 0.77
            where tutor_id = %s
            """,
            status, on_day, on_day, for_days, self.tutor(tutor),
        )  # fmt: skip

    def concern(self, tutor: int, concern: str, **values: Any) -> None:
        """A concern about the tutor, raised on 30 January 2026."""
        columns = {
            "concern_key": f"{tutor} {concern}", "tutor_id": self.tutor(tutor), "concern": concern,
            "as_of": "2026-01-31", "status": "raised", "superseded": False, "probability": 0.93, "threshold": 0.03,
            "trials": 45, "events": 4, "expected": 0.07, "low": 0.04, "high": 0.12, "raised_on": "2026-01-30",
            "last_high_on": "2026-01-31", **values,
        }  # fmt: skip
        self.execute(
            "delete from marts.tutor_concerns where tutor_id = %s and concern = %s", columns["tutor_id"], concern
        )
        names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
        self.execute(f"insert into marts.tutor_concerns ({names}) values ({places})", *columns.values())

    def queue(self, now: datetime = EVENING, **changes: Any) -> Queued:
        return queue_due(
            self.settings.model_copy(update=changes), self.database.as_role(DatabaseRole.TRANSFORM), now=now
        )

    def outbox(self, kind: str, state: str = "queued") -> list[tuple[str, str, dict[str, Any]]]:
        """(topic without the kind, recipient, payload), in the order of topics."""
        rows = self.execute(
            "select topic, recipient, payload from app.email_reports where kind = %s and state = %s order by 1, 2",
            kind,
            state,
        )
        return [(topic.removeprefix(f"{kind}:"), recipient, payload) for topic, recipient, payload in rows]


@pytest.fixture
def database(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Database:
    """With published marts, if the test is about the marketplace."""
    return postgres.new_database(tmp_path, PUBLISHED if "marketplace" in request.fixturenames else MIGRATED)


@pytest.fixture
def marketplace(database: Database, environment: Settings) -> Marketplace:
    """Nobody is flagged or of concern, and reporting has not begun."""
    with database.connect() as connection:
        connection.execute("update marts.tutor_scores set risk_status = 'ok'")
        connection.execute("update marts.tutor_concerns set status = 'ok', raised_on = null, last_high_on = null")
        connection.execute("update marts.score_history set risk_status = 'ok'")
    return Marketplace(database, environment.model_copy(update={"staff_emails": STAFF}))


@pytest.fixture
def reporting(marketplace: Marketplace) -> Marketplace:
    """Reporting has been on for two hours."""
    marketplace.queue()
    marketplace.execute("update app.report_switches set on_since = now() - interval '2 hours'")
    return marketplace
