"""The dashboard in a real browser, on a real installation with a small marketplace; the tests are in dashboards/e2e."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from core.settings import PROJECT_ROOT
from demo import write_demo
from tests.e2e.processes import free_port, wait_for

START_SECONDS = 180
MAIL_SECONDS = 180
STOP_SECONDS = 15
TESTS_SECONDS = 900
DASHBOARD = PROJECT_ROOT / "dashboards"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`tutorq up` with a published marketplace; yields what its dashboard's tests need to know."""
    home = tmp_path_factory.mktemp("dashboard")
    write_demo(home / "landing", tutors=80, students=400, days=100, seed=11)
    port = free_port()
    environment = {
        **os.environ,
        "TUTORQ_HOME": str(home),
        "TUTORQ_API_PORT": str(port),
        "TUTORQ_DAGSTER_PORT": str(free_port()),
    }
    with _up(environment, home / "up.log"):
        key = (home / "api-key").read_text().strip()
        with _mail_on_its_way(f"http://127.0.0.1:{port}", key):
            read_key = _read_key(environment)
        yield {
            **environment,
            "TUTORQ_URL": f"http://localhost:{port}",
            "TUTORQ_ADMIN_KEY": key,
            "TUTORQ_READ_KEY": read_key,
        }


def test_in_the_browser(installation: dict[str, str]) -> None:
    run = _npm("run", "--silent", "e2e", folder=DASHBOARD, environment=installation)
    print(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_changed_description_of_the_api_breaks_the_type_check(tmp_path: Path) -> None:
    ours = shutil.ignore_patterns("node_modules", "dist", "test-results")
    folder = shutil.copytree(DASHBOARD, tmp_path / "dashboards", ignore=ours)
    (folder / "node_modules").symlink_to(DASHBOARD / "node_modules")
    description = (PROJECT_ROOT / "api" / "openapi.json").read_text()
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "openapi.json").write_text(description.replace('"reschedule_rate_90d"', '"rate_90d"'))

    run = _npm("run", "--silent", "types", folder=folder)

    assert run.returncode != 0
    assert "'reschedule_rate_90d' does not exist" in run.stdout


def _npm(*arguments: str, folder: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["npm", *arguments],
        cwd=folder,
        env={**(environment or os.environ), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=TESTS_SECONDS,
    )


@contextmanager
def _mail_on_its_way(address: str, key: str) -> Iterator[None]:
    """A tutor who did not come: staff get a mail, by way of a run and the outbox; it is sent when the block is left."""
    with httpx2.Client(base_url=address, headers={"X-API-Key": key}, timeout=20) as client:
        tutor = client.get("/api/tutors?limit=1").json()["data"][0]["tutor_id"]
        student = client.get("/api/matching/students?limit=1").json()["data"][0]["student_id"]
        missed = datetime.now(UTC) - timedelta(hours=2)
        session = {
            "session_id": str(uuid4()),
            "tutor_id": tutor,
            "student_id": student,
            "scheduled_time": missed.isoformat(),
            "status": "no_show",
            "initiator": "tutor",
        }
        assert client.post("/api/sessions", json=session).status_code == 202

        yield

        def is_sent() -> bool:
            return any(mail["has_body"] for mail in client.get("/api/reports").json()["data"])

        wait_for(is_sent, MAIL_SECONDS, lambda: client.get("/api/reports").text)


def _read_key(environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "cli.app", "keys", "create", "--name", "reader", "--role", "read"]
    run = subprocess.run([*command, "--json"], env=environment, capture_output=True, check=True, timeout=60)
    return str(json.loads(run.stdout)["secret"])


@contextmanager
def _up(environment: dict[str, str], log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "cli.app", "up"]
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            wait_for(
                lambda: "predictions are complete" in log.read_text() or process.poll() is not None,
                START_SECONDS,
                log.read_text,
            )
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
