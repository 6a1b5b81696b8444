"""What booking tools tell by webhooks: over HTTP, signed as each of them signs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from core.erased import erased_ids
from ingest.ids import entity_uuid
from tests.api.conftest import Served, served
from tests.api.test_problems import problem
from tests.conftest import Postgres
from tests.connectors import booked
from tests.connectors.booked import GUEST, HOST, KEY, encoded, iso
from tests.connectors.sources import Answer, Request, configure, serving

NOW = datetime.now(UTC).replace(microsecond=0, second=0)
HOUR = timedelta(hours=1)
START = NOW + 24 * HOUR
SIGN = {"cal": booked.signed_by_calcom, "calendly": booked.signed_by_calendly, "acuity": booked.signed_by_acuity}
appointments: dict[str, Any] = {}


def acuity(request: Request) -> Answer:
    """Acuity's answer to who asks for an appointment."""
    assert request.headers["Authorization"] == "Basic MTc6YXBpLWtleQ=="  # 17:api-key
    return Answer(appointments[request.path.removeprefix("/api/v1/appointments/")])


@pytest.fixture(scope="module")
def customer(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home: Path = tmp_path_factory.mktemp("connectors")
    database = postgres.new_database(home)
    with pytest.MonkeyPatch.context() as patch, serving(acuity) as service:
        for name in SIGN:
            patch.setenv(f"TUTORQ_CONNECTOR_{name.upper()}_WEBHOOK_KEY", KEY)
        patch.setenv("TUTORQ_CONNECTOR_ACUITY_KEY", "api-key")
        since = {"since": "2026-01-01"}
        configure(
            database._settings.model_copy(update={"home": home}),
            cal={"kind": "calcom", **since},
            quiet={"kind": "calcom", **since},
            calendly={"kind": "calendly", **since},
            acuity={"kind": "acuity", "account": "17", "url": service.url, **since},
        )
        with served(database, home, erasure_key="of these tests") as customer:
            yield customer


@pytest.fixture
def connection(customer: Served) -> Iterator[psycopg.Connection]:
    with customer.database.connect(autocommit=True) as connection:
        for table in ("reschedules", "sessions", "quarantine", "moved_bookings"):
            connection.execute(f"delete from raw.{table}".encode())
        yield connection


def post(customer: Served, name: str, body: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
    with customer.client(None) as client:
        headers = SIGN[name](body) if headers is None else headers
        return client.post(f"/api/connectors/{name}/webhook", content=body, headers=headers)


def tell(customer: Served, name: str, event: Any) -> str:
    answer = post(customer, name, event if isinstance(event, bytes) else encoded(event))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["status"])


def sessions(connection: psycopg.Connection) -> dict[str, tuple[Any, ...]]:
    rows = connection.execute("select external_id, status, initiator, scheduled_time from raw.sessions").fetchall()
    return {row[0]: row[1:] for row in rows}


def moves(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select initiator, original_time, new_time from raw.reschedules order by requested_at"
    ).fetchall()


def test_calcom_from_booking_to_no_show(customer: Served, connection: psycopg.Connection) -> None:
    created = booked.calcom_event("BOOKING_CREATED", "a", START, START + HOUR, NOW - 3 * HOUR)
    assert [tell(customer, "cal", created), tell(customer, "cal", created)] == ["queued", "duplicate"]
    moved = booked.calcom_event(
        "BOOKING_RESCHEDULED", "b", START + HOUR, START + 2 * HOUR, NOW - 2 * HOUR,
        rescheduleUid="a", rescheduleStartTime=iso(START), rescheduledBy=GUEST,
    )  # fmt: skip
    assert [tell(customer, "cal", moved), tell(customer, "cal", moved)] == ["queued", "duplicate"]
    assert sessions(connection) == {"a": ("scheduled", None, START + HOUR)}
    assert moves(connection) == [("student", START, START + HOUR)]
    # Late: the booking that was moved is no session of its own again.
    assert tell(customer, "cal", created) == "ignored"

    absent = {
        "triggerEvent": "BOOKING_NO_SHOW_UPDATED", "createdAt": iso(NOW - HOUR),
        "payload": {"message": "x", "bookingUid": "b", "attendees": [{"email": GUEST, "noShow": True}]},
    }  # fmt: skip
    assert [tell(customer, "cal", absent), tell(customer, "cal", absent)] == ["queued", "ignored"]
    assert sessions(connection) == {"a": ("no_show", "student", START + HOUR)}

    # Somebody corrects it since: the event that comes again does not undo that, nor does one of before.
    connection.execute(
        "update raw.sessions set status = 'completed', initiator = null, updated_at = %s", [NOW - HOUR / 2]
    )
    assert tell(customer, "cal", absent) == "ignored"
    assert sessions(connection) == {"a": ("completed", None, START + HOUR)}

    off = booked.calcom_event(
        "BOOKING_CANCELLED", "b", START + HOUR, START + 2 * HOUR, NOW,
        cancelledBy=HOST, cancellationReason="Kid Miller is ill",
    )  # fmt: skip
    assert tell(customer, "cal", off) == "queued"
    # Free text may name people.
    assert connection.execute("select reason_code from raw.sessions").fetchall() == [(None,)]
    assert sessions(connection) == {"a": ("cancelled", "tutor", START + HOUR)}
    [(booked_at, tutor, student)] = connection.execute(
        "select booked_at, tutors.external_id, students.external_id from raw.sessions "
        "join raw.tutors using (tutor_id) join raw.students using (student_id)"
    ).fetchall()
    assert (booked_at, tutor, student) == (NOW - 2 * HOUR, HOST, GUEST)


def test_what_is_no_booking_is_ignored(customer: Served, connection: psycopg.Connection) -> None:
    assert tell(customer, "cal", {"triggerEvent": "PING", "createdAt": iso(NOW), "payload": {}}) == "ignored"
    assert tell(customer, "calendly", {"event": "routing_form_submission.created", "payload": {}}) == "ignored"
    assert tell(customer, "acuity", b"action=order.completed&id=5") == "ignored"
    assert sessions(connection) == {}


@pytest.mark.parametrize("is_backwards", [False, True])
def test_calendly_tells_a_move_in_two_events_of_any_order(
    customer: Served, connection: psycopg.Connection, is_backwards: bool
) -> None:
    address = "https://api.calendly.com/scheduled_events/{}/invitees/I"
    first = booked.calendly_event("E1", START, START + HOUR, NOW)
    second = booked.calendly_event("E2", START + HOUR, START + 2 * HOUR, NOW)
    cancellation = {"canceled_by": "Ann", "canceler_type": "host", "reason": "ill", "created_at": iso(NOW)}
    created = booked.calendly_invitee("E1", NOW - HOUR)
    canceled = booked.calendly_invitee(
        "E1", NOW, status="canceled", rescheduled=True, new_invitee=address.format("E2"), cancellation=cancellation
    )
    anew = booked.calendly_invitee("E2", NOW, old_invitee=address.format("E1"))

    def event(kind: str, of: dict[str, Any], invitee: dict[str, Any], at: datetime) -> dict[str, Any]:
        return {"event": kind, "created_at": iso(at), "payload": {**invitee, "scheduled_event": of}}

    assert tell(customer, "calendly", event("invitee.created", first, created, NOW - HOUR)) == "queued"
    both = [event("invitee.canceled", first, canceled, NOW), event("invitee.created", second, anew, NOW)]
    for each in reversed(both) if is_backwards else both:
        tell(customer, "calendly", each)
    assert sessions(connection) == {"E1": ("scheduled", None, START + HOUR)}
    assert moves(connection) == [("tutor", START, None)]


def test_acuity_is_asked_for_the_appointment(customer: Served, connection: psycopg.Connection) -> None:
    appointments["5"] = booked.acuity(5, START)
    assert tell(customer, "acuity", b"action=scheduled&id=5&calendarID=9&appointmentTypeID=1") == "queued"
    appointments["5"] = booked.acuity(5, START, canceled=True, noShow=True)
    assert tell(customer, "acuity", b"action=canceled&id=5&calendarID=9&appointmentTypeID=1") == "queued"
    assert sessions(connection) == {"5": ("no_show", "student", START)}


def test_of_who_was_erased_no_move_is_kept(customer: Served, connection: psycopg.Connection) -> None:
    erased = erased_ids(customer.settings, make=True)
    hashes = {"key": erased.check, "student": erased.hash("student", entity_uuid(GUEST))}
    moved = booked.calcom_event(
        "BOOKING_RESCHEDULED", "b", START, START + HOUR, NOW,
        rescheduleUid="a", rescheduleStartTime=iso(START), rescheduledBy=GUEST,
    )  # fmt: skip
    try:
        for kind, each in hashes.items():
            connection.execute("insert into raw.erased_ids values (%s, %s, '')", [each, kind])
        assert tell(customer, "cal", moved) == "rejected"
        assert connection.execute("select count(*) from raw.moved_bookings").fetchone() == (0,)
    finally:
        connection.execute("delete from raw.erased_ids where id_hash = any(%s)", [list(hashes.values())])
    assert sessions(connection) == {}
    assert tell(customer, "cal", moved) == "queued"
    assert connection.execute("select booking, earlier from raw.moved_bookings").fetchall() == [("b", "a")]


@pytest.mark.parametrize("name", SIGN)
def test_who_is_not_the_service_is_refused(customer: Served, connection: psycopg.Connection, name: str) -> None:
    body = encoded(booked.calcom_event("BOOKING_CREATED", "x", START, START + HOUR, NOW))
    signed = SIGN[name](body)
    [header] = [header for header in signed if header != "Content-Type"]
    for forged in ("", "x", signed[header][:-1], signed[header] + "0", "t=1,v1=" + "0" * 64, "ü"):
        headers = {**signed, header: forged.encode()}
        problem(post(customer, name, body, headers), 401)  # type: ignore[arg-type]
    problem(post(customer, name, body + b" ", signed), 401)
    assert sessions(connection) == {}


def test_an_old_signature_is_refused(customer: Served) -> None:
    body = encoded({"event": "x"})
    assert post(customer, "calendly", body, booked.signed_by_calendly(body, ago=200)).status_code == 200
    problem(post(customer, "calendly", body, booked.signed_by_calendly(body, ago=400)), 401)
    problem(post(customer, "calendly", body, booked.signed_by_calendly(body, ago=-400)), 401)


def test_without_a_key_no_connector_takes_webhooks(customer: Served) -> None:
    body = encoded({})
    for name in ("quiet", "unknown"):
        problem(post(customer, name, body, booked.signed_by_calcom(body)), 404)


def test_what_lacks_its_fields_is_told(customer: Served, connection: psycopg.Connection) -> None:
    event = booked.calcom_event("BOOKING_CREATED", "x", START, START + HOUR, NOW)
    for broken in (
        {**event, "payload": {"uid": "x", "attendees": [{}]}},
        {**event, "payload": [1]},
        {**event, "payload": {**event["payload"], "startTime": "soon"}},
        {**event, "payload": {**event["payload"], "attendees": [7]}},
        [],
    ):
        problem(post(customer, "cal", encoded(broken)), 400)
    # As a posted session that is not valid.
    nobody = {**event, "payload": {**event["payload"], "attendees": [{"name": "Kid"}]}}
    assert tell(customer, "cal", nobody) == "rejected"
    assert connection.execute("select count(*) from raw.quarantine").fetchone() == (1,)
    assert sessions(connection) == {}
