"""What all assets have in common."""

from datetime import date, timedelta

import dagster as dg

OWNER = "team:data"

RETRY_POLICY = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

# A run that hangs must not block the ones behind it; the daemon's run monitoring ends it.
MAX_RUNTIME = {"dagster/max_runtime": str(int(timedelta(minutes=5).total_seconds()))}

DBT_POOL = "dbt"

# The first day for which scores can be recorded in score_history.
SCORE_DAYS = dg.DailyPartitionsDefinition(start_date="2015-01-01", end_offset=1)


def partition_range(first: date, last: date) -> dict[str, str]:
    """Tags that make one run of the days from `first` to `last`."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
