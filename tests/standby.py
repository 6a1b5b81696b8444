"""A Postgres server of a test's own with a standby that streams from it, as a read replica does."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from core.embedded import PROGRAMS, EmbeddedPostgres

START_SECONDS = 60


@dataclass(frozen=True)
class Standby:
    """A server that has what another one had a moment ago. Its user is the superuser, without a password."""

    data: Path
    sockets: Path

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.sockets}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.sockets}'"
        log = self.data.with_suffix(".log")
        self._run("pg_ctl", "start", "--wait", f"--timeout={START_SECONDS}", f"--log={log}", f"--options={options}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def pause(self) -> None:
        """Take in nothing more, as one that lags."""
        self._as_superuser("select pg_wal_replay_pause()")
        while self._as_superuser("select pg_get_wal_replay_pause_state()") != "paused":
            pass

    def go_on(self) -> None:
        self._as_superuser("select pg_wal_replay_resume()")

    def _as_superuser(self, statement: str) -> object:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return row[0]

    def _run(self, program: str, *arguments: str) -> None:
        owner = self.data.stat().st_uid
        subprocess.run(
            [PROGRAMS / program, f"--pgdata={self.data}", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            user=owner if os.geteuid() == 0 else None,
            cwd="/",
        )


@contextmanager
def replicated(home: Path, dump_of: str, name: str) -> Iterator[tuple[str, Standby]]:
    """A server with a copy of a database, as `name`, and its standby; yields the address of the copy."""
    embedded = EmbeddedPostgres(home)
    base = embedded.start()
    try:
        copy = base.replace("/postgres?", f"/{name}?")
        _fill(base, dump_of, copy, name)
        data = home / "postgres"
        # The path of a socket may have 107 bytes.
        folder = Path(tempfile.mkdtemp(prefix="tq-"))
        standby = Standby(folder / "data", folder)
        try:
            subprocess.run(
                [
                    *(PROGRAMS / "pg_basebackup", f"--dbname={base}", f"--pgdata={standby.data}"),
                    *("--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream"),
                ],
                check=True,
            )
            owner = data.stat()
            for path in (folder, standby.data, *standby.data.rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid)
            standby.start()
            try:
                yield copy, standby
            finally:
                standby.stop()
        finally:
            shutil.rmtree(folder)
    finally:
        embedded.release()


def _fill(base: str, dump_of: str, copy: str, name: str) -> None:
    """With the roles, which belong to the server."""
    roles = subprocess.run(
        [PROGRAMS / "pg_dumpall", f"--dbname={dump_of}", "--roles-only"], check=True, capture_output=True
    )
    lines = [line for line in roles.stdout.splitlines() if b" ROLE postgres" not in line]
    subprocess.run([PROGRAMS / "psql", base, "--quiet", "--output=/dev/null"], check=True, input=b"\n".join(lines))
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0".encode())
    dump = subprocess.run([PROGRAMS / "pg_dump", dump_of, "--format=custom"], check=True, capture_output=True)
    subprocess.run([PROGRAMS / "pg_restore", f"--dbname={copy}", "--exit-on-error"], check=True, input=dump.stdout)
