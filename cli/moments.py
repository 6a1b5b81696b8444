"""Times as people type them: `90d`, `12h`, `2026-01-31`."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.errors import TutorqError

DURATION = re.compile(r"(\d{1,5})\s*([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(option: str, text: str) -> timedelta:
    """A span such as `90d`; `0` is none.

    Raises:
        TutorqError: it is not one; the message names the option.
    """
    if text.strip() == "0":
        return timedelta(0)
    match = DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise TutorqError(f"{option} {text!r} is not a duration such as 30m, 12h, 90d or 4w")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def moment(option: str, text: str, zone: str) -> datetime:
    """A date (its beginning in the reporting zone), a date and time, or a span such as `7d` before now.

    Raises:
        TutorqError: it is none of these; the message names the option.
    """
    if DURATION.fullmatch(text.strip().lower()):
        return datetime.now(UTC) - duration(option, text)
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise TutorqError(f"{option} {text!r} is not a date, a date and time, or a span such as 7d") from error
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))
