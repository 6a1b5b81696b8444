"""What tests of whole installations have in common."""

import random
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg

from core.database import Database

START_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], seconds: float, explain: Callable[[], object]) -> None:
    """Return when the condition holds; the test fails with `explain()` if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.2)


class EmbeddedServer:
    """The embedded server, as seen by who wants to kill it."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._home = home

    def kill_backend(self, chance: random.Random) -> None:
        """kill -9 of one connection's process; Postgres then ends all others, and recovers."""
        backends = [child for child in self._postmaster().children() if "tutorq [local]" in " ".join(child.cmdline())]
        if backends:
            chance.choice(backends).kill()

    def kill(self) -> None:
        """kill -9 of all of it, and start it again."""
        self._end(lambda processes: [process.kill() for process in processes])

    def kill_postmaster(self) -> None:
        """kill -9 of the first process, on which the others end by themselves, and start it again."""
        self._end(lambda processes: processes[0].kill())

    def shut_down_at_once(self) -> None:
        """What `pg_ctl stop -m immediate` does, and start it again."""
        self._end(lambda processes: processes[0].send_signal(signal.SIGQUIT))

    def _end(self, end: Callable[[list[psutil.Process]], object]) -> None:
        postmaster = self._postmaster()
        processes = [postmaster, *postmaster.children()]
        end(processes)
        psutil.wait_procs(processes, timeout=START_SECONDS)
        self._database.embedded.start()

    def wait(self) -> None:
        """Until it answers; it is started again if it has ended, as `tutorq up` does."""
        wait_for(self._is_up, START_SECONDS, lambda: "Postgres did not recover")

    def _is_up(self) -> bool:
        if self._database.embedded.has_ended:
            self._database.embedded.start()
        try:
            with psycopg.connect(self._database.url, connect_timeout=5) as connection:
                return connection.execute("select true").fetchone() == (True,)
        except psycopg.OperationalError:
            return False

    def _postmaster(self) -> psutil.Process:
        pid = (self._home / "postgres" / "postmaster.pid").read_text().split()[0]
        return psutil.Process(int(pid))
