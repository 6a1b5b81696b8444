"""A conversation for the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from api.cases.invitation import Participant, calendar
from core.roles import Role
from tests.api.test_case_preparation import case, platform, reader
from tests.api.test_people import at_browser
from tests.api.test_problems import problem

if TYPE_CHECKING:
    import httpx2

    from api.cases.schemas import Case
    from tests.api.conftest import Served

__all__ = ["case", "platform", "reader"]

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
AT = datetime(2026, 2, 3, 16, 30, tzinfo=timezone(timedelta(hours=1)))
ADA = Participant(name="Ada Novak", email="ada@example.org")
ANN = Participant(name="Ann Lee", email="ann@example.org")


def lines(tutor: Participant, host: Participant | None) -> list[str]:
    """The lines as a program that reads them puts them together again."""
    body = calendar("case-17@tutorq", AT, 45, tutor, host, now=NOW)
    assert body.endswith(b"\r\n")
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert max(len(line) for line in body.split(b"\r\n")) <= 75
    return body.decode().replace("\r\n ", "").split("\r\n")[:-1]


def test_the_host_invites_the_tutor() -> None:
    assert lines(ADA, ANN) == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//tutorq//cases//EN",
        "CALSCALE:GREGORIAN",
        "BEGIN:VEVENT",
        "UID:case-17@tutorq",
        "DTSTAMP:20260131T120000Z",
        "DTSTART:20260203T153000Z",
        "DTEND:20260203T161500Z",
        "SUMMARY:Conversation: Ann Lee\\, Ada Novak",
        'ORGANIZER;CN="Ann Lee":mailto:ann@example.org',
        'ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN="Ada Novak":mailto:ada@example.org',
        "END:VEVENT",
        "END:VCALENDAR",
    ]


@pytest.mark.parametrize(
    ("tutor", "host"),
    [
        (ADA, None),
        (Participant(name="Ada Novak", email=None), ANN),
        (Participant(name="Ada Novak", email="ada@example.org\r\nATTENDEE:mailto:eve@example.org"), ANN),
        (Participant(name="Ada Novak", email="no address"), ANN),
    ],
)
def test_without_both_addresses_nobody_is_invited(tutor: Participant, host: Participant | None) -> None:
    assert not [line for line in lines(tutor, host) if line.startswith(("ORGANIZER", "ATTENDEE"))]


def test_names_end_no_line_and_are_folded_between_characters() -> None:
    name = 'Ada; "Bob" \\ Çelik\r\nDTSTART:19700101T000000Z ' + "ž😀" * 40
    found = lines(Participant(name=name, email="ada@example.org"), ANN)
    assert len([line for line in found if line.startswith("DTSTART")]) == 1
    (summary,) = [line for line in found if line.startswith("SUMMARY:")]
    assert summary == (
        'SUMMARY:Conversation: Ann Lee\\, Ada\\; "Bob" \\\\ Çelik\\nDTSTART:19700101T000000Z ' + "ž😀" * 40
    )
    (attendee,) = [line for line in found if line.startswith("ATTENDEE")]
    assert attendee.count('"') == 2


def test_nothing_of_concerns_or_students_is_in_it(platform: Served, reader: httpx2.Client, case: Case) -> None:
    path = f"/api/cases/{case.case_id}/invitation.ics"
    response = reader.get(path, params={"at": AT.isoformat()})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/calendar; charset=utf-8"
    assert response.headers["content-disposition"] == f'attachment; filename="conversation-{case.case_id}.ics"'
    assert "DTEND:20260203T160000Z" in response.text
    assert "ORGANIZER" not in response.text
    with at_browser(platform, Role.COACH, "Ann Lee") as ann:
        invited = ann.get(path, params={"at": AT.isoformat(), "minutes": 60}).text.replace("\r\n ", "")
    assert f"SUMMARY:Conversation: Ann Lee\\, {case.tutor.name}" in invited
    assert "mailto:Ann.Lee@example.org" in invited
    for student in reader.get(f"/api/cases/{case.case_id}/preparation").json()["data"]["students"]:
        assert str(student["name"]) not in invited
    assert not [each.concern for each in case.raised if each.concern in invited]


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"at": "2026-02-03T16:30:00"},
        {"at": "1770132600"},
        {"at": "9999-12-31T23:59:59Z"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"at": AT.isoformat(), "minutes": 4},
        {"at": AT.isoformat(), "minutes": 481},
        {"at": AT.isoformat(), "until": "later"},
    ],
)
def test_a_time_that_is_none(reader: httpx2.Client, case: Case, wanted: dict[str, str]) -> None:
    problem(reader.get(f"/api/cases/{case.case_id}/invitation.ics", params=wanted), 400)


def test_a_year_of_three_digits_has_four(reader: httpx2.Client, case: Case) -> None:
    path = f"/api/cases/{case.case_id}/invitation.ics"
    assert "DTSTART:07210322T200000Z\r\n" in reader.get(path, params={"at": "0721-03-22T20:00:00Z"}).text


def test_a_case_that_does_not_exist(reader: httpx2.Client) -> None:
    problem(reader.get("/api/cases/987654321/invitation.ics", params={"at": AT.isoformat()}), 404)
