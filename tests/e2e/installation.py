"""One installation with its `tutorq up`, as a person has it: real processes, real HTTP, Ctrl-C, kill -9."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psutil

from core.database import Database
from core.settings import Settings
from tests.crashes.harness import Platform
from tests.e2e.processes import free_port, wait_for

START_SECONDS = 900
STOP_SECONDS = 60
SENSOR = """
query ($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) { ... on Sensor { sensorState { id } } } }
"""
STOP_SENSOR = """
mutation ($id: String) {
  stopSensor(id: $id) { ... on StopSensorMutationResult { instigationState { status } } }
}
"""
START_SENSOR = """
mutation ($sensor: SensorSelector!) {
  startSensor(sensorSelector: $sensor) { ... on Sensor { sensorState { status } } }
}
"""


class Installation:
    """One TUTORQ_HOME with its ports, and the `tutorq up` that runs there."""

    def __init__(self, home: Path, command: Sequence[str] = (sys.executable, "-m", "cli.app")) -> None:
        self.home = home
        self.command = command
        self.api_port, self.dagster_port = free_port(), free_port()
        self.log = home / "up.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.folder: Path | None = None  # in which commands are started, if not in that of the tests
        self.environment = {
            **os.environ,
            "TUTORQ_HOME": str(home),
            "TUTORQ_API_PORT": str(self.api_port),
            "TUTORQ_DAGSTER_PORT": str(self.dagster_port),
        }

    def tutorq(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS,
        )

    def start(self, *options: str) -> None:
        self.log.touch(mode=0o600)  # doctor looks at it, too
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self.command, "up", *options], env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )

    def up(self) -> None:
        self.start()
        self.wait_for_line("tutorq is up")

    def complete(self) -> None:
        """Up, unless it is; with history and predictions; and nothing runs."""
        if self.process is None:
            self.up()
        self.wait_for_line("The history and the predictions are complete")
        # A run that follows on what an earlier test has done would meet the next one.
        wait_for(self.is_idle, START_SECONDS, self.runs)

    def wait_for_line(self, text: str) -> None:
        """`up` says so, and goes on."""
        wait_for(lambda: text in self.log.read_text() or self._ended(), START_SECONDS, self.log.read_text)
        assert not self._ended(), self.log.read_text()

    def interrupt(self) -> None:
        """Ctrl-C: it ends well and leaves no process behind."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        ended = self.process.wait(STOP_SECONDS)
        assert ended == 0, f"ended with {ended}\n{self.log.read_text()}"
        self.process = None
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
        """Job and status of the runs that Dagster knows of.

        Raises:
            LookupError: it cannot say, as while its database starts again.
        """
        found = self._ask_dagster("{ runsOrError { ... on Runs { results { jobName status } } } }")
        return {(run["jobName"], run["status"]) for run in found["runsOrError"]["results"]}

    @contextmanager
    def scored_by_posts_alone(self) -> Iterator[None]:
        """Meanwhile no runs follow on what is posted: one after the other, they would take a processor."""
        sensor = {"repositoryLocationName": "tutorq", "repositoryName": "__repository__", "sensorName": "new_data"}
        found = self._ask_dagster(SENSOR, sensor=sensor)
        stopped = self._ask_dagster(STOP_SENSOR, id=found["sensorOrError"]["sensorState"]["id"])
        assert stopped["stopSensor"]["instigationState"]["status"] == "STOPPED"

        def go_on() -> None:
            started = self._ask_dagster(START_SENSOR, sensor=sensor)
            assert started["startSensor"]["sensorState"]["status"] == "RUNNING"
            wait_for(self.platform().is_settled, START_SECONDS, self.runs)

        try:
            yield
        except BaseException as failure:
            try:
                go_on()
            except Exception as other:  # what is told is why the tests failed
                failure.add_note(f"Afterwards, runs did not go on: {other}")
            raise
        go_on()

    def _ask_dagster(self, query: str, **variables: object) -> Any:
        asked = {"query": query, "variables": variables}
        response = httpx2.post(f"http://127.0.0.1:{self.dagster_port}/graphql", json=asked, timeout=20)
        found = response.json().get("data")
        if found is None:
            raise LookupError(response.text)
        return found

    def is_idle(self) -> bool:
        """Nothing runs, and Dagster says so."""
        try:
            return {status for _, status in self.runs()} <= {"SUCCESS", "FAILURE", "CANCELED"}
        except (httpx2.TransportError, LookupError):
            return False

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
                "dagster-daemon": "orchestration.daemon" in command,
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
        self.process = None

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
