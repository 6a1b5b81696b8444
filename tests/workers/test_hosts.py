"""One installation on several machines: a worker dies, the broker is started again, the network is away for half a
minute. The prediction ends, with each pair once, and no post that was acknowledged is missing."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from benchmarks.workers import Valkey, Worker, environment
from core import dbt_runner, keys, locks
from core.database import Database, DatabaseRole
from core.migrate import migrate
from core.roles import Role
from core.settings import PROJECT_ROOT, Settings
from demo import write_demo
from ingest import load_folder
from ml.predictions import predict_all
from ml.rules import MatchRules
from orchestration.first_run import prepare_dagster_home
from orchestration.shared import note_code_version
from tests.workers.conftest import wait_until
from tests.workers.hosts import SWITCH, Hosts, apis_behind_a_proxy, hosts, postgres_on

pytestmark = [pytest.mark.workers, pytest.mark.soak]

DATA, WORK, WEB = "data", "work", "web"
CUT_SECONDS = 30
ATTEMPTS = 4  # as run_retries has it
PAIRS = "select student_id, tutor_id, churn_probability from ml.match_predictions order by 1, 2"
HELD_BUCKET = 7
WAITING = "select from pg_locks where locktype = 'advisory' and not granted and classid = %s and objid = %s"
LAUNCH = """
import dagster as dg
from benchmarks.workers import launch
from orchestration.partitions import ALL_BUCKETS
with dg.DagsterInstance.get() as instance:
    print(launch(instance, "predict", ALL_BUCKETS))
"""
# A run whose worker was out of sight counts as dead, and may still come to its end.
AGAIN = """
import sys, dagster as dg
from benchmarks.workers import reconstructable
from orchestration.partitions import ALL_BUCKETS
with dg.DagsterInstance.get() as instance:
    run = instance.get_run_by_id(sys.argv[1])
    if not run.is_success:
        run = dg.execute_job(
            reconstructable("predict"), instance, tags=ALL_BUCKETS,
            reexecution_options=dg.ReexecutionOptions.from_failure(run.run_id, instance),
        )
    print(run.run_id)
