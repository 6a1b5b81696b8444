"""Booking tools that page, throttle and fail; bookings that are moved, called off and missed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.erased import erased_ids
from core.errors import TutorqError
from core.settings import PROJECT_ROOT
from ingest.ids import entity_uuid
from tests.connectors import booked
from tests.connectors.booked import GUEST, HOST, iso
from tests.connectors.conftest import Installation
from tests.connectors.sources import Answer, Request, Service, configure, serving

pytestmark = pytest.mark.connectors

NOW = datetime.now(UTC).replace(microsecond=0, second=0)
HOUR = timedelta(hours=1)
YESTERDAY, TOMORROW = NOW - 24 * HOUR, NOW + 24 * HOUR
PULL = """
from connectors.configuration import connector_of
from connectors.pull.run import pull
from core.database import Database, DatabaseRole
from core.settings import Settings
settings = Settings()
pull("cal", connector_of(settings, "cal"), settings, Database(settings, DatabaseRole.INGEST))
"""


class CalCom:
    """Lists `items`, as its documentation says it lists them: by a key, in pages, filtered by times."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def add(self, uid: str, start: datetime, updated: datetime = YESTERDAY, **more: Any) -> None:
        self.items = [item for item in self.items if item["uid"] != uid]
        self.items.append(booked.calcom(uid, start, start + HOUR, updated, **more))

    def __call__(self, request: Request) -> Answer:
        if request.headers.get("Authorization") != "Bearer cal_key":
            return Answer({"status": "error"}, 401)
        assert (request.path, request.headers["cal-api-version"]) == ("/v2/bookings", "2024-08-13")
        query = request.query

        def fits(item: dict[str, Any]) -> bool:
            times = {
                name: datetime.fromisoformat(value)
                for name, value in query.items() if name in ("afterStart", "beforeEnd", "afterUpdatedAt")
            }  # fmt: skip
            start, end, updated = (datetime.fromisoformat(item[name]) for name in ("start", "end", "updatedAt"))
            return (
                start >= times.get("afterStart", start)
                and end <= times.get("beforeEnd", end)
                and updated >= times.get("afterUpdatedAt", updated)
            )

        found = [item for item in self.items if fits(item)]
        skip, take = int(query["skip"]), int(query["take"])
        page = found[skip : skip + take]
        more = skip + take < len(found)
        return Answer(
            {"status": "success", "data": page, "pagination": {"hasNextPage": more, "totalItems": len(found)}}
        )


@pytest.fixture
def cal() -> CalCom:
    return CalCom()


