"""What the last runs say about whether to ask for another."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
LONGEST_PAUSE = timedelta(minutes=15)


def pause_after_failures(runs: Sequence[dg.RunRecord]) -> timedelta:
    """How long to wait yet before asking again: a minute after the first failure, doubled with each further one.

    `runs` are the newest runs, newest first.
    """
    failures = 0
    for record in runs:
        if record.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
            break
        failures += 1
    if failures == 0 or runs[0].end_time is None:
        return timedelta(0)
    pause = min(timedelta(minutes=2 ** (failures - 1)), LONGEST_PAUSE)
    # No longer than the pause itself: the clock may have been set back since.
    return min(pause, datetime.fromtimestamp(runs[0].end_time, UTC) + pause - datetime.now(UTC))
