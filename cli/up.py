"""`tutorq up`: every service of one installation in the foreground, and a clean end of all of them."""

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.keys import Role, ensure_local_key
from core.logins import create_link
from core.migrate import migrate
from core.settings import PROJECT_ROOT, Settings
from ingest import has_landing_files
from orchestration import first_run
from orchestration.workspace import workspace
from reports import conditions, watch

UP_ID = "TUTORQ_UP_ID"
GRACE_SECONDS = 4
START_TIMEOUT_SECONDS = 90
PR_SET_PDEATHSIG = 1


def run(settings: Settings, *, demo: bool, console: Console) -> None:
    """Bring everything up, say where it is, and stay until told to stop.

    Raises:
        TutorqError: something did not start or ended by itself; everything else has been stopped.
    """
    with only_one(settings), stop_on_signals():
        database = Database(settings)
        transform = database.as_role(DatabaseRole.TRANSFORM)
        supervisor = Supervisor(settings, database, console)
        try:
            supervisor.end_leftovers()
            check_port(settings.api_port, "TUTORQ_API_PORT")
            check_port(settings.dagster_port, "TUTORQ_DAGSTER_PORT")
            _bring_up(settings, database, supervisor, demo=demo, console=console)
            with watching(settings, transform):
                supervisor.watch()
        except ServiceEndedError as error:
            watch.tell_anyhow(settings, transform, conditions.service_ended(error.service, str(error.log)))
            raise
        except KeyboardInterrupt:
            console.print("\nStopping …")
        finally:
            supervisor.stop()
            database.release()


def _bring_up(
    settings: Settings, database: Database, supervisor: "Supervisor", *, demo: bool, console: Console
) -> None:
    with console.status("Starting the database …"):
        migrate(database)
        with database.connect() as connection:
            ensure_local_key(connection, settings.api_key_file)
            has_sessions = connection.execute("select exists (select from raw.sessions)").fetchone() == (True,)
        if database.is_embedded:
            first_run.cancel_dead_runs(settings, database)
    if demo and not has_sessions and not has_landing_files(settings.landing):
        from demo import write_demo

        with console.status("Making up a marketplace …"):
            summary = write_demo(settings.landing, timezone=settings.timezone)
        console.print(
            f"Made up {summary.sessions:,} past and {summary.scheduled_sessions:,} planned sessions "
            f"of {summary.tutors} tutors and {summary.students:,} students."
        )
    code_location, webserver, daemon, api = services(settings, free_port())
    with console.status("Starting the services …"):
        # The webserver looks for the code location once, at its start.
        supervisor.start([code_location])
        supervisor.start([webserver, api])
    transform = database.as_role(DatabaseRole.TRANSFORM)
    if first_run.is_needed(settings, transform):
        _run_for_the_first_time(settings, transform, supervisor, daemon, console)
    else:
        supervisor.start([daemon])
    with database.connect() as connection:
        link = create_link(connection, settings, Role.ADMIN)
    console.print(f"[bold green]tutorq is up.[/]  Dashboard {link}", soft_wrap=True, highlight=False)
    console.print("               (for one log-in within ten minutes; `tutorq login-link` makes another)")
    console.print(f"               API       http://127.0.0.1:{settings.api_port}/api/docs")
    console.print(f"               Dagster   http://127.0.0.1:{settings.dagster_port}")
    console.print(f"               API key   in {settings.api_key_file} (header X-API-Key)", highlight=False)
    console.print("Ctrl-C stops everything.")


