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
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from core.database import Database, DatabaseRole
from core.errors import DatabaseUnreachableError, TutorqError
from core.keys import Role, ensure_local_key
from core.logins import create_link
from core.settings import PROJECT_ROOT, Settings
from orchestration import first_run
from orchestration.workspace import workspace

UP_ID = "TUTORQ_UP_ID"
GRACE_SECONDS = 4
# Modules of the processes that runs are in, or forked from.
MAKE_RUNS = ("orchestration.code_location", "orchestration.first_run", "multiprocessing.forkserver")
START_TIMEOUT_SECONDS = 90
PR_SET_PDEATHSIG = 1


def run(settings: Settings, *, demo: bool, console: Console) -> None:
    """Bring everything up, say where it is, and stay until told to stop.

    Raises:
        TutorqError: something did not start or ended by itself; everything else has been stopped.
    """
    with only_one(settings), stop_on_signals() as interruption:
        database = Database(settings)
        transform = database.as_role(DatabaseRole.TRANSFORM)
        supervisor = Supervisor(settings, database, interruption, console)
        try:
            supervisor.end_leftovers()
            check_port(settings.api_port, "TUTORQ_API_PORT")
            check_port(settings.dagster_port, "TUTORQ_DAGSTER_PORT")
            first = FirstRun(settings, transform, supervisor)
            _bring_up(settings, database, supervisor, first, demo=demo, console=console)
            with watching(settings, transform):
                _fill_in(settings, transform, supervisor, first, console=console)
                supervisor.watch()
        except ServiceEndedError as error:
            from reports import conditions, watch

            watch.tell_anyhow(settings, transform, conditions.service_ended(error.service, str(error.log)))
            raise
        except KeyboardInterrupt:
            console.print("\nStopping …")
        finally:
            supervisor.stop()
            database.release()


def _bring_up(
    settings: Settings, database: Database, supervisor: "Supervisor", first: "FirstRun", *, demo: bool, console: Console
) -> None:
    """The API with the scores of today, as quickly as can be; then Dagster, but for its daemon."""
    is_new = database.is_embedded and database.embedded.is_new
    if is_new and (demo or any(settings.landing.glob("*"))):
        first.prepare()  # it imports while the database and the demo are made
    with console.status("Starting the database …"):
        if not is_new:
            supervisor.start("api")  # it imports meanwhile, too
        from core.migrate import migrate  # half a second, and not before other processes have begun

        migrate(database)
        with database.connect() as connection:
            ensure_local_key(connection, settings.api_key_file)
        if database.is_embedded and not first.is_prepared:
            first_run.cancel_dead_runs(settings, database)
    if demo:
        _make_up_data(settings, database, console)
    supervisor.start("api")
    if first_run.is_needed(settings, database):
        first.publish(console)
    else:
        first.dismiss()
        supervisor.start("code-location")
    with console.status("Starting the API …"):
        supervisor.wait_until_ready("api")
    with database.connect() as connection:
        link = create_link(connection, settings, Role.ADMIN)
    console.print(f"[bold green]The dashboard is ready:[/] {link}", soft_wrap=True, highlight=False)
    console.print("(for one log-in within ten minutes; `tutorq login-link` makes another)", soft_wrap=True)
    _start_dagster(settings, supervisor, console)


def _make_up_data(settings: Settings, database: Database, console: Console) -> None:
    """Landing files of a made-up marketplace, if there is nothing yet."""
    with database.connect() as connection:
        if connection.execute("select exists (select from raw.sessions)").fetchone() == (True,):
            return
    from demo import write_demo
    from ingest import has_landing_files

    if has_landing_files(settings.landing):
        return
    with console.status("Making up a marketplace …"):
        summary = write_demo(settings.landing, timezone=settings.timezone)
    console.print(
        f"Made up {summary.sessions:,} past and {summary.scheduled_sessions:,} planned sessions "
        f"of {summary.tutors} tutors and {summary.students:,} students."
    )


