"""A worker: takes runs or steps from a queue of the broker, and does them (TUTORQ_EXECUTOR=celery)."""

import logging
import os
import signal
import sys
import threading
import warnings

import dagster as dg
import psycopg

from core.errors import DatabaseUnreachableError, TutorqError
from core.processes import prepare_dagster
from core.settings import Settings
from orchestration.code_location import note_history_start
from orchestration.executors import check_extra, is_spread
from orchestration.first_run import prepare_dagster_home
from orchestration.resources import Platform
from orchestration.shared import check_code_version, check_shared

LOOK_EVERY_SECONDS = 30


def check(settings: Settings) -> None:
    """Whether a worker could work with these settings.

    Raises:
        TutorqError: says what is missing, or that the code location has other code.
    """
    if not is_spread(settings):
        raise TutorqError("workers need TUTORQ_EXECUTOR=celery, here and where the code location and the daemon are")
    check_extra()
    database = Platform().database
    check_shared(settings, database)
    try:
        check_code_version(database)
    except psycopg.errors.UndefinedTable as error:
        raise TutorqError("this database is of an earlier version; `tutorq db migrate` first") from error


def work(settings: Settings, queue: str, slots: int) -> None:
    """Work until told to stop: SIGTERM lets the task in hand end, a second one does not.

    Raises TutorqError as `check` does.
    """
    check(settings)
    prepare_dagster()
    platform = Platform()
    note_history_start(settings, platform)
    os.environ["TUTORQ_DAGSTER_DATABASE_URL"] = platform.database.dagster_url  # dagster.yaml reads it there
    if "DAGSTER_HOME" not in os.environ:
        os.environ["DAGSTER_HOME"] = str(prepare_dagster_home(settings))
    # Once for each asset, of what the code location tells as well.
    warnings.simplefilter("ignore", dg.BetaWarning)
    warnings.simplefilter("ignore", dg.PreviewWarning)
    # With each success it would log all events of the step.
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)
    # Before processes are forked, so that each is warm.
    import orchestration.warm  # noqa: F401
    from orchestration.celery_tasks import worker_app

    threading.Thread(target=_end_when_outdated, args=(platform,), daemon=True).start()
    name = f"{queue}-{os.getpid()}@{os.uname().nodename}"
    app = worker_app(settings)
    app.worker_main(
        ["worker", f"--queues={queue}", f"--concurrency={slots}", f"--hostname={name}", "--loglevel=INFO",
         "--without-gossip", "--without-mingle"]
    )  # fmt: skip


def _end_when_outdated(platform: Platform) -> None:
    """After an upgrade of the code location, steps would be done by the old code. Whatever keeps services starts the
    worker again, from what is installed then."""
    while True:
        threading.Event().wait(LOOK_EVERY_SECONDS)
        try:
            check_code_version(platform.database)
        except (DatabaseUnreachableError, psycopg.Error):
            continue  # it comes back
        except TutorqError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
            return
