"""What all assets have in common."""

from datetime import date

import dagster as dg

OWNER = "team:data"

RETRY_POLICY = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

# Gzipped CSV, which is the slowest by its size, was measured at 300,000 on two cores.
LOADED_BYTES_PER_SECOND = 60_000


def max_runtime(landed_bytes: int = 0) -> dict[str, str]:
    """The tag that ends a run which hangs, so that it does not block the ones behind it: after five minutes, and
    what it may take to load files of that size."""
    return {"dagster/max_runtime": str(300 + landed_bytes // LOADED_BYTES_PER_SECOND)}


MAX_RUNTIME = max_runtime()

DBT_POOL = "dbt"

# The first day for which scores can be recorded in score_history.
SCORE_DAYS = dg.DailyPartitionsDefinition(start_date="2015-01-01", end_offset=1)

# Buckets of students, by which predictions of pairs are written.
BUCKETS = dg.StaticPartitionsDefinition([f"{bucket:02d}" for bucket in range(16)])
ALL_BUCKETS = {"dagster/asset_partition_range_start": "00", "dagster/asset_partition_range_end": "15"}


def partition_range(first: date, last: date) -> dict[str, str]:
    """Tags that make one run of the days from `first` to `last`."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
