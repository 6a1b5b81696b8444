"""The processes of one `tutorq up`: started together, watched, and ended together."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from rich.console import Console

from core.database import Database
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from core.words import plural
from orchestration import first_run
from orchestration.workspace import WAIT_FOR_PORT, workspace

UP_ID = "TUTORQ_UP_ID"
VIEWER = "dagster-viewer"
GRACE_SECONDS = 4
# Modules of the processes that runs are in, or forked from.
MAKE_RUNS = ("orchestration.code_location", "orchestration.first_run", "multiprocessing.forkserver")
START_TIMEOUT_SECONDS = 90
PR_SET_PDEATHSIG = 1
LOG_TAIL = 20_000
LONGEST_ERROR = 200
# Of tracebacks, as Python writes them.
LOGGED_ERROR = re.compile(r"^(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b.*$", re.MULTILINE)
LOGGED_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
CAUSE = re.compile(r"^(?:The above exception was|During handling of the above)", re.MULTILINE)


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
        _webserver("dagster-webserver", settings.dagster_port, workspace),
        *(_webserver(VIEWER, port, [*workspace, "--read-only"]) for port in [settings.dagster_viewer_port] if port),
        Service("dagster-daemon", [python, "-m", "orchestration.daemon", "run", *workspace]),
    ]


def _webserver(name: str, port: int, options: list[str]) -> Service:
    command = [sys.executable, "-m", "orchestration.webserver", "-h", "127.0.0.1", "-p", str(port), *options]
    return Service(name, command, ready_url=f"http://127.0.0.1:{port}/server_info")


class ServiceEndedError(TutorqError):
    """A service ended that should have stayed."""

    def __init__(self, service: str, log: Path, returncode: int) -> None:
        reason = last_error(log)
        how = f"by {signal.Signals(-returncode).name}" if returncode < 0 else f"with exit code {returncode}"
        super().__init__(f"{service} ended unexpectedly {how}{f' ({reason})' if reason else ''}; see its log {log}")
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
        self._grpc_port = free_port()
        self._services = {service.name: service for service in services(settings, self._grpc_port)}
        self._state_file = settings.home / "up.id"
        self._logs = settings.home / "logs"

    def end_leftovers(self) -> None:
        """End what a killed `tutorq up` of this home left behind; they carry its id in their environment."""
        if not self._state_file.exists():
            return
        up_id = self._state_file.read_text()
        leftovers = [process for process in psutil.process_iter() if _environment(process).get(UP_ID) == up_id]
        for process in leftovers:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(leftovers, timeout=GRACE_SECONDS)
        if leftovers:
            self._console.print(f"Ended {plural(len(leftovers), 'process', 'processes')} of an earlier `tutorq up`.")
        self._state_file.unlink()

    def start(self, *names: str) -> None:
        """Start those that do not run yet; from now on none of them may end."""
        for name in names:
            if name not in self._children:
                self._children[name] = self.spawn(name, self._services[name].command)

    def spawn(self, name: str, command: list[str], *, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        """A process of this `up`, which ends with it at the latest."""
        self._logs.mkdir(parents=True, exist_ok=True)
        if not self._children:
            _replace(self._state_file, self._up_id)
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
                raise TutorqError(f"{name} did not start in time; see its log {self.log(name)}")
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
            self._console.print("The embedded Postgres ended; tutorq restarts it.")
            self._database.embedded.start()

    def check(self) -> None:
        if self._interruption.has_come:
            raise StopRequested
        for name, child in self._children.items():
            if (returncode := child.poll()) is not None:
                raise ServiceEndedError(name, self.log(name), returncode)

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
        # Not one of an earlier `up` whose leftovers have not been ended.
        if self._state_file.exists() and self._state_file.read_text() == self._up_id:
            self._state_file.unlink()

    def _is_killed(self, command: list[str]) -> bool:
        """It is a process that runs are in or forked from, and they are ours to close."""
        return self._database.is_embedded and any(module in word for module in MAKE_RUNS for word in command)

    def _family(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _environment(process).get(UP_ID) == self._up_id]

    def _environment_of_services(self) -> dict[str, str]:
        # The first run starts before the database; its order says where Dagster's database is.
        has_database = not (self._database.is_embedded and self._database.embedded.is_new)
        return {
            **os.environ,
            **self._settings.as_environment(),
            **({"TUTORQ_DAGSTER_DATABASE_URL": self._database.dagster_url} if has_database else {}),
            UP_ID: self._up_id,
            WAIT_FOR_PORT: str(self._grpc_port),
            "DAGSTER_HOME": str(first_run.prepare_dagster_home(self._settings)),
            "DO_NOT_TRACK": "1",
        }


def _replace(path: Path, text: str) -> None:
    """The old file or the new one, whole, whenever this is killed."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


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


def check_ports(ports: Mapping[str, int | None]) -> None:
    """Raises TutorqError if something listens on ports of these settings already; names all of them."""
    busy = {setting: port for setting, port in ports.items() if port and not _is_free(port)}
    if busy:
        named = " and ".join(f"port {port} is in use ({setting})" for setting, port in busy.items())
        raise TutorqError(f"{named}; stop what uses it, such as another `tutorq up`, or set another port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class StopRequested(KeyboardInterrupt):
    """Somebody wants everything to end.

    Not a bare KeyboardInterrupt: CPython notes one that leaves an `exec` of source, as imports of generated code do,
    and kills the process by SIGINT at its end, however well it was caught and whatever the exit status was to be.
    """


class Interruption:
    """Whether SIGINT, SIGTERM or SIGHUP came. The first one raises StopRequested; further ones would disturb the
    stopping.

    Python swallows an exception that is raised in a callback, as of a fork or of the garbage collector. So whoever
    waits also asks here (`Supervisor.check`).
    """

    def __init__(self) -> None:
        self.has_come = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if not self.has_come:
            self.has_come = True
            raise StopRequested


@contextmanager
def stop_on_signals() -> Iterator[Interruption]:
    interruption = Interruption()
    before = {number: signal.signal(number, interruption) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def last_error(log: Path) -> str | None:
    """What Python said last in this log and where, in one line; of errors that caused each other, the first."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    found: re.Match[str] | None = None
    newest = len(text)
    for match in reversed(list(LOGGED_ERROR.finditer(text))):
        if found is not None and not CAUSE.search(text[match.end() : newest]):
            break
        found, newest = match, match.start()
    if found is None:
        return None
    places = LOGGED_PLACE.findall(text[: found.start()])
    where = f", {places[-1][0]}, line {places[-1][1]}" if places else ""
    return " ".join(found[0].split())[:LONGEST_ERROR] + where


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
