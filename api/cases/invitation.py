"""A conversation as an iCalendar file (RFC 5545). Nothing of concerns or students is in it: the tutor gets it, too."""

import re
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

MEDIA_TYPE = "text/calendar; charset=utf-8"
# Octets of a line without its end (RFC 5545, 3.1).
LINE = 75
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
ADDRESS = re.compile(r"[^\s@\x00-\x1f\x7f<>\"]+@[^\s@\x00-\x1f\x7f<>\"]+")


class Participant(BaseModel):
    """Who is to be there."""

    name: str | None
    email: str | None


def calendar(
    uid: str, at: datetime, minutes: int, tutor: Participant, host: Participant | None, *, now: datetime
) -> bytes:
    """One event. With the addresses of both, the host invites the tutor.

    Raises:
        OverflowError: it does not lie in the years 1 to 9999.
    """
    names = [each.name for each in (host, tutor) if each and each.name]
    summary = f"Conversation: {', '.join(names)}" if names else "Conversation"
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//tutorq//cases//EN",
        "CALSCALE:GREGORIAN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{_utc(now)}",
        f"DTSTART:{_utc(at)}",
        f"DTEND:{_utc(at + timedelta(minutes=minutes))}",
        f"SUMMARY:{_text(summary)}",
    ]
    if host and _is_address(host.email) and _is_address(tutor.email):
        lines += [
            f"ORGANIZER{_name(host)}:mailto:{host.email}",
            f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE{_name(tutor)}:mailto:{tutor.email}",
        ]
    lines += ["END:VEVENT", "END:VCALENDAR"]
    return "".join(f"{_folded(line)}\r\n" for line in lines).encode()


def _utc(moment: datetime) -> str:
    # strftime writes the year 721 with three digits.
    return re.sub("[-:]", "", moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")) + "Z"


def _text(value: str) -> str:
    value = re.sub(r"([\\;,])", r"\\\1", value)
    return CONTROLS.sub("", re.sub(r"\r\n|\r|\n", r"\\n", value))


def _name(person: Participant) -> str:
    if not person.name:
        return ""
    # A quoted parameter holds no quotation marks.
    quotable = CONTROLS.sub(" ", person.name).replace('"', "'")
    return f';CN="{quotable}"'


def _is_address(email: str | None) -> bool:
    return email is not None and ADDRESS.fullmatch(email) is not None


def _folded(line: str) -> str:
    """The line in pieces of 75 octets, between characters; all but the first begin with a blank."""
    pieces, length = [""], 0
    for character in line:
        size = len(character.encode())
        if length + size > LINE:
            pieces.append(" ")
            length = 1
        pieces[-1] += character
        length += size
    return "\r\n".join(pieces)
