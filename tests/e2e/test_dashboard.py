"""The dashboard, and Dagster's pages, in a real browser on a real installation; the tests are in dashboards/e2e."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from core.settings import PROJECT_ROOT
from tests.e2e.installation import Installation
from tests.e2e.processes import wait_for

MAIL_SECONDS = 300
TESTS_SECONDS = 1200
DASHBOARD = PROJECT_ROOT / "dashboards"


@pytest.mark.parametrize("tier", ["gate", pytest.param("soak", marks=pytest.mark.soak)])
def test_in_the_browser(complete: Installation, tier: str) -> None:
    key = (complete.home / "api-key").read_text().strip()
    _send_a_mail(f"http://127.0.0.1:{complete.api_port}", key)
    # No run changes anything meanwhile but those that the tests themselves cause.
    complete.complete()
    environment = {
        **complete.environment,
        "TUTORQ_URL": f"http://localhost:{complete.api_port}",
        "DAGSTER_ADDRESS": f"http://127.0.0.1:{complete.dagster_port}",
        "TUTORQ_ADMIN_KEY": key,
        "TUTORQ_READ_KEY": _read_key(complete),
        "TUTORQ_E2E_TIER": tier,
    }
    # What these tests post is scored at once. At night, runs go on beside the page.
    with complete.scored_by_posts_alone() if tier == "gate" else nullcontext():
        run = _npm("run", "--silent", "e2e", folder=DASHBOARD, environment=environment)
        print(run.stdout)
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.soak
def test_a_changed_description_of_the_api_breaks_the_type_check(tmp_path: Path) -> None:
    ours = shutil.ignore_patterns("node_modules", "dist", "test-results")
    folder = shutil.copytree(DASHBOARD, tmp_path / "dashboards", ignore=ours)
    (folder / "node_modules").symlink_to(DASHBOARD / "node_modules")
    description = (PROJECT_ROOT / "api" / "openapi.json").read_text()
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "openapi.json").write_text(description.replace('"let_down_rate_90d"', '"rate_90d"'))

    run = _npm("run", "--silent", "types", folder=folder)

    assert run.returncode != 0
    assert "'let_down_rate_90d' does not exist" in run.stdout


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


def _send_a_mail(address: str, key: str) -> None:
    """A tutor did not come: staff get a mail, by way of a run and the outbox."""
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

        def is_sent() -> bool:
            return any(mail["has_body"] for mail in client.get("/api/reports").json()["data"])

        wait_for(is_sent, MAIL_SECONDS, lambda: client.get("/api/reports").text)


def _read_key(installation: Installation) -> str:
    run = installation.tutorq("keys", "create", "--name", "reader", "--role", "read", "--json")
    assert run.returncode == 0, run.stderr
    return str(json.loads(run.stdout)["secret"])
