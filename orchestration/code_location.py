"""`python -m orchestration.code_location`: Dagster's code location server, whose runs start from a warm process.

Dagster starts a new Python for every run, and imports make that take 4 s and more on two cores, as long as a small run
itself takes. Here runs are forked from a process that has imported everything beforehand and done nothing else.
Takes the options of `dagster api grpc`.
"""

import os
import sys

from core.errors import TutorqError
from core.processes import prepare_dagster
from orchestration.dagster_internals import serve_code_location
from orchestration.partitions import find_history_start
from orchestration.resources import Platform


def main() -> None:
    settings = prepare_dagster()
    platform = Platform()
    try:
        platform.database.check_settings()
        if settings.history_start is None and (
            found := find_history_start(settings, platform.database, platform.today())
        ):
            os.environ["TUTORQ_HISTORY_START"] = found.isoformat()  # the processes of runs inherit it
    except TutorqError as error:
        sys.exit(f"error: {error}")
    serve_code_location(preload="orchestration.warm")


if __name__ == "__main__":
    main()
