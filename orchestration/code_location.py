"""`python -m orchestration.code_location`: Dagster's code location server, whose runs start from a warm process.

Dagster starts a new Python for every run, and imports make that take 4 s and more on two cores, as long as a small run
itself takes. Here runs are forked from a process that has imported everything beforehand and done nothing else.
Takes the options of `dagster api grpc`.
"""

import os
import sys

import psycopg

from core.errors import TutorqError
from core.processes import prepare_dagster
from core.settings import Settings
from orchestration.dagster_internals import serve_code_location
from orchestration.executors import is_spread
from orchestration.partitions import find_history_start
from orchestration.resources import Platform
from orchestration.shared import check_shared, note_code_version


def main() -> None:
    settings = prepare_dagster()
    platform = Platform()
    try:
        platform.database.check_settings()
        if is_spread(settings):
            check_shared(settings, platform.database)
        note_history_start(settings, platform)
        note_code_version(platform.database)
    except (TutorqError, psycopg.Error) as error:
        sys.exit(f"error: {error}")
    serve_code_location(preload=["orchestration.warm", "orchestration.one_run"])


def note_history_start(settings: Settings, platform: Platform) -> None:
    """For the processes of runs, which inherit it: the days that score_history can hold."""
    if settings.history_start is None and (found := find_history_start(settings, platform.database, platform.today())):
        os.environ["TUTORQ_HISTORY_START"] = found.isoformat()


if __name__ == "__main__":
    main()