@pytest.fixture
def service(cal: CalCom, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("TUTORQ_CONNECTOR_CAL_KEY", "cal_key")
    with serving(cal) as service:
        configure(installation.settings, cal={"kind": "calcom", "url": service.url, "since": "2026-01-01"})
        yield service


def test_all_pages_come_once_and_then_what_is_new(installation: Installation, service: Service, cal: CalCom) -> None:
    for number in range(250):
        cal.add(f"b{number}", YESTERDAY)
    assert installation.sync("cal").rows == {"sessions": 250}
    assert [request.query["skip"] for request in service.asked] == ["0", "100", "200"]
    assert installation.sync("cal").rows == {}
    cal.add("b7", YESTERDAY, NOW, status="cancelled", cancelledByEmail=HOST, cancellationReason="ill")
    assert installation.sync("cal").rows == {"sessions": 1}
    found = installation.sessions()
    assert len(found) == 250
    assert found["b7"][:2] == ("cancelled", "tutor")
    assert found["b8"][0] == "completed"
    assert installation.query("select distinct external_id from raw.tutors") == [(HOST,)]
    assert installation.query("select distinct external_id from raw.students") == [(GUEST,)]


def test_throttled_and_failing_is_asked_again(installation: Installation, service: Service, cal: CalCom) -> None:
    cal.add("b", TOMORROW)
    service.due = [Answer({}, 429, {"Retry-After": "1"}), Answer({}, 500), Answer({}, 503, {"Retry-After": "1"})]
    assert installation.sync("cal").rows == {"sessions": 1}
    assert len(service.asked) == 4


def test_what_cannot_be_read_is_told_and_read_the_next_time(
    installation: Installation, service: Service, cal: CalCom, monkeypatch: pytest.MonkeyPatch
) -> None:
    cal.add("b", TOMORROW)
    monkeypatch.setenv("TUTORQ_CONNECTOR_CAL_KEY", "c4n4ry")
    with pytest.raises(TutorqError) as told:
        installation.pull("cal")
    assert str(told.value) == "cal: the service answered 401: check the key"
    monkeypatch.setenv("TUTORQ_CONNECTOR_CAL_KEY", "cal_key")
    assert installation.sync("cal").rows == {"sessions": 1}


@pytest.mark.parametrize("request_number", [1, 2, 3])
def test_a_run_that_is_killed_between_pages_loses_nothing(
    installation: Installation, service: Service, cal: CalCom, request_number: int
) -> None:
    for number in range(250):
        cal.add(f"b{number}", YESTERDAY)
    victim = subprocess.Popen(
        ["/bin/sh", "-c", f'read go; exec {sys.executable} -c "$0"', PULL], stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
    )  # fmt: skip
    service.victim, service.kills = victim.pid, request_number
    victim.communicate(b"go\n")
    assert victim.returncode == -signal.SIGKILL
    service.victim = None
    assert not installation.landed("cal")
    installation.sync("cal")
    assert len(installation.sessions()) == 250


def test_time_ends_what_nobody_touches(installation: Installation, service: Service, cal: CalCom) -> None:
    cal.add("b", NOW - HOUR / 2, updated=YESTERDAY)
    installation.sync("cal")
    assert installation.sessions()["b"][0] == "scheduled"
    cal.items[0] |= {"start": iso(NOW - 3 * HOUR), "end": iso(NOW - 2 * HOUR)}  # as if the time had passed
    installation.sync("cal")
    assert installation.sessions()["b"][0] == "completed"
    cal.items[0] |= {"updatedAt": iso(NOW), "absentHost": True}
    installation.sync("cal")
    assert installation.sessions()["b"][:2] == ("no_show", "tutor")


def test_a_booking_that_is_moved_twice_is_one_session(
    installation: Installation, service: Service, cal: CalCom
) -> None:
    cal.add("a", TOMORROW)
    installation.sync("cal")
    moved = {"rescheduledByEmail": HOST, "reschedulingReason": "ill"}
    cal.add("a", TOMORROW, NOW, status="cancelled", rescheduledToUid="b", **moved)
    cal.add("b", TOMORROW + 2 * HOUR, NOW, rescheduledFromUid="a", createdAt=iso(NOW), **moved)
    assert installation.sync("cal").rows == {"sessions": 1, "reschedules": 1}
    assert installation.sync("cal").rows == {}
    cal.add("b", TOMORROW + 2 * HOUR, NOW, status="cancelled", rescheduledFromUid="a", rescheduledToUid="c", **moved)
    again = {"rescheduledFromUid": "b", "createdAt": iso(NOW + HOUR / 60), "rescheduledByEmail": GUEST}
    cal.add("c", TOMORROW + 4 * HOUR, NOW + HOUR / 60, **again)
    installation.sync("cal")
    assert {key: row[2] for key, row in installation.sessions().items()} == {"a": TOMORROW + 4 * HOUR}
    moves = installation.query(
        "select initiator, original_time, new_time, requested_at from raw.reschedules order by requested_at"
    )
    assert moves == [
        ("tutor", TOMORROW, TOMORROW + 2 * HOUR, NOW),
        ("student", TOMORROW + 2 * HOUR, TOMORROW + 4 * HOUR, NOW + HOUR / 60),
    ]


def test_who_moved_a_booking_is_not_guessed(installation: Installation, service: Service, cal: CalCom) -> None:
    cal.add("a", TOMORROW, status="cancelled", rescheduledToUid="b")
    cal.add("b", TOMORROW + HOUR, rescheduledFromUid="a")
    installation.sync("cal")
    assert {key: row[:2] for key, row in installation.sessions().items()} == {
        "a": ("cancelled", None), "b": ("scheduled", None)
    }  # fmt: skip


def test_of_who_was_erased_no_move_is_kept(installation: Installation, service: Service, cal: CalCom) -> None:
    erased = erased_ids(installation.settings, make=True)
    with installation.database.connect() as connection:
        for kind, each in (("key", erased.check), ("student", erased.hash("student", entity_uuid(GUEST)))):
            connection.execute("insert into raw.erased_ids values (%s, %s, '')", [each, kind])
    moved = {"rescheduledByEmail": HOST}
    cal.add("a", TOMORROW, NOW, status="cancelled", rescheduledToUid="b", **moved)
    cal.add("b", TOMORROW + HOUR, NOW, rescheduledFromUid="a", createdAt=iso(NOW), **moved)
    cal.add("c", TOMORROW + HOUR, NOW, attendees=[{"email": "other@example.org", "name": "Other"}])
    installation.sync("cal")
    assert sorted(installation.sessions()) == ["c"]
    assert installation.query("select count(*) from raw.moved_bookings") == [(0,)]


def test_new_fields_are_named(installation: Installation, service: Service, cal: CalCom) -> None:
    cal.add("a", TOMORROW)
    installation.sync("cal")
    cal.add("b", TOMORROW, NOW, mood="good")
    assert installation.sync("cal").new_columns == ["bookings.mood"]


def test_calendly(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORQ_CONNECTOR_CALENDLY_KEY", "token")
    old = "https://api.calendly.com/scheduled_events/E1/invitees/I"
    new = "https://api.calendly.com/scheduled_events/E2/invitees/I"
    cancellation = {"canceled_by": "Kid", "canceler_type": "invitee", "reason": "ill", "created_at": iso(NOW)}
    group = {"invitees_counter": {"total": 2, "active": 2, "limit": 5}}
    events = [
        booked.calendly_event("E1", TOMORROW, TOMORROW + HOUR, NOW, status="canceled"),
        booked.calendly_event("E2", TOMORROW + HOUR, TOMORROW + 2 * HOUR, NOW),
        booked.calendly_event("E3", YESTERDAY, YESTERDAY + HOUR, YESTERDAY, **group),
        booked.calendly_event("E4", YESTERDAY, YESTERDAY + HOUR, YESTERDAY, status="canceled"),
    ]
    off = {"canceled_by": "Ann", "canceler_type": "host", "reason": "Kid is ill", "created_at": iso(YESTERDAY - HOUR)}
    invitees = {
        "E1": [
            booked.calendly_invitee(
                "E1", NOW, status="canceled", rescheduled=True, new_invitee=new, cancellation=cancellation
            )
        ],
        "E2": [booked.calendly_invitee("E2", NOW, old_invitee=old)],
        "E3": [
            booked.calendly_invitee("E3", NOW, "I1", no_show={"uri": "x", "created_at": iso(NOW)}),
            booked.calendly_invitee("E3", NOW, "I2", email="other@example.org"),
        ],
        "E4": [booked.calendly_invitee("E4", YESTERDAY, status="canceled", cancellation=off)],
    }

    def answer(request: Request) -> Answer:
        assert request.headers["Authorization"] == "Bearer token"
        if request.path == "/scheduled_events":
            first = "page_token" not in request.query
            following = f"{request.address}&page_token=2" if first else None
            page = events[:2] if first else events[2:]
            return Answer({"collection": page, "pagination": {"next_page": following}})
        number = request.path.split("/")[2]
        return Answer({"collection": invitees[number], "pagination": {"next_page": None}})

    with serving(answer) as service:
        account = "https://api.calendly.com/organizations/O"
        configure(
            installation.settings,
            calendly={"kind": "calendly", "url": service.url, "since": "2026-01-01", "account": account},
        )
        installation.sync("calendly")
        assert installation.sync("calendly").rows == {}
    found = installation.sessions()
    assert {key: row[:2] for key, row in found.items()} == {
        "E1": ("scheduled", None), "E3/I1": ("no_show", "student"), "E3/I2": ("completed", None),
        "E4": ("cancelled", "tutor"),
    }  # fmt: skip
    assert found["E1"][2] == TOMORROW + HOUR
    moves = installation.query("select initiator, original_time, reason from raw.reschedules")
    assert moves == [("student", TOMORROW, "ill")]
    assert installation.query("select distinct reason_code from raw.sessions") == [(None,)]
    assert installation.query("select count(distinct lesson_id) from raw.sessions") == [(1,)]


def test_acuity(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORQ_CONNECTOR_ACUITY_KEY", "secret")
    items = [booked.acuity(1, YESTERDAY), booked.acuity(2, TOMORROW), booked.acuity(3, YESTERDAY, canceled=True)]
    items.append(booked.acuity(4, YESTERDAY, canceled=True, noShow=True))

    def answer(request: Request) -> Answer:
        assert request.headers["Authorization"].startswith("Basic ")
        query = request.query
        return Answer(
            [
                item
                for item in items
                if query["minDate"] <= item["datetime"][:10] <= query["maxDate"]
                and str(item["canceled"]).lower() == query["canceled"]
            ]
        )

    with serving(answer) as service:
        since = (NOW - timedelta(days=3)).date().isoformat()
        connector = {"kind": "acuity", "url": service.url, "since": since, "account": "17", "ahead_days": 3}
        configure(installation.settings, acuity=connector)
        installation.sync("acuity")
        assert installation.sync("acuity").files == []
        items[1] = booked.acuity(2, TOMORROW + HOUR)
        installation.sync("acuity")
    found = installation.sessions()
    assert {key: row[:2] for key, row in found.items()} == {
        "1": ("completed", None), "2": ("scheduled", None), "3": ("cancelled", None), "4": ("no_show", "student")
    }  # fmt: skip
    assert found["2"][2] == TOMORROW + HOUR
