"""The first run of the whole graph, as Dagster runs that anyone can look at."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

from core.database import Database
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from ingest import has_landing_files
from orchestration.dagster_internals import ask_webserver
from orchestration.partitions import ALL_BUCKETS, partition_range

HISTORY_DAYS = 30
SUBMIT_ATTEMPTS = 20
UNFINISHED = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
LONGEST_RUN = {"dagster/max_runtime": str(int(timedelta(hours=2).total_seconds()))}

PROGRESS_QUERY = """
query Progress($run: ID!) {
  runOrError(runId: $run) {
    ... on Run {
      status
      assets { key { path } }
      assetMaterializations { assetKey { path } }
    }
  }
}
"""


class RunFailedError(TutorqError):
    """A run ended without success; the text has its address in the Dagster UI."""


def is_needed(settings: Settings, database: Database) -> bool:
    """There is something to score and nothing has been published."""
    with database.connect() as connection:
        has_sessions, is_published = connection.execute(
            "select exists (select from raw.sessions), to_regclass('marts.publication') is not null"
        ).fetchone() or (False, False)
    return not is_published and (has_sessions or has_landing_files(settings.landing))


def cancel_dead_runs(settings: Settings, database: Database) -> None:
    """Close the runs that an earlier `tutorq up` of this home did not live to finish.

    To be called while nothing else runs here: then every run that is not finished is dead, and would hold its
    pool until its maximum runtime. What they left undone is in the queues, and done by the next run.
    """
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
    shutil.copyfile(PROJECT_ROOT / "deploy" / "dagster.yaml", home / "dagster.yaml")
    return home


def runs(settings: Settings, database: Database) -> Iterator["Run"]:
    """Load what has landed, build all marts, fill score_history for the 30 days before the as-of day, and train and
    predict on that.

    One run of the marts if that day is known now; with `latest` it is known only once everything is loaded.
    """
    if settings.as_of == "latest":
        yield Run(settings, "load_and_score", {})
        with database.connect() as connection:
            (as_of,) = connection.execute("select as_of from marts.publication").fetchone() or (None,)
    elif settings.as_of == "now":
        as_of = datetime.now(ZoneInfo(settings.timezone)).date()
    else:
        as_of = date.fromisoformat(settings.as_of)
    if as_of is not None:
        yield Run(
            settings,
            "roll_over",
            partition_range(as_of - timedelta(days=HISTORY_DAYS), as_of - timedelta(days=1)),
        )
        yield Run(settings, "train", ALL_BUCKETS)


class Run:
    """One run of a job, asked for through the webserver as a person would."""

    def __init__(self, settings: Settings, job: str, tags: dict[str, str]) -> None:
        self._client = DagsterGraphQLClient("127.0.0.1", port_number=settings.dagster_port)
        self._id = self._submit(job, {**LONGEST_RUN, **tags})
        self._address = f"http://127.0.0.1:{settings.dagster_port}/runs/{self._id}"

    def wait(self, on_progress: Callable[[int, int], None], check: Callable[[], None]) -> None:
        """Return when the run has succeeded; `on_progress` gets (assets done, assets in all).

        Raises:
            RunFailedError: it failed or was cancelled.
        """
        while True:
            check()
            if answer := self._progress():
                done = {tuple(event["assetKey"]["path"]) for event in answer["assetMaterializations"]}
                on_progress(len(done), max(len(answer["assets"]), len(done)))
                if answer["status"] == "SUCCESS":
                    return
                if answer["status"] in ("FAILURE", "CANCELED"):
                    raise RunFailedError(f"the first run did not succeed; see {self._address}")
            time.sleep(0.5)

    def _submit(self, job: str, tags: dict[str, str]) -> str:
        for attempt in range(SUBMIT_ATTEMPTS):
            try:
                return self._client.submit_job_execution(job, repository_location_name="tutorq", tags=tags)
            except DagsterGraphQLClientError as error:
                # The webserver answers before it has loaded the code location.
                if attempt == SUBMIT_ATTEMPTS - 1:
                    raise RunFailedError(f"the job {job} could not be started: {error}") from error
                time.sleep(0.5)
        raise AssertionError("unreachable")

    def _progress(self) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = ask_webserver(self._client, PROGRESS_QUERY, {"run": self._id})["runOrError"]
        except DagsterGraphQLClientError:
            return None  # the webserver was busy; the next look will tell
        return answer
