"""Times that are not written in plain ISO 8601, and still have one meaning only; and why the others are refused."""

import datetime
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ingest.arrow import ArrowColumn, compute
from ingest.contract import Column
from ingest.notes import Notes
from ingest.spelling import is_empty_word
from ingest.unusual import EMPTY, AreWrong, Reading, note_rewritten

# Plain times, for RE2 and for Python.
DATE = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
OFFSET = r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
TIME = rf"{DATE}(?:[T ]{CLOCK}{OFFSET}?)?"

FORMAT_RULE = "is not an ISO 8601 time such as 2026-01-31T15:00:00Z"
DATE_FORMAT_RULE = "is not a date such as 2026-01-31"
OTHER_FORM = "times in another form than ISO 8601"

_IS_PLAIN = re.compile(TIME)
# What Rails, Postgres clients and many a log write: a blank before the zone, or its name.
_SPACED = rf"^({DATE}[T ]{CLOCK})(?: ?(UTC|utc|GMT|z)| (Z|[+-](?:0[0-9]|1[0-5]):?[0-5][0-9]))$"
_NO_SECONDS_AND_WEST = r"^.{16} -"
# What databases, .NET and Excel write where there is no time.
_ZERO_DAY = "0001-01-01"
_SENTINEL = re.compile(
    rf"(?:0000-00-00|{_ZERO_DAY}|1900-01-00)(?:[T ][0-9:.,]{{4,18}})?(?: ?(?:Z|UTC|[+-][0-9:]{{2,6}}))?"
)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# No time is longer, and the patterns below would take long to refuse what is.
_LONGEST = 100

_YEAR_FIRST = r"(?P<year>[0-9]{4})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})"
_WEEKDAY = r"(?:(?P<weekday>[A-Za-z]{3,9}),?\s)?"
_NAMED = r"(?P<name>[A-Za-z]{3,9})\.?"
_DAY_NAMED = rf"{_WEEKDAY}(?P<day>[0-9]{{1,2}})[-\s]{_NAMED}[-\s](?P<year>[0-9]{{4}})"
_MONTH_NAMED = rf"{_WEEKDAY}{_NAMED}\s(?P<day>[0-9]{{1,2}}),?\s(?P<year>[0-9]{{4}})"
_HOURS_MINUTES = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,12}))?)?"
)
_ANY_CLOCK = rf"(?:{_HOURS_MINUTES}(?:\s?(?P<half>[AaPp])[Mm])?)"
_ANY_OFFSET = r"(?P<offset>[Zz]|UTC|utc|GMT|[+\-\u2212][0-9]{2}(?::?[0-9]{2}(?::?00)?)?)"
_REGION = r"(?:\s?\[(?P<bracket>[A-Za-z0-9_/+\-]+)\]|\s(?P<region>[A-Z][A-Za-z_]+/[A-Za-z0-9_/+\-]+))"
_ANY_ZONE = rf"(?:(?P<gap>\s?){_ANY_OFFSET})?{_REGION}?"
_FORMS = [
    re.compile(rf"{_YEAR_FIRST}(?:(?:[Tt]|\s){_ANY_CLOCK}{_ANY_ZONE})?"),
    re.compile(rf"{_YEAR_FIRST}[Tt](?P<hour>[0-9]{{2}}){_ANY_ZONE}"),
    # As calendars write it.
    re.compile(
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})[Tt]"
        rf"(?P<hour>[0-9]{{2}})(?P<minute>[0-9]{{2}})(?P<second>[0-9]{{2}}){_ANY_ZONE}"
    ),
    re.compile(rf"{_DAY_NAMED}(?:,?\s{_ANY_CLOCK}{_ANY_ZONE})?"),
    re.compile(rf"{_MONTH_NAMED}(?:,?\s{_ANY_CLOCK}{_ANY_ZONE})?"),
]
# As browsers write it: nothing in brackets adds to the offset.
_OF_BROWSER = re.compile(r" GMT([+-][0-9]{4})(?: \([^()]*\))?$")

