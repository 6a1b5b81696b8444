"""The API behind PgBouncer that gives each transaction another connection, set up as docs/operations.md says."""

import os
import pwd
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from core.postgres_urls import parse, render
from core.settings import PROJECT_ROOT
from tests.api.conftest import served
from tests.api.processes import free_port, started
from tests.conftest import PUBLISHED, Postgres

SERVER_CONNECTIONS = 4
PATHS = (
    "/api/overview",
    "/api/tutors",
    "/api/sessions/upcoming",
    "/api/fairness",
    "/api/cases",
    "/api/audit",
    "/metrics",
)


def recipe(language: str) -> str:
    page = (PROJECT_ROOT / "docs" / "operations.md").read_text()
    return page.partition("### A pooler by transaction")[2].partition(f"```{language}\n")[2].partition("```")[0]


@contextmanager
def pgbouncer(database_url: str, login: str) -> Iterator[int]:
    """PgBouncer with the documented settings, before this database; yields its port."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "needs PgBouncer: apt-get install pgbouncer"
    parameters = parse(database_url)
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="tq-"))
    users = folder / "users.txt"
    users.write_text(f'"{login}" ""\n')
    databases, own = recipe("ini").split("[pgbouncer]")
    address = f"host={parameters['host']} dbname={parameters['dbname']}"
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        re.sub(r"tutorq = .*", f"tutorq = {address}", databases)
        + f"[pgbouncer]{own}\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {users}\ndefault_pool_size = {SERVER_CONNECTIONS}\n"
    )
    # It does not run as root, and the socket is its owner's alone.
    owner = Path(parameters["host"]).stat().st_uid
    for path in (folder, users, settings):
        os.chown(path, owner, -1)
    command = [program, str(settings)]
    if os.geteuid() == 0:
        command[1:1] = ["-u", pwd.getpwuid(owner).pw_name]
    process = subprocess.Popen(command, stderr=(folder / "pgbouncer.log").open("wb"))
    try:
        yield port
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


@pytest.mark.soak
def test_the_api_works_behind_a_pooler_by_transaction(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path, PUBLISHED)
    login = "pooled_api"
    with database.connect(autocommit=True) as connection:
        connection.execute(f"create role {login} login in role tutorq_api".encode())
        for statement in recipe("sql").replace("role api ", f"role {login} ").splitlines():
            connection.execute(statement.encode())
    try:
        with served(database, tmp_path) as plain, pgbouncer(database.url, login) as port:
            url = render({"host": "127.0.0.1", "port": str(port), "user": login, "dbname": "tutorq"})
            settings = {"TUTORQ_API_DATABASE_URL": url, "TUTORQ_STATEMENT_CACHE_SIZE": "0"}
            with (
                started(plain, tmp_path / "log", TUTORQ_INGEST_RATE_PER_SECOND="1000000", **settings) as (_, api_port),
                httpx2.Client(
                    base_url=f"http://127.0.0.1:{api_port}", headers={"X-API-Key": plain.key}, timeout=30, verify=False
                ) as client,
            ):
                tutors = [row["tutor_id"] for row in client.get("/api/tutors").json()["data"]]

                def ask(number: int) -> int:
                    if number % 3:
                        return client.get(random.choice((*PATHS, f"/api/tutors/{random.choice(tutors)}"))).status_code
                    name = f"pooled-{number}"
                    body = {
                        "session_id": name,
                        "tutor_id": random.choice(tutors),
                        "student_id": "student-1",
                        "scheduled_time": "2026-01-30T10:00:00Z",
                        "status": "completed",
                    }
                    return client.post("/api/sessions", json=body, headers={"Idempotency-Key": name}).status_code

                with ThreadPoolExecutor(16) as pool:
                    statuses = list(pool.map(ask, range(3000)))
                assert set(statuses) == {200, 202}
                events = client.get("/api/events?seconds=1")
                assert "event: heartbeat" in events.text
            with database.connect() as connection:
                stored = connection.execute(
                    "select count(*) from raw.sessions where external_id like 'pooled-%'"
                ).fetchone()
                used = connection.execute(
                    "select count(*) from pg_stat_activity where usename = %s", [login]
                ).fetchone()
            assert stored == (1000,)
            assert used is not None
            assert 0 < used[0] <= SERVER_CONNECTIONS
    finally:
        with database.connect(autocommit=True) as connection:
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [login])
            connection.execute(f"drop role {login}".encode())
