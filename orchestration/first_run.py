"""What a new installation runs first, as Dagster runs that anyone can look at.

The scores of today come first: `main` runs them in a process of its own, which needs neither the webserver nor the
daemon; both take as long to start as the run itself. The 30 days before today and the models follow (`follow_ups`),
asked for through the webserver like any other run.

`tutorq up` imports this module in its first second, so Dagster is imported only by the functions that need it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg

from core.database import Database
from core.errors import TutorqError
from core.settings import Settings

# Imports at once, and starts the run when `order` is written to its input.
COMMAND = [sys.executable, "-m", "orchestration.first_run"]
HISTORY_DAYS = 30
SUBMIT_ATTEMPTS = 60
POLL_SECONDS = 0.5
UNFINISHED = ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"]
LONGEST_RUN = {"dagster/max_runtime": str(int(timedelta(hours=2).total_seconds()))}
# Left to the runs that follow: what only models learn from, what was forecast in the last year, and mail, which says
# what a status was before.
LATER = (
    "marts/match_outcomes",
    "marts/session_outcomes",
    "intermediate/int_forecast_outcomes",
    "marts/score_calibration",
    "app/email_reports",
)
# Tells Dagster's pages which code location the run belongs to.
OF_LOCATION = {".dagster/repository": "__repository__@tutorq"}

MISSING = """
select
    to_regclass('marts.publication') is not null,
    to_regclass('marts.score_history') is not null,
    not exists (select from ml.models) and not exists (select from ml.prediction_buckets)
"""
# Whether the oldest of the wanted days is there, or the first one on which there was anything to record.
EARLIER_DAYS = """
select exists (
    select from marts.score_history
    where as_of <= greatest(
        (select max(as_of) from marts.publication) - %(days)s::int,
        (select min(counted_on) from marts.fct_sessions where is_final)
    )
)
"""
PROGRESS = """
select
    (select status from runs where run_id = %(run)s),
    count(distinct asset_key) filter (where dagster_event_type = 'ASSET_MATERIALIZATION'),
    count(distinct asset_key) filter (where dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED')
from event_logs
where run_id = %(run)s
"""


class RunFailedError(TutorqError):
    """A run ended without success; the text has its address in the Dagster UI."""


def is_needed(settings: Settings, database: Database) -> bool:
    """There is something to score and nothing has been published."""
    if is_published(database):
        return False
    with database.connect() as connection:
        (has_sessions,) = connection.execute("select exists (select from raw.sessions)").fetchone() or (False,)
    from ingest import has_landing_files  # takes a second to import

    return has_sessions or has_landing_files(settings.landing)


def is_published(database: Database) -> bool:
    with database.connect() as connection:
        return connection.execute("select to_regclass('marts.publication') is not null").fetchone() == (True,)


def cancel_dead_runs(settings: Settings, database: Database) -> None:
    """Close the runs that an earlier `tutorq up` of this home did not live to finish, and make Dagster's tables.

    To be called while nothing else runs here: then every run that is not finished is dead, and would hold its
    pool until its maximum runtime. What they left undone is in the queues, and done by the next run.
    """
    if _all_runs_are_finished(database):
        return
    from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

    os.environ["TUTORQ_DAGSTER_DATABASE_URL"] = database.dagster_url  # dagster.yaml reads it there
    with DagsterInstance.from_config(str(prepare_dagster_home(settings))) as instance:
        for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus(name) for name in UNFINISHED])):
            instance.report_run_canceled(run, "tutorq ended while this run was going on; the next run takes over.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def prepare_dagster_home(settings: Settings) -> Path:
    """$TUTORQ_HOME/dagster with the instance's configuration, for DAGSTER_HOME."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    from orchestration.run_limits import instance_config

    (home / "dagster.yaml").write_text(instance_config(settings))
    return home


@dataclass(frozen=True)
class Run:
    """One run of a job, looked at in Dagster's own tables."""

    settings: Settings
    database: Database
    run_id: str

    @classmethod
    def to_come(cls, settings: Settings, database: Database) -> "Run":
        """A run that another process will make, under this id."""
        return cls(settings, database, str(uuid4()))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.settings.dagster_port}/runs/{self.run_id}"

    def progress(self) -> tuple[str | None, int, int]:
        """Its status, assets done, and assets in all; no status while there is no such run yet."""
        try:
            with psycopg.connect(self.database.dagster_url) as connection:
                return connection.execute(PROGRESS, {"run": self.run_id}).fetchone() or (None, 0, 0)
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return None, 0, 0  # the server recovers, or Dagster has yet to make its tables

    def wait(self, check: Callable[[], None]) -> None:
        """Return when the run has succeeded; `check` is called twice a second meanwhile.

        Raises:
            RunFailedError: it failed or was cancelled.
        """
        while (status := self.progress()[0]) != "SUCCESS":
            if status in ("FAILURE", "CANCELED"):
                raise RunFailedError(f"this run did not succeed: {self.address}")
            check()
            time.sleep(POLL_SECONDS)