_HOW = "write it as 2026-01-31T15:00:00Z, or say in a mapping how times are written"
_IN_EXCEL = "in Excel, set the cell format yyyy-mm-dd hh:mm and save again"
_REASONS = [
    (
        re.compile(r"[0-9]{1,2}[/.\-][0-9]{1,2}[/.\-](?:[0-9]{4}|[0-9]{2})\b.*"),
        f"does not say which number is the day and which the month: {_IN_EXCEL}, or give the date form in a mapping",
    ),
    (re.compile(r"[0-9]{5}(?:[.,][0-9]+)?"), f"looks like the number by which Excel counts days: {_IN_EXCEL}"),
    (re.compile(r"-?[0-9]{9,19}(?:\.[0-9]+)?"), f"looks like a count of seconds since 1970: {_HOW}"),
    (
        re.compile(r".*:[0-9]{2}\s?(?:[AaPp][Mm]\s)?(?!AM|PM|GMT|UTC)[A-Z]{1,5}"),
        "names no zone that is the same everywhere: write the offset, such as -05:00, or give the zone in a mapping, "
        "such as America/New_York",
    ),
    (
        re.compile(r".*:[0-9]{2}.*(?:\[|\s)[A-Za-z][A-Za-z0-9_+\-]*/[A-Za-z0-9_/+\-]+\]?"),
        "names a zone that is not known, or whose offset is another one: write the offset only, such as +01:00",
    ),
]


@dataclass(frozen=True, slots=True)
class _Moment:
    """A time as it was written: the day, and the time with its offset if it has one, in ISO 8601."""

    day: str
    text: str


def read_time(text: str) -> Reading | None:
    """What a time means that is not plain ISO 8601; None if that is not beyond doubt."""
    if is_empty_word(text) or _SENTINEL.fullmatch(text):
        return EMPTY
    moment = None if _IS_PLAIN.fullmatch(text) else _moment(text)
    return None if moment is None else Reading(moment.text, OTHER_FORM)


def read_date(text: str) -> Reading | None:
    """As `read_time`, of a date: of a time its day, as it was written."""
    if is_empty_word(text) or _SENTINEL.fullmatch(text):
        return EMPTY
    moment = _moment(text)
    return None if moment is None else Reading(moment.day, "times, and other forms of dates, by their day")


def time_reason(text: str, is_in_file: bool) -> str:
    """Why a time is refused; of a file, what to do."""
    return (_reason(text) if is_in_file else None) or FORMAT_RULE


def date_reason(text: str, is_in_file: bool) -> str:
    """Why a date is refused; of a file, what to do."""
    return (_reason(text) if is_in_file else None) or DATE_FORMAT_RULE


def are_other(texts: ArrowColumn) -> ArrowColumn:
    """A mask, without nulls, of the texts that are not plain times, or are one that stands for none."""
    are_plain = compute.match_substring_regex(texts, f"^{TIME}$")
    are_plain = compute.and_(are_plain, compute.invert(compute.starts_with(texts, _ZERO_DAY)))
    return compute.invert(compute.fill_null(are_plain, True))  # type: ignore[no-any-return]


def with_usual_zone(column: Column, texts: ArrowColumn, are_wrong: AreWrong, notes: Notes) -> ArrowColumn:
    """Times such as `2026-01-31 15:00:00 UTC` as plain ones; the others stay.

    A column of a million of them is read as fast as plain ones. Not `15:00 -16:00`, which may be from when to when.
    """
    are_spaced = compute.match_substring_regex(texts, _SPACED)
    are_spaced = compute.and_(are_spaced, compute.invert(compute.match_substring_regex(texts, _NO_SECONDS_AND_WEST)))
    are_spaced = compute.fill_null(are_spaced, False)
    if not compute.any(are_spaced).as_py():
        return texts
    before = texts.filter(are_spaced)
    after = compute.replace_substring_regex(before, _SPACED, r"\1\2\3")
    after = compute.replace_substring_regex(after, "[A-Za-z]+$", "Z")
    note_rewritten(column, OTHER_FORM, before, after, are_wrong, notes)
    rewritten: ArrowColumn = compute.replace_with_mask(texts, are_spaced, after)
    return rewritten


