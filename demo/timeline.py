"""The clock of the demo: local days and seconds, the season, and the way back to UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from core.errors import TutorqError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

DAY_SECONDS = 86_400
FUTURE_DAYS = 14
# Bookings reach back before the first day.
MARGIN_DAYS = 60

WEEKDAY_WEIGHTS = np.array([0.17, 0.175, 0.175, 0.17, 0.145, 0.105, 0.06])

# Demand over the year (day of year, level): exams in January and from May to June, a dip in summer and at Christmas.
SEASON_DAYS = [1, 8, 20, 46, 105, 128, 166, 182, 196, 232, 253, 275, 350, 358, 366]
SEASON_LEVELS = [0.45, 1.1, 1.15, 1.0, 1.0, 1.15, 1.2, 0.95, 0.65, 0.55, 0.85, 1.0, 1.0, 0.5, 0.45]


@dataclass(frozen=True)
class Timeline:
    """Days and seconds count from the local midnight that starts `first_day`, a Monday.

    Whole weeks, and the week of `until` up to it. What is drawn knows of `weeks` only and goes on beyond `until`, which
    cuts it: so the demos of all days of a week are one marketplace, more or less far.

    A whole local day gets the UTC offset of its noon: clocks change at night, when nobody is taught.
    """

    first_day: date
    weeks: int
    """Whole weeks before that of `until`."""
    last_day: int
    """Index of the day of `until`."""
    until_utc: datetime
    zone: ZoneInfo

    @classmethod
    def ending(cls, until: datetime | date | None, days: int, timezone: str) -> "Timeline":
        """As many whole weeks as `days` has, and the week of `until` up to it.

        A datetime without a zone is local; a date means the end of that day; None means now.

        Raises:
            TutorqError: the zone is unknown.
        """
        try:
            zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise TutorqError(f"{timezone!r} is not a time zone such as Europe/Vienna") from error
        if until is None:
            until = datetime.now(UTC)
        if isinstance(until, datetime):
            moment = until if until.tzinfo else until.replace(tzinfo=zone)
            last_day = moment.astimezone(zone).date()
        else:
            moment = datetime.combine(until + timedelta(days=1), time(), tzinfo=zone)
            last_day = until
        weeks = days // 7
        first_day = last_day - timedelta(days=last_day.weekday() + 7 * weeks)
        return cls(
            first_day, weeks, 7 * weeks + last_day.weekday(), moment.astimezone(UTC).replace(microsecond=0), zone
        )

    @property
    def this_monday(self) -> int:
        """Index of the first day of the week of `until`."""
        return 7 * self.weeks

    @property
    def days(self) -> int:
        """From the first day to that of `until`."""
        return self.last_day + 1

    @property
    def horizon(self) -> int:
        """Index of the last day for which lessons are drawn."""
        return self.this_monday + 6 + FUTURE_DAYS

    @cached_property
    def until(self) -> int:
        """`until` in local seconds."""
        instant = int(self.until_utc.timestamp())
        local_day = (self.until_utc.astimezone(self.zone).date() - self.first_day).days
        return instant - self._epoch + int(self._offsets[local_day + MARGIN_DAYS])

    def to_utc(self, local_seconds: IntArray) -> IntArray:
        """Seconds since 1970 in UTC."""
        day = np.clip(local_seconds // DAY_SECONDS + MARGIN_DAYS, 0, len(self._offsets) - 1)
        return local_seconds + self._epoch - self._offsets[day]

    def weekday(self, day: IntArray) -> IntArray:
        """Monday is 0."""
        return day % 7

    @cached_property
    def season(self) -> FloatArray:
        """Level of demand on days 0 … horizon; 1 is an ordinary school week."""
        of_year = [(self.first_day + timedelta(days=d)).timetuple().tm_yday for d in range(self.horizon + 1)]
        return np.interp(of_year, SEASON_DAYS, SEASON_LEVELS)

    @cached_property
    def _epoch(self) -> int:
        return (self.first_day - date(1970, 1, 1)).days * DAY_SECONDS

    @cached_property
    def _offsets(self) -> IntArray:
        """UTC offset in seconds of every day from -MARGIN_DAYS to horizon + MARGIN_DAYS."""
        noon = datetime.combine(self.first_day, time(12))
        offsets = [
            (noon + timedelta(days=d)).replace(tzinfo=self.zone).utcoffset() or timedelta()
            for d in range(-MARGIN_DAYS, self.horizon + MARGIN_DAYS)
        ]
        return np.array([int(offset.total_seconds()) for offset in offsets])
