"""How assets are divided: score_history by days, predictions by buckets of students."""

from datetime import date, timedelta

import dagster as dg
import psycopg

from core.database import Database
from core.errors import DatabaseUnreachableError
from core.settings import Settings

# Where days begin as long as nobody has said or found out where the data begin.
EARLIEST_DAY = date(2015, 1, 1)

# The first `tutorq up` and a roll-over record at most the 30 days before the as-of day.
RECORDED_BEFORE = timedelta(days=31)

# Buckets of students, by which predictions of pairs are written.
BUCKETS = dg.StaticPartitionsDefinition([f"{bucket:02d}" for bucket in range(16)])
ALL_BUCKETS = {"dagster/asset_partition_range_start": "00", "dagster/asset_partition_range_end": "15"}


def score_days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """The days that score_history can hold: from `TUTORQ_HISTORY_START` until today.

    Without it they begin in 2015, or a month before an as-of day that lies before that.
    """
    start = settings.history_start or EARLIEST_DAY
    if settings.as_of not in ("now", "latest"):
        start = min(start, date.fromisoformat(settings.as_of) - RECORDED_BEFORE)
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), end_offset=1)


def find_history_start(settings: Settings, database: Database, today: date) -> date | None:
    """The day from which scores can be recorded: a month before the first session. None if nobody can know yet.

    Asked once, by the process that serves the definitions; importing them asks nothing.
    """
    try:
        with database.connect() as connection:
            (first,) = connection.execute(
                "select (min(scheduled_time) at time zone %s)::date from raw.sessions", [settings.timezone]
            ).fetchone() or (None,)
    except (
        psycopg.Error,
        DatabaseUnreachableError,
    ):  # no server yet, or no tables: the days are only what the graph shows
        first = None
    if settings.as_of == "latest":
        return first - RECORDED_BEFORE if first else None
    as_of = today if settings.as_of == "now" else date.fromisoformat(settings.as_of)
    return min(first or as_of, as_of) - RECORDED_BEFORE


def partition_range(first: date, last: date) -> dict[str, str]:
    """Tags that make one run of the days from `first` to `last`."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
