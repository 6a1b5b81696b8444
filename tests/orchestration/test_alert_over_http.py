"""A tutor pushed over the threshold by posted sessions: one mail, however often they cross back and forth."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from uuid import uuid4

import dagster as dg
import httpx2
import pytest

from cli.supervisor import free_port
from core import keys
from core.database import Database, DatabaseRole
from core.dbt_runner import build
from core.roles import Role
from core.settings import Settings
from demo import write_demo
from ingest import load_folder
from orchestration.definitions import defs as load_definitions
from tests.e2e.processes import wait_for

START_SECONDS = 60


@pytest.fixture
def client(environment: Settings, database: Database) -> Iterator[httpx2.Client]:
    """A client with a key to post, of an API in a process of its own."""
    with database.connect() as connection:
        key = keys.create(connection, "marketplace", Role.INGEST).secret
    port = free_port()
    variables = {**environment.as_environment(), "TUTORQ_API_PORT": str(port)}
    with (
        subprocess.Popen([sys.executable, "-m", "api"], env=variables, stdout=subprocess.DEVNULL) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": str(key)}, verify=False) as client,
    ):
        try:

            def answers() -> bool:
                with suppress(httpx2.TransportError):
                    return client.get("/api/health").status_code in (200, 503)
                return False

            wait_for(answers, START_SECONDS, lambda: f"the API did not start: {process.poll()}")
            yield client
        finally:
            process.terminate()


def posted(tutor: str, status: str) -> dict[str, Any]:
    """A session of last week that was held, or that the tutor had moved a week before it."""
    time = datetime.now(UTC) - timedelta(days=6)
    session: dict[str, Any] = {
        "session_id": str(uuid4()),
        "tutor_id": tutor,
        "student_id": "posted-student",
        "scheduled_time": time.isoformat(),
        "status": status,
    }
    if status == "rescheduled":
        session["reschedule_info"] = {
            "initiator": "tutor",
            "original_time": time.isoformat(),
            "new_time": (time + timedelta(days=9)).isoformat(),
            "requested_at": (time - timedelta(days=7)).isoformat(),
        }
    return session


@pytest.mark.soak  # the gate has a mail by way of a run in e2e/test_dashboard.py, and the outbox in tests/reports
@pytest.mark.parametrize("crossings", [[(300, 200)], [(300, 200), (3000, 1500)]], ids=["once more", "twice more"])
def test_one_mail_however_often_the_threshold_is_crossed(
    client: httpx2.Client, environment: Settings, database: Database, crossings: list[tuple[int, int]]
) -> None:
    definitions = load_definitions()

    def run(job: str) -> None:
        with dg.instance_for_test() as instance:
            assert definitions.resolve_job_def(job).execute_in_process(instance=instance).success

    def push(status: str, count: int) -> str:
        """Post so many sessions of the tutor, score them, send what is due; returns the tutor's status."""
        rows = [posted("pushed", status) for _ in range(count)]
        answer = client.post("/api/sessions/batch", json=rows)
        assert answer.json()["queued"] == count, answer.text
        run("score")
        run("send_reports")
        with database.connect() as connection:
            (risk,) = connection.execute(
                "select risk_status from marts.tutor_scores where external_id = 'pushed'"
            ).fetchone() or (None,)
        return str(risk)

    def alerts() -> list[str]:
        messages = [
            message_from_bytes(path.read_bytes(), policy=policy.default)
            for path in sorted(environment.outbox_dir.glob("*.eml"))
        ]
        return [text for message in messages if "pushed" in (text := str(message["Subject"]))]

    write_demo(environment.home / "demo", tutors=10, students=30, days=40, seed=4)
    load_folder(database.as_role(DatabaseRole.INGEST), environment.home / "demo", timezone="UTC")
    build(environment, database)  # with score_history, which the mail is about, too
    run("score")
    assert push("completed", 4) == "insufficient_data"
    assert alerts() == []

    for session in [posted("pushed", "rescheduled") for _ in range(12)]:
        assert client.post("/api/sessions", json=session).status_code == 202
    assert push("rescheduled", 1) == "high_risk"
    assert len(alerts()) == 1

    for held, moved in crossings:
        assert push("completed", held) == "ok"
        assert push("rescheduled", moved) == "high_risk"
    assert len(alerts()) == 1
    # Of this tutor: 5,000 sessions of one tutor move the prior, and with it others who are near the threshold.
    with database.connect() as connection:
        about = connection.execute("select subject from app.email_reports where subject like '%: pushed'").fetchall()
    assert about == [("Unreliable: pushed",)]