def _reason(text: str) -> str | None:
    if len(text) > _LONGEST:
        return None
    return next((reason for form, reason in _REASONS if form.fullmatch(text)), None)


def _moment(text: str) -> _Moment | None:
    if len(text) > _LONGEST:
        return None
    text = _OF_BROWSER.sub(r" \1", text)
    for form in _FORMS:
        if found := form.fullmatch(text):
            return _of_parts({name: part for name, part in found.groupdict().items() if part is not None})
    return None


def _of_parts(parts: dict[str, str]) -> _Moment | None:
    """None if there is no such time, or if two parts contradict each other."""
    month = int(parts["month"]) if "month" in parts else _month_named(parts["name"])
    try:
        day = datetime.date(int(parts["year"]), month, int(parts["day"]))
    except ValueError:
        return None
    if "weekday" in parts and not _is_weekday(parts["weekday"], day):
        return None
    if "hour" not in parts:
        return _Moment(day.isoformat(), day.isoformat())
    clock = _clock(parts)
    offset = parts.get("offset")
    is_plain = len(parts["hour"]) == 2 and "half" not in parts and not parts.get("gap")
    if clock is None or (offset and offset[0] in "-\u2212" and not is_plain and "second" not in parts):
        # 9:00-10:00 may be from when to when.
        return None
    try:
        wall = datetime.datetime.combine(day, datetime.time()) + clock
    except OverflowError:
        return None
    return _zoned(day.isoformat(), wall, offset, parts.get("bracket") or parts.get("region"))


def _clock(parts: dict[str, str]) -> datetime.timedelta | None:
    """Since the day began. 24:00 ends it, and a leap second is the one that follows."""
    hour, minute, second = (int(parts.get(name, 0)) for name in ("hour", "minute", "second"))
    micros = int(parts.get("fraction", "").ljust(6, "0")[:6])
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    is_end_of_day = hour == 24 and not (minute or second or micros)
    is_leap_second = second == 60 and minute == 59
    if (hour > 23 and not is_end_of_day) or minute > 59 or (second > 59 and not is_leap_second):
        return None
    return datetime.timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)


def _zoned(day: str, wall: datetime.datetime, offset: str | None, region: str | None) -> _Moment | None:
    if offset is not None:
        offset = "Z" if offset[0] in "ZzUuG" else _usual_offset(offset)
    if region is not None:
        try:
            zone = ZoneInfo(region)
        except (KeyError, OSError, ValueError):
            return None
        # Of an hour that comes twice the first, if nothing else is said.
        offsets = [_usual_offset(wall.replace(tzinfo=zone, fold=fold).isoformat()[-6:]) for fold in (0, 1)]
        said = "+00:00" if offset == "Z" else offset
        if said is not None and said not in offsets:
            return None
        offset = offset or offsets[0]
    return _Moment(day, wall.isoformat() + (offset or ""))


def _usual_offset(text: str) -> str:
    digits = text[1:].replace(":", "")
    sign = "+" if text[0] == "+" else "-"
    return f"{sign}{digits[:2]}:{digits[2:4] or '00'}"


def _month_named(name: str) -> int:
    """0, which no month is, for other words."""
    name = name.lower()
    spelt = (at for at, month in enumerate(_MONTHS, start=1) if name in (month, month[:3]))
    return next(spelt, 9 if name == "sept" else 0)


def _is_weekday(name: str, day: datetime.date) -> bool:
    full = _WEEKDAYS[day.weekday()]
    return name.lower() in (full, full[:3])
