"""What the participants of a meeting prove, and what they do not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors import zoom
from connectors.bookings import Amendment, amended

BEGIN = datetime(2026, 1, 31, 15, tzinfo=UTC)
TUTOR, STUDENT = "Ann@example.org", "kid@example.org"
STORED = {
    "session_id": "s", "tutor_id": "ann@example.org", "student_id": "kid", "scheduled_time": BEGIN.isoformat(),
    "status": "scheduled", "duration_minutes": 60, "updated_at": "2026-01-30T00:00:00+00:00", "initiator": None,
}  # fmt: skip


def was_there(email: str, start: float, end: float) -> dict[str, Any]:
    """From and until so many minutes after the time that was agreed on."""
    join, leave = BEGIN + timedelta(minutes=start), BEGIN + timedelta(minutes=end)
    return {"user_email": email, "name": "x", "join_time": join.isoformat(), "leave_time": leave.isoformat()}


def proven(*participants: dict[str, Any], **stored: Any) -> dict[str, Any] | None:
    session = STORED | stored
    found = zoom.amendment(session, "ann@example.org", participants, timedelta(minutes=10))
    return None if found is None else amended(session, found)


def test_both_were_there_from_the_later_one_on() -> None:
    found = proven(was_there(TUTOR, 7, 30), was_there(TUTOR, 31, 58), was_there(STUDENT, -2, 55))
    assert found is not None
    assert (found["status"], found["started_at"], found["completed_time"]) == (
        "completed", "2026-01-31T15:07:00+00:00", "2026-01-31T15:55:00+00:00"
    )  # fmt: skip
    # Newer than what a booking tool says when the hour is over.
    assert found["updated_at"] == "2026-01-31T16:00:00+00:00"
    assert found["tutor_id"] == STORED["tutor_id"]
    later = proven(was_there(TUTOR, 7, 58), was_there(STUDENT, 7, 50), **found)
    assert later is not None
    assert later["updated_at"] == "2026-01-31T16:00:00.000001+00:00"


def test_times_that_contradict_each_other_are_left_out() -> None:
    """The API would refuse the whole version, and with it that the lesson was held."""
    stored = STORED | {"started_at": "2026-01-31T17:00:00+01:00", "completed_time": "2026-01-31T15:30:00+00:00"}
    found = amended(stored, Amendment(booking="b", at="2026-01-31T17:00:00Z", changes={"status": "completed"}))
    assert found is not None
    assert found["status"] == "completed"
    assert found.keys().isdisjoint({"started_at", "completed_time"})


@pytest.mark.parametrize(
    ("participants", "missing"),
    [
        ([was_there(TUTOR, -5, 15)], "student"),
        ([was_there(STUDENT, 2, 12)], "tutor"),
        ([was_there("", 2, 12)], "tutor"),  # who has not logged in is no host
        ([was_there(TUTOR, -5, 9)], None),  # has not waited
        ([was_there(TUTOR, 0, 10), was_there(STUDENT, 12, 20)], None),  # missed each other
        ([], None),
    ],
)
def test_who_waited_in_vain(participants: list[dict[str, Any]], missing: str | None) -> None:
    found = proven(*participants)
    assert (found and (found["status"], found["initiator"])) == (missing and ("no_show", missing))


def test_what_was_called_off_stays_so() -> None:
    assert proven(was_there(TUTOR, 0, 60), was_there(STUDENT, 0, 60), status="cancelled") is None


def test_the_same_again_is_no_new_version() -> None:
    first = proven(was_there(TUTOR, 0, 60), was_there(STUDENT, 0, 60))
    assert first is not None
    assert proven(was_there(TUTOR, 0, 60), was_there(STUDENT, 0, 60), **first) is None


def test_only_a_meeting_that_fits_one_session_is_taken() -> None:
    meeting = {
        "start_time": (BEGIN - timedelta(minutes=5)).isoformat(),
        "end_time": (BEGIN + timedelta(hours=1)).isoformat(),
    }
    tolerance = timedelta(minutes=30)
    later = {**STORED, "session_id": "later", "scheduled_time": (BEGIN + timedelta(hours=2)).isoformat()}
    between = {**STORED, "session_id": "between", "scheduled_time": (BEGIN + timedelta(minutes=30)).isoformat()}
    assert zoom.session_of(meeting, [STORED, later], tolerance) == STORED
    assert zoom.session_of(meeting, [STORED, between], tolerance) is None
    assert zoom.session_of(meeting, [later], tolerance) is None
