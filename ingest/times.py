"""Times and dates of landing files: strict ISO 8601, whole columns at a time. Other forms: time_forms.py."""

import datetime
from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.arrow import ArrowColumn, compute
from ingest.time_forms import CLOCK, DATE, OFFSET, TIME, date_reason, time_reason

FIRST_YEAR = 1970
LAST_YEAR = 2100

# What most times look like; none of them needs `zone`.
ZONED_TIME_PATTERN = rf"{DATE}[T ]{CLOCK}{OFFSET}"
_TIME_PATTERN = rf"^{TIME}$"
_ZONED_PATTERN = rf"^.{{10}}[T ].*{OFFSET}$"
# A date may carry an empty clock: that is how a midnight is written by tools that know only times.
_DATE_PATTERN = rf"^{DATE}(?:[T ]00:00(?::00(?:\.0+)?)?)?$"

_UTC_TYPE = pa.timestamp("us", "UTC")

# What is wrong with a text, or how to say it: of a cell of a file (true), of which more can be said, or of a post.
Reason = str | Callable[[str, bool], str]

# Clocks of senders differ, and a time without an offset may be off by half a day.
MOST_AHEAD = datetime.timedelta(days=1)
AHEAD_RULE = "is more than a day ahead of the server's clock"
YEAR_RULE = f"is not between the years {FIRST_YEAR} and {LAST_YEAR}"


def parse_times(texts: ArrowColumn, zone: str) -> tuple[ArrowColumn, list[tuple[ArrowColumn, Reason | None]]]:
    """Texts to timestamps (UTC, µs); null where empty or wrong.

    Digits beyond microseconds are cut. A time without an offset is read in `zone`; where clocks jump,
    the offset before the jump counts (the earlier reading of an hour that comes twice).

    Returns:
        The timestamps and, per rule, a mask of the rows that break it.
    """
    matches = compute.match_substring_regex(texts, _TIME_PATTERN)
    if not compute.all(matches, min_count=0).as_py():
        texts = compute.replace_substring_regex(texts, r"^(.{19}\.\d{6})\d{1,12}", r"\1")
        matches = compute.match_substring_regex(texts, _TIME_PATTERN)
    readable, matches = _only_real_dates(texts, matches)
    are_zoned = compute.match_substring_regex(readable, _ZONED_PATTERN)
    zoned_count = compute.sum(are_zoned, min_count=0).as_py()
    if zoned_count == len(readable) - readable.null_count:
        values = compute.cast(readable, _UTC_TYPE)
    elif zoned_count == 0:
        values = _localize(readable, zone)
    else:
        values = compute.coalesce(
            compute.cast(compute.if_else(are_zoned, readable, None), _UTC_TYPE),
            _localize(compute.if_else(are_zoned, None, readable), zone),
        )
    first = pa.scalar(datetime.datetime(FIRST_YEAR, 1, 1, tzinfo=datetime.UTC), _UTC_TYPE)
    end = pa.scalar(datetime.datetime(LAST_YEAR + 1, 1, 1, tzinfo=datetime.UTC), _UTC_TYPE)
    is_outside = compute.or_(compute.less(values, first), compute.greater_equal(values, end))
    return values, [(compute.invert(matches), time_reason), (is_outside, YEAR_RULE)]


def is_ahead(values: ArrowColumn) -> tuple[ArrowColumn, str]:
    """The rule for times that are a version: a mask of those that are too far in the future, and what to call it."""
    return compute.greater(values, pa.scalar(newest_version(), _UTC_TYPE)), AHEAD_RULE


def newest_version() -> datetime.datetime:
    """The latest time that a version may have at this moment."""
    return datetime.datetime.now(datetime.UTC) + MOST_AHEAD


def parse_dates(texts: ArrowColumn) -> tuple[ArrowColumn, list[tuple[ArrowColumn, Reason | None]]]:
    """Texts to dates; null where empty or wrong. Returns as `parse_times`."""
    readable, matches = _only_real_dates(texts, compute.match_substring_regex(texts, _DATE_PATTERN))
    values = compute.cast(compute.utf8_slice_codeunits(readable, 0, 10), pa.date32())
    first = pa.scalar(datetime.date(FIRST_YEAR, 1, 1), pa.date32())
    last = pa.scalar(datetime.date(LAST_YEAR, 12, 31), pa.date32())
    is_outside = compute.or_(compute.less(values, first), compute.greater(values, last))
    return values, [(compute.invert(matches), date_reason), (is_outside, YEAR_RULE)]


def _only_real_dates(texts: ArrowColumn, matches: ArrowColumn) -> tuple[ArrowColumn, ArrowColumn]:
    """Blank what does not match or names a day that does not exist (30 February)."""
    readable = compute.if_else(matches, texts, None)
    try:
        compute.cast(compute.utf8_slice_codeunits(readable, 0, 10), pa.date32())
    except pa.ArrowInvalid:
        real = pa.array([text is None or _is_real_date(text[:10]) for text in readable.to_pylist()])
        matches = compute.and_(matches, real)
        readable = compute.if_else(matches, texts, None)
    return readable, matches


def _is_real_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _localize(texts: ArrowColumn, zone: str) -> ArrowColumn:
    """Texts without an offset to UTC timestamps."""
    walls = compute.cast(compute.cast(texts, pa.timestamp("us")), pa.int64())
    thresholds, offsets = _wall_offsets(zone)
    micros = compute.fill_null(walls, 0).to_numpy(zero_copy_only=False)
    shift = offsets[np.searchsorted(thresholds, micros // 1_000_000, side="right")] * 1_000_000
    values: ArrowColumn = compute.cast(compute.subtract(walls, pa.array(shift)), _UTC_TYPE)
    return values


@cache
def _wall_offsets(zone: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Wall-clock seconds at which the UTC offset of `zone` changes, and the offsets between them (seconds).

    Found by bisection from `zoneinfo`, because Arrow needs a time zone database of the system, which slim
    containers lack. A jump from offset a to b at the UTC second u counts from the wall second
    u + max(a, b) on: until then the offset before the jump is a valid reading, or the only sensible one.
    """
    info = ZoneInfo(zone)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

    def offset_at(second: int) -> int:
        shift = (epoch + datetime.timedelta(seconds=second)).astimezone(info).utcoffset()
        return int(shift.total_seconds()) if shift is not None else 0

    day = 86_400
    days = (datetime.date(LAST_YEAR + 2, 1, 1) - datetime.date(FIRST_YEAR, 1, 1)).days
    thresholds: list[int] = []
    offsets = [offset_at(-day)]
    for end in range(0, days * day, day):
        offset = offset_at(end)
        if offset != offsets[-1]:
            jump = _first_second(offset_at, end - day, end)
            thresholds.append(jump + max(offset, offsets[-1]))
            offsets.append(offset)
    return np.array(thresholds, np.int64), np.array(offsets, np.int64)


def _first_second(offset_at: Callable[[int], int], before: int, after: int) -> int:
    """The first second in (before, after] with the offset of `after`."""
    target = offset_at(after)
    while after - before > 1:
        middle = (before + after) // 2
        if offset_at(middle) == target:
            after = middle
        else:
            before = middle
    return after
