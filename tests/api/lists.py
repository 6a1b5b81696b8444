"""Something in every list of the API."""

from datetime import UTC, datetime, timedelta

from ingest.ids import entity_uuid
from tests.api.conftest import Served
from tests.api.matching import scramble

START = datetime(2026, 2, 1, 15, tzinfo=UTC)


def fill(platform: Served) -> None:
    """Several rows in every list, of a platform with the people of `tests.api.matching`."""
    planned = [
        {
            "session_id": f"U-{i}", "tutor_id": f"T-{1 + i % 3}", "student_id": f"S-{1 + i % 4}",
            "scheduled_time": (START + timedelta(hours=i)).isoformat(), "status": "scheduled", "subject": "maths",
        }
        for i in range(9)
    ]  # fmt: skip
    moved = [
        {
            "session_id": f"M-{i}", "tutor_id": f"T-{1 + i}", "student_id": "S-1", "status": "rescheduled",
            "scheduled_time": "2026-01-06T10:00:00Z", "reschedule_info": {"initiator": "tutor"},
        }
        for i in range(6)
    ]  # fmt: skip
    with platform.client(platform.key) as client, platform.database.connect() as connection:
        assert client.post("/api/sessions/batch", json=planned + moved).json()["queued"] == len(planned + moved)
        for i in range(6):
            assert client.post(f"/api/sessions/M-{i}/excuse", json={"reason": "ill"}).status_code == 201
            assert client.post("/api/cases", json={"tutor_id": f"T-{1 + i}"}).status_code in (201, 409)
            connection.execute(
                "insert into ml.session_predictions values (%s, %s, 'session-1', now())",
                (entity_uuid(f"U-{i}"), 0.1 * (i // 2)),
            )
        connection.cursor().executemany(
            "insert into app.email_reports "
            "(kind, unique_key, topic, recipient, subject, payload, state, created_at) "
            "values ('daily_digest', %s, 'digest', 'ann@example.org', 'Digest', '{}', 'sent', %s)",
            [(str(i), START + timedelta(days=i // 2)) for i in range(7)],
        )
    scramble(platform.database)