"""


@dataclass
class Cluster:
    """Three machines: database and broker, workers, API behind a proxy."""

    hosts: Hosts
    home: Path
    database: Database
    valkey: Valkey
    address: str
    instance: dg.DagsterInstance
    workers: list[Worker] = field(default_factory=list)

    def start_worker(self, queue: str, *, slots: int = 1) -> Worker:
        log = self.home / f"{queue}-{len(self.workers)}.log"
        worker = Worker(queue, log, slots=slots, through=self.hosts.through(WORK))
        self.workers.append(worker)
        wait_until(lambda: worker.is_ready, "a worker")
        return worker

    def end_workers(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.workers.clear()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(query.encode(), list(values)).fetchall()

    def on(self, host: str, code: str, *arguments: str) -> str:
        """What a program says that runs there, in the last line."""
        done = subprocess.run(
            [*self.hosts.through(host), sys.executable, "-W", "ignore", "-c", code, *arguments],
            cwd=PROJECT_ROOT, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.split()[-1]

    def end_of(self, run_id: str) -> None:
        """It succeeds; a run that the fault has ended is tried again, as the daemon does it."""
        for _ in range(ATTEMPTS):
            status = wait_until(lambda: self._ended(run_id), f"the end of run {run_id}")  # noqa: B023
            if status is dg.DagsterRunStatus.SUCCESS:
                return
            run_id = self.on(DATA, AGAIN, run_id)
        raise AssertionError(self._failures(run_id))

    def _ended(self, run_id: str) -> dg.DagsterRunStatus | None:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        if run.is_finished:
            return run.status
        # What run monitoring does, which is the daemon's.
        if run.status is dg.DagsterRunStatus.STARTED:
            health = self.instance.run_launcher.check_run_worker_health(run)
            if health.status.value == "FAILED":
                self.instance.report_run_failed(run, "The worker of this run has died.")
        return None

    def _failures(self, run_id: str) -> str:
        return "\n".join(
            str(entry.dagster_event)[:2000] for entry in self.instance.all_logs(run_id)
            if entry.dagster_event and entry.dagster_event.is_failure
        )  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("hosts")
    with hosts(DATA, WORK, WEB) as made, postgres_on(made, DATA, home / "server") as (here, there):
        database = _database(home, here)
        database.ensure_databases()
        migrate(database)
        write_demo(home / "demo", tutors=20, students=60, days=120, seed=3)
        load_folder(database.as_role(DatabaseRole.INGEST), home / "demo", timezone="UTC")
        dbt_runner.build(database.settings, database)
        note_code_version(database.as_role(DatabaseRole.TRANSFORM))
        valkey = Valkey(home, made.address(DATA), made.through(DATA))
        valkey.start()
        prepare_dagster_home(database.settings)
        with pytest.MonkeyPatch.context() as patched:
            patched.chdir(home)
            # This process looks past the network; what runs on the hosts does not.
            for name, value in environment(database.settings, database, valkey.url).items():
                patched.setenv(name, value)
            patched.setenv("TUTORQ_INGEST_RATE_PER_SECOND", "1000000")
            made.environment = environment(database.settings, _database(home, there), valkey.url)
            with (
                apis_behind_a_proxy(made, WEB, home) as address,
                dg.DagsterInstance.from_config(str(home / "dagster")) as instance,
            ):
                cluster = Cluster(made, home, database, valkey, address, instance)
                try:
                    yield cluster
                finally:
                    cluster.end_workers()
                    valkey.stop()


def _database(home: Path, server: str) -> Database:
    url = {name: re.sub(r"/postgres(?=\?|$)", f"/{name}", server) for name in ("tutorq", "dagster")}
    return Database(Settings(home=home, database_url=url["tutorq"], dagster_database_url=url["dagster"]))


@dataclass
class Poster:
    """Sessions that are posted by way of the proxy meanwhile."""

    cluster: Cluster
    process: "subprocess.Popen[str]"

    def end(self) -> None:
        """All that was acknowledged is there, once."""
        told, said = self.process.communicate("")
        assert self.process.returncode == 0, said
        accepted = json.loads(told)
        assert len(accepted) == len(set(accepted)) > 5
        rows = self.cluster.rows("select count(*) from raw.sessions where session_id = any(%s::uuid[])", accepted)
        assert rows == [(len(accepted),)]


@pytest.fixture
def poster(cluster: Cluster) -> Iterator[Poster]:
    with cluster.database.connect() as connection:
        key = keys.create(connection, f"poster-{time.monotonic_ns()}", Role.INGEST).secret
    ((tutor, student),) = cluster.rows("select tutor_id::text, student_id::text from raw.tutors, raw.students limit 1")
    script = str(Path(__file__).with_name("poster.py"))
    process = subprocess.Popen(
        [*cluster.hosts.through(SWITCH), sys.executable, script, cluster.address, str(key), tutor, student],
        cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Poster(cluster, process)
    finally:
        process.kill()
        process.wait()


def by_one_process(cluster: Cluster) -> list[tuple[Any, ...]]:
    predict_all(cluster.database.settings, cluster.database.as_role(DatabaseRole.TRANSFORM), MatchRules())
    return cluster.rows(PAIRS)


@pytest.mark.parametrize("count", [1, 2])
def test_so_many_workers_make_the_rows_of_one_process(cluster: Cluster, poster: Poster, count: int) -> None:
    expected = by_one_process(cluster)
    cluster.end_workers()
    cluster.start_worker("runs", slots=2)
    for _ in range(count):
        cluster.start_worker("steps")
    cluster.end_of(cluster.on(DATA, LAUNCH))
    assert cluster.rows(PAIRS) == expected
    poster.end()


def killed(cluster: Cluster) -> None:
    """Both, so that the one with the held step is among them."""
    for worker in cluster.workers[1:]:
        worker.kill()
    for _ in range(2):
        cluster.start_worker("steps")


def restarted(cluster: Cluster) -> None:
    cluster.valkey.stop()
    cluster.valkey.start()


def cut_from_workers(cluster: Cluster) -> None:
    cluster.hosts.cut(WORK)
    time.sleep(CUT_SECONDS)
    cluster.hosts.join(WORK)


def cut_from_all(cluster: Cluster) -> None:
    cluster.hosts.cut(DATA)
    time.sleep(CUT_SECONDS)
    cluster.hosts.join(DATA)


@pytest.mark.parametrize("fault", [killed, restarted, cut_from_workers, cut_from_all])
def test_a_prediction_outlives(cluster: Cluster, poster: Poster, fault: Callable[[Cluster], None]) -> None:
    expected = by_one_process(cluster)
    cluster.end_workers()
    cluster.start_worker("runs", slots=2)
    for _ in range(2):
        cluster.start_worker("steps")
    with cluster.database.connect(autocommit=True) as holder:
        run_id = cluster.on(DATA, LAUNCH)
        wait_until(lambda: cluster.rows("select from ml.prediction_plans where asked_by = %s", run_id), "the plan")
        # Not before: the plan waits for all buckets, too.
        holder.execute("select pg_advisory_lock(%s, %s)", [locks.PAIRS_BUCKET, HELD_BUCKET])
        wait_until(lambda: cluster.rows(WAITING, locks.PAIRS_BUCKET, HELD_BUCKET), "the step of the held bucket")
        fault(cluster)
    cluster.end_of(run_id)
    assert cluster.rows(PAIRS) == expected
    poster.end()
