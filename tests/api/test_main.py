"""The process: `python -m api`, its log, and its end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import psutil
import pytest

from api.limits import FAILED_LOG_INS_AT_ONCE
from core.postgres_urls import parse, render
from core.settings import PROJECT_ROOT
from tests.api.conftest import Served
from tests.api.processes import started

pytestmark = pytest.mark.slow


def test_the_process_logs_lines_without_personal_data_and_finishes_what_it_started(
    published: Served, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    headers = {"X-API-Key": published.key, "X-Request-ID": "found-again"}
    statuses: list[int] = []

    def ask() -> None:
        response = httpx2.get(f"http://127.0.0.1:{port}/api/tutors?search=Hortensia", headers=headers, timeout=20)
        statuses.append(response.status_code)

    with started(published, log) as (process, port):
        with published.database.connect() as connection:
            # The request waits for this lock while the process is told to stop.
            connection.execute("lock table marts.tutor_scores in access exclusive mode")
            asking = threading.Thread(target=ask)
            asking.start()
            time.sleep(0.4)
            process.send_signal(signal.SIGINT)
            time.sleep(0.4)
            assert process.poll() is None
            connection.rollback()
        asking.join()
        assert process.wait(timeout=10) == 0
    assert statuses == [200]
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    line = next(line for line in lines if line.get("request_id") == "found-again")
    assert line["event"] == "request"
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/tutors", 200)
    assert line["duration_ms"] > 300
    assert line["key"].startswith("local-")
    assert published.key not in text
    assert "Hortensia" not in text
    assert sum(line.get("request_id") == "found-again" for line in lines) == 1


@pytest.mark.parametrize(
    ("proxies", "last"),
    [
        ("192.0.2.1, 127.0.0.0/8", 401),
        pytest.param("", 429, marks=pytest.mark.soak),
        pytest.param("192.0.2.1", 429, marks=pytest.mark.soak),
    ],
)
def test_clients_behind_a_trusted_proxy_are_told_apart(
    published: Served, tmp_path: Path, proxies: str, last: int
) -> None:
    with started(published, tmp_path / "log", TUTORQ_TRUSTED_PROXIES=proxies) as (_, port):
        statuses = [
            httpx2.post(
                f"http://127.0.0.1:{port}/api/auth/session",
                json={"api_key": "nobody's"},
                headers={"X-Forwarded-For": f"203.0.113.{number}"},
            ).status_code
            for number in range(2 * FAILED_LOG_INS_AT_ONCE)
        ]
    # On a slow machine some of them are allowed again meanwhile.
    assert (statuses[0], 429 in statuses) == (401, last == 429)


CANARY = "c4n4ry"
SECRETS = {
    "TUTORQ_OPENAI_API_KEY": f"sk-{CANARY}",
    "TUTORQ_OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
    "TUTORQ_SENDGRID_API_KEY": f"SG.{CANARY}",
    "TUTORQ_SMTP_URL": f"smtp://mailer:{CANARY}@127.0.0.1:1",
    "TUTORQ_SES_SMTP_PASSWORD": f"{CANARY}+ses",
}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="well"),
        pytest.param({"host": "127.0.0.1", "port": "1"}, id="no server"),
        *(
            pytest.param(changes, id=name, marks=pytest.mark.soak)
            for name, changes in {
                "no database": {"dbname": "no_such_database"},
                "no certificate": {
                    "sslmode": "verify-full",
                    "sslrootcert": "/nowhere",
                    "host": "127.0.0.1",
                    "port": "1",
                },
                "without a parameter": {"channel_binding": "require"},
            }.items()
        ),
    ],
)
def test_no_answer_and_no_line_tells_a_secret(published: Served, tmp_path: Path, changes: dict[str, str]) -> None:
    url = render({**parse(published.database.login_url), "password": f"{CANARY} %/@#", **changes})
    log = tmp_path / "log"
    headers = {"X-API-Key": published.key}
    with (
        started(published, log, statuses=(200, 503), TUTORQ_DATABASE_URL=url, **SECRETS) as (process, port),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client,
    ):
        answers = [client.get(path) for path in ("/api/health", "/api/tutors", "/api/overview", "/metrics")]
        answers.append(client.post("/api/sessions", json={"session_id": "s"}))
        arguments = " ".join(psutil.Process(process.pid).cmdline())
    is_well = not changes.keys() - {"channel_binding"}
    assert [answer.status_code for answer in answers[:3]] == [200 if is_well else 503] * 3
    text = log.read_text()
    assert ("channel_binding" in text) == ("channel_binding" in changes)
    assert "Traceback" not in text
    assert CANARY not in "".join(answer.text for answer in answers) + text + arguments


@pytest.mark.parametrize("module", ["api", "orchestration.code_location"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", f"postgresql+asyncpg://u:{CANARY}@h/d"),
        pytest.param("SENDGRID_API_KEY", f"SG {CANARY}", marks=pytest.mark.soak),
    ],
)
def test_wrong_settings_are_told_in_one_line(tmp_path: Path, module: str, name: str, value: str) -> None:
    environment = os.environ | {"TUTORQ_HOME": str(tmp_path), f"TUTORQ_{name}": value}
    ended = subprocess.run(
        [sys.executable, "-m", module], cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"error: TUTORQ_{name}: ")
    assert CANARY not in line


def test_what_takes_long_to_import_is_imported_when_it_is_needed() -> None:
    slow = ("xgboost", "scipy", "sklearn", "openai", "matplotlib", "dagster")
    code = f"import sys, api.app; print([name for name in {slow} if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"