def _run_for_the_first_time(
    settings: Settings, database: Database, supervisor: "Supervisor", daemon: "Service", console: Console
) -> None:
    """Load, score and fill the history; a failure is told, and everything stays up to be looked at."""
    with Progress(
        SpinnerColumn(), TextColumn("Loading and scoring"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("run", total=None)
        try:
            for number, run in enumerate(first_run.runs(settings, database)):
                if number == 0:
                    # Only now, so that the daemon's sensor finds a run in progress and asks for none.
                    supervisor.start([daemon])
                run.wait(lambda done, total: progress.update(task, completed=done, total=total), supervisor.check)
        except first_run.RunFailedError as error:
            console.print(f"[red]error:[/] {error}", soft_wrap=True, highlight=False)


@dataclass(frozen=True)
class Service:
    """A process that `up` keeps: its command, and the URL that answers when it is ready."""

    name: str
    command: list[str]
    ready_url: str | None = None
    ready_port: int | None = None


def services(settings: Settings, grpc_port: int) -> list[Service]:
    """What an installation consists of, in the order of starting."""
    python = sys.executable
    workspace = ["-w", str(write_workspace(settings, grpc_port))]
    dagster_url = f"http://127.0.0.1:{settings.dagster_port}"
    return [
        Service(
            "code-location",
            [
                *(python, "-m", "orchestration.code_location", "-h", "127.0.0.1", "-p", str(grpc_port)),
                *("-m", "orchestration.definitions", "--location-name", "tutorq"),
                "--use-python-environment-entry-point",
            ],
            ready_port=grpc_port,
        ),
        Service(
            "dagster-webserver",
            [python, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(settings.dagster_port), *workspace],
            ready_url=f"{dagster_url}/server_info",
        ),
        Service("dagster-daemon", [python, "-m", "dagster._daemon", "run", *workspace]),
        Service("api", [python, "-m", "api"], ready_port=settings.api_port),
    ]


class ServiceEndedError(TutorqError):
    """A service ended that should have stayed."""

    def __init__(self, service: str, log: Path) -> None:
        super().__init__(f"{service} ended by itself; its log is {log}")
        self.service = service
        self.log = log


class Supervisor:
    """Starts services, watches them, and ends them together."""

    def __init__(self, settings: Settings, database: Database, console: Console) -> None:
        self._settings = settings
        self._database = database
        self._console = console
        self._up_id = uuid.uuid4().hex
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._state_file = settings.home / "up.json"
        self._logs = settings.home / "logs"

    def end_leftovers(self) -> None:
        """End what a killed `tutorq up` of this home left behind; they carry its id in their environment."""
        if not self._state_file.exists():
            return
        up_id = json.loads(self._state_file.read_text())["up_id"]
        leftovers = [process for process in psutil.process_iter() if _environment(process).get(UP_ID) == up_id]
        for process in leftovers:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(leftovers, timeout=GRACE_SECONDS)
        if leftovers:
            self._console.print(f"Ended {len(leftovers)} processes that an earlier, killed `tutorq up` left behind.")
        self._state_file.unlink()

    def start(self, wanted: list[Service]) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._state_file.write_text(json.dumps({"up_id": self._up_id}))
        environment = self._environment_of_services()
        for service in wanted:
            log = (self._logs / f"{service.name}.log").open("ab")
            self._children[service.name] = subprocess.Popen(
                service.command,
                cwd=PROJECT_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches only `up`, which ends the others in order
                preexec_fn=_die_with_parent,
            )
            log.close()
        for service in wanted:
            self._wait_until_ready(service)

    def watch(self) -> None:
        """Return when told to stop; the embedded server is started again if it ends.

        Raises:
            ServiceEndedError: a service ended by itself.
            TutorqError: the server does not start.
        """
        while True:
            self.check()
            if self._database.is_embedded and self._database.embedded.has_ended:
                self._console.print("The embedded Postgres has ended; it is started again.")
                self._database.embedded.start()
            time.sleep(0.5)

    def check(self) -> None:
        for name, child in self._children.items():
            if child.poll() is not None:
                raise ServiceEndedError(name, self._logs / f"{name}.log")

    def stop(self) -> None:
        """End all services and whatever they started: first asked, then killed."""
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        psutil.wait_procs(family, timeout=GRACE_SECONDS)
        stubborn = self._family()
        for process in stubborn:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for child in self._children.values():
            child.wait()
        # Wait for grandchildren, too: until they are gone they hold the embedded database.
        psutil.wait_procs(stubborn, timeout=GRACE_SECONDS)
        self._state_file.unlink(missing_ok=True)

    def _family(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _environment(process).get(UP_ID) == self._up_id]

    def _environment_of_services(self) -> dict[str, str]:
        return {
            **os.environ,
            **self._settings.as_environment(),
            UP_ID: self._up_id,
            "TUTORQ_DAGSTER_DATABASE_URL": self._database.dagster_url,
            "DAGSTER_HOME": str(first_run.prepare_dagster_home(self._settings)),
            "DO_NOT_TRACK": "1",
        }

    def _wait_until_ready(self, service: Service) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not _is_ready(service):
            self.check()
            if time.monotonic() > deadline:
                raise TutorqError(f"{service.name} did not get ready; its log is {self._logs / service.name}.log")
            time.sleep(0.2)


def write_workspace(settings: Settings, grpc_port: int) -> Path:
    """A workspace file that points the webserver and the daemon at the code location process, and at the user's own."""
    path = settings.home / "dagster" / "workspace.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(workspace("127.0.0.1", grpc_port, settings.code_locations))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_port(port: int, setting: str) -> None:
    """Raises TutorqError if something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise TutorqError(f"port {port} is taken; choose another with {setting}") from error


@contextmanager
def watching(settings: Settings, database: Database) -> Iterator[None]:
    """Look after the Dagster daemon meanwhile, in a thread: a process may live and do nothing."""
    over = threading.Event()
    thread = threading.Thread(target=watch.keep_watch, args=(settings, database, over.wait), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        # Not for longer: a mail provider that hangs must not hold up the end of everything.
        thread.join(timeout=1)


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Hold the home for one `tutorq up` at a time."""
    settings.home.mkdir(parents=True, exist_ok=True)
    lock: IO[bytes] = (settings.home / "up.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TutorqError(f"`tutorq up` is already running for {settings.home}") from error
    with lock:
        yield


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into one KeyboardInterrupt; further ones are ignored while stopping."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        for number in watched:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _is_ready(service: Service) -> bool:
    if service.ready_url is not None:
        with suppress(URLError, OSError), urlopen(service.ready_url, timeout=2) as response:
            return bool(response.status == 200)
        return False
    if service.ready_port is not None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", service.ready_port), timeout=1):
            return True
        return False
    return True


def _die_with_parent() -> None:
    """Linux: have the kernel send SIGTERM to this child when `up` is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
