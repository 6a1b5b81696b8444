"""Machines of a network: namespaces of this one, joined by a switch, whose cables can be pulled out.

The addresses exist in these namespaces alone. Needs root, and `ip` (iproute2).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from core.embedded import PROGRAMS, EmbeddedPostgres
from core.settings import PROJECT_ROOT
from tests.conftest import SERVER_SETTINGS

SWITCH = "switch"
SUBNET = "10.77.0"
HAPROXY = """
global
    maxconn 200
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    retries 3
    option redispatch
frontend tutorq
    bind {address}:{port}
    default_backend api
backend api
    balance roundrobin
    option httpchk GET /api/ready
    server first 127.0.0.1:{first} check inter 500ms
    server second 127.0.0.1:{second} check inter 500ms
"""


def need(program: str, package: str) -> None:
    """The test fails, and says what to install."""
    if shutil.which(program) is None:
        pytest.fail(f"this test needs the program {program}: apt-get install {package}")


@dataclass
class Hosts:
    """By name; each has one address."""

    names: Sequence[str]
    # Of what is started there, beside that of this process.
    environment: dict[str, str] = field(default_factory=dict)
    _prefix: str = field(default_factory=lambda: f"tutorq{os.getpid()}-")

    def address(self, name: str) -> str:
        return f"{SUBNET}.{254 if name == SWITCH else self.names.index(name) + 1}"

    def through(self, name: str) -> list[str]:
        """The beginning of a command that is to run there."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return ["ip", "netns", "exec", f"{self._prefix}{name}", "env", *variables]

    def cut(self, name: str) -> None:
        """Pull its cable out: what is sent is lost, and nobody is told."""
        self._ip(SWITCH, "link", "set", name, "down")

    def join(self, name: str) -> None:
        self._ip(SWITCH, "link", "set", name, "up")

    def make(self) -> None:
        for name in (SWITCH, *self.names):
            _run("ip", "netns", "add", f"{self._prefix}{name}")
            self._ip(name, "link", "set", "lo", "up")
        self._ip(SWITCH, "link", "add", "bridge", "type", "bridge")
        self._ip(SWITCH, "addr", "add", f"{self.address(SWITCH)}/24", "dev", "bridge")
        self._ip(SWITCH, "link", "set", "bridge", "up")
        for name in self.names:
            # Both ends are made where they belong, so that nothing of it is ever seen outside.
            self._ip(SWITCH, "link", "add", name, "type", "veth", "peer", "eth0", "netns", f"{self._prefix}{name}")
            self._ip(SWITCH, "link", "set", name, "master", "bridge")
            self._ip(SWITCH, "link", "set", name, "up")
            self._ip(name, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            self._ip(name, "link", "set", "eth0", "up")

    def remove(self) -> None:
        for name in (*self.names, SWITCH):
            subprocess.run(["ip", "netns", "del", f"{self._prefix}{name}"], check=False, capture_output=True)

    def _ip(self, name: str, *arguments: str) -> None:
        _run("ip", "-n", f"{self._prefix}{name}", *arguments)


@contextmanager
def hosts(*names: str) -> Iterator[Hosts]:
    if os.geteuid() != 0:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("only root can make networks of its own")
    need("ip", "iproute2")
    made = Hosts(names)
    try:
        made.make()
        yield made
    finally:
        made.remove()


@contextmanager
def postgres_on(made: Hosts, name: str, home: Path) -> Iterator[tuple[str, str]]:
    """A server of its own on a host; its URL for this process (by its socket, past the network), and for the hosts."""
    embedded = EmbeddedPostgres(home)
    embedded.start()  # makes the cluster, as the user that can run it
    embedded.release()
    data = home / "postgres"
    (data / "pg_hba.conf").write_text(f"local all all trust\nhost all all {SUBNET}.0/24 trust\n")
    owner, sockets = data.stat(), Path(f"/tmp/{made._prefix}sockets")
    sockets.mkdir(mode=0o700)
    os.chown(sockets, owner.st_uid, owner.st_gid)
    settings = [f"--{setting.replace(' ', '')}" for setting in SERVER_SETTINGS]
    with (home / "postgres.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *made.through(name), "setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups",
                str(PROGRAMS / "postgres"), "-D", str(data), f"--listen_addresses={made.address(name)}",
                "--port=5432", f"--unix_socket_directories={sockets}", "--shared_buffers=64MB", *settings,
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        here = f"postgresql://postgres@/postgres?host={sockets}"
        while not _answers(here):
            assert server.poll() is None, (home / "postgres.log").read_text()
            time.sleep(0.05)
        yield here, f"postgresql://postgres@{made.address(name)}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # it waits for nobody
        server.wait()
        shutil.rmtree(sockets)


@contextmanager
def apis_behind_a_proxy(made: Hosts, name: str, home: Path) -> Iterator[str]:
    """Two API processes of this environment, and HAProxy before them; the URL for the hosts."""
    need("haproxy", "haproxy")
    port, of_apis = 8000, (8001, 8002)
    config = home / "haproxy.cfg"
    config.write_text(HAPROXY.format(address=made.address(name), port=port, first=of_apis[0], second=of_apis[1]))
    processes: list[subprocess.Popen[bytes]] = []
    commands = {
        **{f"api-{each}": [sys.executable, "-m", "api"] for each in of_apis},
        "haproxy": ["haproxy", "-W", "-db", "-f", str(config)],
    }
    try:
        for log_name, command in commands.items():
            own = {"TUTORQ_API_PORT": log_name.removeprefix("api-")} if "api" in command else {}
            with (home / f"{log_name}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        [*made.through(name), *command],
                        cwd=PROJECT_ROOT, env={**os.environ, **own}, stdout=log, stderr=log,
                    )
                )  # fmt: skip
        yield f"http://{made.address(name)}:{port}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
