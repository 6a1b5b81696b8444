"""`tutorq up` as a person meets it: real processes, real HTTP, Ctrl-C, kill -9."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psutil
import psycopg
import pytest

from core.database import Database
from core.settings import Settings
from demo import write_demo
from tests.crashes.harness import Platform, assert_only_whole_states, read, watched
from tests.e2e.processes import free_port, wait_for
from tests.failures import keep_if_a_test_fails

START_SECONDS = 300
FOLLOW_SECONDS = 300
PAUSE_SECONDS = 8  # longer than a file has to be left alone
# What `tutorq up` starts again by itself.
SURVIVED = ("run", "postgres")
STOP_SECONDS = 60


class Installation:
    """One TUTORQ_HOME with its ports, and the `tutorq up` that runs there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.api_port, self.dagster_port = free_port(), free_port()
        self.log = home / "up.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            "TUTORQ_HOME": str(home),
            "TUTORQ_API_PORT": str(self.api_port),
            "TUTORQ_DAGSTER_PORT": str(self.dagster_port),
        }

    def tutorq(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.app", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS,
        )

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.app", "up"], env=self.environment, stdout=log, stderr=log
            )

    def up(self) -> None:
        self.start()
        self.wait_for_line("tutorq is up")

    def wait_for_line(self, text: str) -> None:
        """`up` says so, and goes on."""
        wait_for(lambda: text in self.log.read_text() or self._ended(), START_SECONDS, self.log.read_text)
        assert not self._ended(), self.log.read_text()

    def interrupt(self) -> None:
        """Ctrl-C: it ends well and leaves no process behind."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(STOP_SECONDS) == 0, self.log.read_text()
        wait_for(lambda: self.processes() == [], STOP_SECONDS, self.processes)

    def get(self, path: str) -> Any:
        key = (self.home / "api-key").read_text().strip()
        response = httpx2.get(f"http://127.0.0.1:{self.api_port}{path}", headers={"X-API-Key": key}, timeout=20)
        assert response.status_code == 200, response.text
        return response.json()

    def drop_sessions(self, count: int, *, pause_seconds: float = 0) -> str:
        """A landing file with so many sessions of a new tutor, whom this names; the upload pauses in the middle."""
        tutor, student = f"new-{uuid4()}", f"new-{uuid4()}"
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
        lines = ["session_id,tutor_id,student_id,scheduled_time,status"]
        lines += [f"{uuid4()},{tutor},{student},{moment},completed" for _ in range(count)]
        with (self.home / "landing" / f"sessions.{tutor}.csv").open("w") as slowly:
            slowly.writelines(f"{line}\n" for line in lines[:3])
            slowly.flush()
            time.sleep(pause_seconds)
            slowly.writelines(f"{line}\n" for line in lines[3:])
        return tutor

    def platform(self) -> Platform:
        """Its database, for one who does not hold the server."""
        settings = Settings(home=self.home, database_url=self.tutorq("db", "url").stdout.strip())
        return Platform(Database(settings), settings)

    def runs(self) -> set[tuple[str, str]]:
        """Job and status of the runs that Dagster knows of."""
        query = "{ runsOrError { ... on Runs { results { jobName status } } } }"
        response = httpx2.post(f"http://127.0.0.1:{self.dagster_port}/graphql", json={"query": query}, timeout=20)
        return {(run["jobName"], run["status"]) for run in response.json()["data"]["runsOrError"]["results"]}

    def is_idle(self) -> bool:
        return {status for _, status in self.runs()} <= {"SUCCESS", "FAILURE", "CANCELED"}

    def kill(self, victim: str) -> None:
        """kill -9 of one process: `up`, a service, that of the run, or the first one of Postgres."""
        if victim == "postgres":
            psutil.Process(int((self.home / "postgres" / "postmaster.pid").read_text().split()[0])).kill()
            return
        of_runs = "multiprocessing.forkserver"
        for process in self.processes():
            command, parent = " ".join(process.cmdline()), process.parent()
            if {
                "up": command.endswith("cli.app up"),
                "dagster-daemon": "dagster._daemon" in command,
                "code-location": "orchestration.code_location" in command,
                "run": of_runs in command and parent is not None and of_runs in " ".join(parent.cmdline()),
            }[victim]:
                process.kill()
                return
        raise AssertionError(f"no process is {victim}")

    def wait(self) -> None:
        """Until `up` has ended."""
        assert self.process is not None
        self.process.wait(START_SECONDS)

    def processes(self) -> list[psutil.Process]:
        """All processes that work in this home, whoever started them."""
        mine = str(self.home)
        found = []
        for process in psutil.process_iter():
            try:
                known = [*process.cmdline(), process.environ().get("TUTORQ_HOME", "")]
            except (psutil.Error, OSError):
                continue
            if process.pid != os.getpid() and any(mine in part for part in known):
                found.append(process)
        return found

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("up"))
    keep_if_a_test_fails(installation.home)
    write_demo(installation.home / "landing", tutors=30, students=120, days=60, seed=5)
    yield installation
    for process in installation.processes():
        process.kill()


def test_ctrl_c_before_there_is_a_database(installation: Installation) -> None:
    installation.start()
    wait_for((installation.home / "logs" / "first-run.log").exists, START_SECONDS, installation.log.read_text)
    installation.interrupt()


def test_killed_in_the_middle_of_its_first_run(installation: Installation) -> None:
    installation.start()
    dbt_has_begun = installation.home / "dbt" / "dbt.log"
    wait_for(dbt_has_begun.exists, START_SECONDS, installation.log.read_text)
    installation.kill("up")
    installation.wait()


def test_today_is_published_first_and_all_pages_have_an_answer(installation: Installation) -> None:
    """Without history and predictions; `up` is killed before they are there."""
    installation.start()
    installation.wait_for_line("The dashboard is ready")
    assert installation.get("/api/health")["checks"]["publication"]["generation"] >= 1
    overview = installation.get("/api/overview")["data"]
    assert overview["compared_with"] is None
    assert {count["change"] for count in overview["risk_status"]} == {None}
    tutor = installation.get("/api/tutors?limit=1&trend_weeks=8")["data"][0]["tutor_id"]
    [today] = installation.get(f"/api/tutors/{tutor}/history")["data"]["scores"]
    assert today["as_of"] == installation.get("/api/tutors")["meta"]["as_of"]
    student = installation.get("/api/matching/students?limit=1")["data"][0]["student_id"]
    assert installation.get(f"/api/matching/students/{student}/matches")["data"] == []
    for path in ("/api/funnel", "/api/matching/tutors", "/api/sessions/upcoming", "/api/reports"):
        installation.get(path)
    installation.kill("up")
    installation.wait()


def test_the_next_up_adds_history_and_predictions_to_scores_that_verify(installation: Installation) -> None:
    installation.up()
    installation.wait_for_line("The history and the predictions are complete")

    health = installation.get("/api/health")
    assert health["status"] == "ok"
    assert health["checks"]["publication"]["generation"] >= 1
    tutors = installation.get("/api/tutors?limit=500")
    assert tutors["meta"]["total"] == len(tutors["data"]) == 30
    assert any(tutor["risk_probability"] is not None for tutor in tutors["data"])
    one = tutors["data"][0]["tutor_id"]
    for path in (f"/api/tutors/{one}", f"/api/tutors/{one}/history", f"/api/tutors/{one}/explanation", "/api/overview"):
        assert installation.get(path)["meta"]["generation"] == tutors["meta"]["generation"]
    assert installation.get("/api/overview")["data"]["compared_with"] is not None, "score_history has no earlier day"
    assert httpx2.get(f"http://127.0.0.1:{installation.api_port}/api/tutors").status_code == 401
    assert httpx2.get(f"http://127.0.0.1:{installation.dagster_port}/server_info").status_code == 200

    student = installation.get("/api/matching/students?limit=1")["data"][0]["student_id"]
    assert installation.get(f"/api/matching/students/{student}/matches")["data"]
    assert installation.runs() >= {("roll_over", "SUCCESS"), ("train", "SUCCESS"), ("roll_over", "CANCELED")}

    token = installation.log.read_text().partition("/login#token=")[2].split()[0]
    log_in = httpx2.post(f"http://127.0.0.1:{installation.api_port}/api/auth/session", json={"token": token})
    assert (log_in.status_code, log_in.json()["role"]) == (201, "admin")

    verified = installation.tutorq("verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_dropped_file_is_scored_by_itself(installation: Installation) -> None:
    before = installation.get("/api/tutors?limit=1")
    landing = installation.home / "landing"
    assert list(landing.glob("*.csv*")) == [], "what the first run has loaded"
    tutor = installation.drop_sessions(6, pause_seconds=PAUSE_SECONDS)

    def arrived() -> bool:
        return bool(installation.get("/api/tutors?limit=1")["meta"]["generation"] > before["meta"]["generation"])

    wait_for(arrived, FOLLOW_SECONDS, lambda: (installation.home / "logs" / "dagster-daemon.log").read_text()[-3000:])
    assert installation.get(f"/api/tutors/{tutor}")["data"]["sessions_7d"] == 6
    [report] = landing.glob(f"processed/*/sessions.{tutor}.csv.report.json")
    assert json.loads(report.read_text())["rows"]["inserted"] == 6


def test_one_home_is_for_one_up(installation: Installation) -> None:
    second = installation.tutorq("up")
    assert second.returncode == 1
    assert "already running" in second.stderr


@pytest.mark.parametrize(
    "victim",
    [
        "run",
        *(pytest.param(name, marks=pytest.mark.soak) for name in ("postgres", "dagster-daemon", "code-location", "up")),
    ],
)
def test_killed_in_the_middle_of_a_run(installation: Installation, victim: str) -> None:
    """The run waits before its publication, all other marts are built: there it dies, by itself or with the others."""
    if installation.process is None:
        installation.up()
    # A run that follows on the death of another one would be killed in its place.
    wait_for(installation.is_idle, FOLLOW_SECONDS, installation.runs)
    total = installation.get("/api/tutors?limit=1")["meta"]["total"]
    platform = installation.platform()
    before = read(platform)
    with watched(platform, may_be_cut=True) as reader:
        with suppress(psycopg.OperationalError), psycopg.connect(platform.database.url) as obstacle:
            obstacle.execute("lock table marts.publication in share mode")
            tutor = installation.drop_sessions(3)
            wait_for(lambda: "publication" in platform.waiting(), FOLLOW_SECONDS, lambda: "no run comes to its end")
            installation.kill(victim)
            if victim not in SURVIVED:
                installation.wait()
        if victim not in SURVIVED:
            assert victim == "up" or f"{victim} ended by itself" in " ".join(installation.log.read_text().split())
            installation.up()
        wait_for(lambda: is_scored(platform, tutor), FOLLOW_SECONDS, lambda: "nothing makes up for the run")
    assert installation.get(f"/api/tutors/{tutor}")["data"]["sessions_7d"] == 3
    assert installation.get("/api/tutors?limit=1")["meta"]["total"] == total + 1
    assert_only_whole_states(reader, before, read(platform))


def is_scored(platform: Platform, tutor: str) -> bool:
    """The tutor's file is loaded, and all that has changed is published."""
    try:
        is_loaded = platform.value(f"select count(*) from raw.tutors where external_id = '{tutor}'") == 1
        return is_loaded and platform.is_settled()
    except psycopg.OperationalError:
        return False


@pytest.mark.parametrize("victims", ["one", pytest.param("all", marks=pytest.mark.soak)])
def test_all_is_as_if_nothing_had_happened(installation: Installation, victims: str) -> None:
    """After the tests above: all of them, in the nightly run."""
    assert installation.get("/api/health")["status"] == "ok"
    doctor = installation.tutorq("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    assert {finding["what"] for finding in json.loads(doctor.stdout)} >= {"database", "publication", "Dagster daemon"}
    verified = installation.tutorq("verify", "--json")
    assert verified.returncode == 0, verified.stdout


def test_ctrl_c_stops_everything(installation: Installation) -> None:
    installation.interrupt()


def test_incremental_runs_and_a_full_refresh_agree(installation: Installation) -> None:
    """After the end of `up`, which would predict pairs of new people between two looks."""
    platform = installation.platform()
    # Once by hand, for runs after new rows leave matching and the history to the nightly one.
    assert installation.tutorq("score").returncode == 0
    content = platform.content()
    assert installation.tutorq("score", "--full-refresh").returncode == 0
    assert platform.content() == content
    assert installation.tutorq("db", "stop").returncode == 0
    assert installation.processes() == []