def _start_dagster(settings: Settings, supervisor: "Supervisor", console: Console) -> None:
    with console.status("Starting Dagster …"):
        for name in ("code-location", "dagster-webserver"):
            # The webserver looks for the code location once, at its start.
            supervisor.start(name)
            supervisor.wait_until_ready(name)
    console.print(f"[bold green]tutorq is up.[/]  API       http://127.0.0.1:{settings.api_port}/api/docs")
    console.print(f"               Dagster   http://127.0.0.1:{settings.dagster_port}")
    console.print(f"               API key   in {settings.api_key_file} (header X-API-Key)", highlight=False)
    console.print("Ctrl-C stops everything.")


def _fill_in(
    settings: Settings, database: Database, supervisor: "Supervisor", first: "FirstRun", *, console: Console
) -> None:
    """The daemon, and the runs that are missing; one that fails is told, and everything stays up."""
    try:
        first.finish(console)
        runs = first_run.follow_ups(settings, database)
        run = next(runs, None)
        # Only now, so that the daemon's sensors find a run in progress and ask for none.
        supervisor.start("dagster-daemon")
        if run is None and not first_run.is_published(database):
            return
        with console.status("The history and the predictions follow …"):
            while run is not None:
                run.wait(supervisor.look)
                run = next(runs, None)
    except (first_run.RunFailedError, DatabaseUnreachableError) as error:
        console.print(
            f"[red]error:[/] the history or the predictions are incomplete until the next `tutorq up`: {error}",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
        supervisor.start("dagster-daemon")
    else:
        console.print("The history and the predictions are complete.")


class FirstRun:
    """The run that publishes the scores of today, in a process that may be started before there is a database."""

    def __init__(self, settings: Settings, database: Database, supervisor: "Supervisor") -> None:
        self._settings = settings
        self._database = database
        self._supervisor = supervisor
        self._process: subprocess.Popen[bytes] | None = None
        self._run: first_run.Run | None = None

    @property
    def is_prepared(self) -> bool:
        return self._process is not None

    def prepare(self) -> None:
        self._process = self._process or self._supervisor.spawn("first-run", first_run.COMMAND, stdin=subprocess.PIPE)

    def dismiss(self) -> None:
        """There is nothing to score: it ends by itself."""
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def publish(self, console: Console) -> None:
        """Load and score; returns as soon as scores are published, or the run has failed."""
        self.prepare()
        self._run = first_run.Run.to_come(self._settings, self._database)
        if self._process and self._process.stdin:
            with suppress(BrokenPipeError), self._process.stdin as orders:
                orders.write(first_run.order(self._run))
        with Progress(
            SpinnerColumn(), TextColumn("Loading and scoring"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, transient=True,
        ) as progress:  # fmt: skip
            task = progress.add_task("run", total=None)
            while not self._has_ended() and not self._is_published():
                _, done, total = self._run.progress()
                progress.update(task, completed=done, total=total or None)

    def finish(self, console: Console) -> None:
        """Wait for what comes after the publication, such as checks; a failure is told, and everything stays up."""
        while not self._has_ended():
            pass
        if self._process and self._process.returncode and self._run:
            console.print(
                f"[red]error:[/] the first run did not succeed; see {self._run.address} "
                f"and {self._supervisor.log('first-run')}",
                soft_wrap=True, highlight=False,
            )  # fmt: skip

    def _is_published(self) -> bool:
        try:
            return first_run.is_published(self._database)
        except DatabaseUnreachableError:
            return False  # it recovers

    def _has_ended(self) -> bool:
        """After a look at everything, and a moment."""
        self._supervisor.look()
        if self._process is None or self._process.poll() is not None:
            return True
        time.sleep(first_run.POLL_SECONDS)
        return False


@dataclass(frozen=True)
class Service:
    """A process that `up` keeps: its command, and the URL that answers when it is ready."""

    name: str
    command: list[str]
    ready_url: str | None = None
    ready_port: int | None = None


def services(settings: Settings, grpc_port: int) -> list[Service]:
    """What an installation consists of."""
    python = sys.executable
    workspace = ["-w", str(write_workspace(settings, grpc_port))]
    dagster_url = f"http://127.0.0.1:{settings.dagster_port}"
    return [
        Service("api", [python, "-m", "api"], ready_port=settings.api_port),
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
    ]


class ServiceEndedError(TutorqError):
    """A service ended that should have stayed."""

    def __init__(self, service: str, log: Path) -> None:
        super().__init__(f"{service} ended by itself; its log is {log}")
        self.service = service
        self.log = log


class Supervisor:
    """Starts services, watches them, and ends them together."""

    def __init__(self, settings: Settings, database: Database, interruption: "Interruption", console: Console) -> None:
        self._settings = settings
        self._database = database
        self._interruption = interruption
        self._console = console
        self._up_id = uuid.uuid4().hex
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._services = {service.name: service for service in services(settings, free_port())}
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

    def start(self, *names: str) -> None:
        """Start those that do not run yet; from now on none of them may end."""
        for name in names:
            if name not in self._children:
                self._children[name] = self.spawn(name, self._services[name].command)

    def spawn(self, name: str, command: list[str], *, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        """A process of this `up`, which ends with it at the latest."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._state_file.write_text(json.dumps({"up_id": self._up_id}))
        with self.log(name).open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=PROJECT_ROOT,
                env=self._environment_of_services(),
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches only `up`, which ends the others in order
                preexec_fn=partial(_die_with_parent, signal.SIGKILL if self._is_killed(command) else signal.SIGTERM),
            )

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def wait_until_ready(self, name: str) -> None:
        """Raises TutorqError if it does not get ready in time, or any service ends."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not _is_ready(self._services[name]):
            self.check()
            if time.monotonic() > deadline:
                raise TutorqError(f"{name} did not get ready; its log is {self.log(name)}")
            time.sleep(0.1)

    def watch(self) -> None:
        """Return when told to stop; the embedded server is started again if it ends.

        Raises:
            ServiceEndedError: a service ended by itself.
            TutorqError: the server does not start.
        """
        while True:
            self.look()
            time.sleep(0.5)

    def look(self) -> None:
        """One look at everything; raises as `watch` does."""
        self.check()
        if self._database.is_embedded and self._database.embedded.has_ended:
            self._console.print("The embedded Postgres has ended; it is started again.")
            self._database.embedded.start()

    def check(self) -> None:
        if self._interruption.has_come:
            raise KeyboardInterrupt
        for name, child in self._children.items():
            if child.poll() is not None:
                raise ServiceEndedError(name, self.log(name))

    def stop(self) -> None:
        """End all services and whatever they started: first asked, then killed.

        Runs are killed at once, and closed by the next `up` (`cancel_dead_runs`): asked to end, they would be recorded
        as failed, with an alert, and with a minute's pause before the next one. On a server that is not ours nobody
        closes them, so there they are asked.
        """
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                if self._is_killed(process.cmdline()):
                    process.kill()
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

    def _is_killed(self, command: list[str]) -> bool:
        """It is a process that runs are in or forked from, and they are ours to close."""
        return self._database.is_embedded and any(module in word for module in MAKE_RUNS for word in command)

    def _family(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _environment(process).get(UP_ID) == self._up_id]

    def _environment_of_services(self) -> dict[str, str]:
        # The first run starts before the database, and is told later where Dagster's is.
        has_database = not (self._database.is_embedded and self._database.embedded.is_new)
        return {
            **os.environ,
            **self._settings.as_environment(),
            **({"TUTORQ_DAGSTER_DATABASE_URL": self._database.dagster_url} if has_database else {}),
            UP_ID: self._up_id,
            "DAGSTER_HOME": str(first_run.prepare_dagster_home(self._settings)),
            "DO_NOT_TRACK": "1",
        }


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
    from reports import watch

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


class Interruption:
    """Whether SIGINT, SIGTERM or SIGHUP came. The first one raises KeyboardInterrupt; further ones would disturb the
    stopping.

    Python swallows an exception that is raised in a callback, as of a fork or of the garbage collector. So whoever
    waits also asks here (`Supervisor.check`).
    """

    def __init__(self) -> None:
        self.has_come = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if not self.has_come:
            self.has_come = True
            raise KeyboardInterrupt


@contextmanager
def stop_on_signals() -> Iterator[Interruption]:
    interruption = Interruption()
    before = {number: signal.signal(number, interruption) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield interruption
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


def _die_with_parent(number: signal.Signals) -> None:
    """Linux: have the kernel send this signal to this child when `up` is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