def order(run: Run) -> bytes:
    """What tells the process to start; it ends by itself if its input is closed without."""
    environment = {"TUTORQ_DAGSTER_DATABASE_URL": run.database.dagster_url}
    return json.dumps({"run_id": run.run_id, "environment": environment}).encode() + b"\n"


def follow_ups(settings: Settings, database: Database) -> Iterator[Run]:
    """Runs for what is missing once scores are published: earlier days of score_history, then models and predictions.

    Decided by the tables alone, so the next `tutorq up` does what a killed one did not. The next run is asked for when
    the one before it has ended.

    Raises:
        RunFailedError: a run could not be started.
    """
    from orchestration.partitions import ALL_BUCKETS, partition_range

    with database.connect() as connection:
        is_published, has_history, lacks_models = connection.execute(MISSING).fetchone() or (False, False, False)
        if not is_published:
            return
        (as_of,) = connection.execute("select max(as_of) from marts.publication").fetchone() or (None,)
        (has_earlier,) = (has_history and connection.execute(EARLIER_DAYS, {"days": HISTORY_DAYS}).fetchone()) or (
            False,
        )
    if as_of is None:
        return
    if not has_earlier:
        earlier = partition_range(as_of - timedelta(days=HISTORY_DAYS), as_of - timedelta(days=1))
        yield _submit(settings, database, "roll_over", earlier)
    if lacks_models:
        yield _submit(settings, database, "train", ALL_BUCKETS)


def _submit(settings: Settings, database: Database, job: str, tags: dict[str, str]) -> Run:
    """Ask for a run through the webserver, as a person would."""
    from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

    client = DagsterGraphQLClient("127.0.0.1", port_number=settings.dagster_port, headers=settings.dagster_headers)
    for attempt in range(SUBMIT_ATTEMPTS):
        try:
            run_id = client.submit_job_execution(job, repository_location_name="tutorq", tags={**LONGEST_RUN, **tags})
            return Run(settings, database, run_id)
        except DagsterGraphQLClientError as error:
            # The webserver answers before it has loaded the code location.
            if attempt == SUBMIT_ATTEMPTS - 1:
                raise RunFailedError(f"the job {job} could not be started: {error}") from error
            time.sleep(POLL_SECONDS)
    raise AssertionError("unreachable")


def _all_runs_are_finished(database: Database) -> bool:
    """False also where Dagster has not made its tables."""
    with psycopg.connect(database.dagster_url) as connection:
        try:
            return connection.execute(
                "select not exists (select from runs where status = any(%s))", [UNFINISHED]
            ).fetchone() == (True,)
        except psycopg.errors.UndefinedTable:
            return False


def main() -> None:
    """Import, wait for an order on standard input, and make the run that publishes the scores of the as-of day."""
    import dagster as dg

    import orchestration.warm  # noqa: F401
    from orchestration.dagster_internals import keep_connections
    from orchestration.definitions import defs
    from orchestration.partitions import partition_range
    from orchestration.resources import Platform

    keep_connections()
    line = sys.stdin.readline()
    if not line:
        return
    ordered = json.loads(line)
    os.environ.update(ordered["environment"])
    day = Platform().as_of_day()
    # With `latest`, the day is known once the files are loaded.
    job, tags = ("roll_over", partition_range(day, day)) if day else ("load_and_score", {})
    of_today = defs().resolve_job_def(job)
    everything = of_today.asset_layer.asset_graph
    now = dg.AssetSelection.keys(*of_today.asset_layer.executable_asset_keys) - dg.AssetSelection.assets(*LATER)
    with dg.DagsterInstance.get() as instance:
        result = of_today.execute_in_process(
            instance=instance,
            run_id=ordered["run_id"],
            asset_selection=sorted(now.resolve(everything)),
            tags={**LONGEST_RUN, **OF_LOCATION, **tags},
            raise_on_error=False,
        )
    raise SystemExit(not result.success)


if __name__ == "__main__":
    main()
