"""The process: `python -m api`, its log, and its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2

from core.settings import PROJECT_ROOT
from tests.api.conftest import Served

START_SECONDS = 20


def test_the_process_logs_lines_without_personal_data_and_finishes_what_it_started(
    published: Served, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "TUTORQ_HOME": str(tmp_path),
        "TUTORQ_DATABASE_URL": published.database.url,
        "TUTORQ_API_PORT": str(port),
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], cwd=PROJECT_ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    headers = {"X-API-Key": published.key, "X-Request-ID": "found-again"}
    statuses: list[int] = []

    def ask() -> None:
        response = httpx2.get(f"http://127.0.0.1:{port}/api/tutors?search=Hortensia", headers=headers, timeout=20)
        statuses.append(response.status_code)

    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_up(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
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
    finally:
        process.kill()
        process.wait()
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


def _is_up(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/api/health").status_code == 200
    except httpx2.TransportError:
        return False


def test_what_takes_long_to_import_is_imported_when_it_is_needed() -> None:
    slow = ("xgboost", "scipy", "sklearn", "openai", "matplotlib", "dagster")
    code = f"import sys, api.app; print([name for name in {slow} if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"
