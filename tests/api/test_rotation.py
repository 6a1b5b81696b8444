"""Keys are renewed while everything runs: no request fails, and nothing is read wrongly. And what a dump tells."""

import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from backup.programs import find_programs
from core import keys
from core.errors import TutorqError
from core.roles import Role
from core.sealing import LOST_KEY, MARK, Column, Sealer, add_key, rotate, sealer, text_sealer
from core.settings import Settings
from tests.api.conftest import Served, served
from tests.api.test_problems import problem
from tests.conftest import Postgres

TEXTS = ["Ada Ray did not come to the session.", "<p>Ada Ray did not come to the session.</p>"]
BODY = Column("app.email_reports", "report_id", "body_text", is_text=True)


@pytest.fixture
def platform(postgres: Postgres, tmp_path: Path) -> Iterator[Served]:
    database = postgres.new_database(tmp_path)
    changes = {"webhooks_allow_private": True, "webhooks_allow_http": True, "ingest_rate_per_second": 1_000_000}
    with served(database, tmp_path, **changes) as platform:
        yield platform


def add_mail(connection: psycopg.Connection, *parts: str) -> str:
    row = connection.execute(
        "insert into app.email_reports "
        "(kind, topic, unique_key, recipient, subject, payload, state, body_text, body_html) "
        "values ('risk_alert', %s, %s, 'head@example.org', 's', '{}', 'sent', %s, %s) returning report_id::text",
        [topic := str(uuid4()), topic, *parts],
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_both_keys_are_renewed_under_load(platform: Served) -> None:
    settings = platform.settings
    box = sealer(settings)
    with platform.database.connect(autocommit=True) as connection:
        key = keys.create(connection, "loader", Role.INGEST)
        plain = add_mail(connection, *TEXTS)
        mails = [plain, *(add_mail(connection, *map(box.seal_text, TEXTS)) for _ in range(450))]
        at_work = threading.Semaphore(0)
        is_over = threading.Event()
        secrets = {"loader": key.secret, "admin": platform.key}

        def post(number: int) -> list[int]:
            answers = []
            with platform.client(None) as client:
                while not is_over.is_set():
                    session = {
                        "session_id": f"s-{number}-{len(answers)}", "tutor_id": "T-1", "student_id": "P-1",
                        "scheduled_time": "2026-01-05T10:00:00Z", "status": "completed",
                    }  # fmt: skip
                    headers = {"X-API-Key": str(secrets["loader"])}
                    answers.append(client.post("/api/sessions", json=session, headers=headers).status_code)
                    at_work.release()
            return answers

        def read(number: int) -> list[object]:
            answers: list[object] = []
            with platform.client(platform.key) as client:
                while not is_over.is_set():
                    mail = mails[(number + 7 * len(answers)) % len(mails)]
                    answer = client.get(f"/api/reports/{mail}")
                    answers.append((answer.status_code, answer.json().get("data", {}).get("body_text")))
                    at_work.release()
            return answers

        with ThreadPoolExecutor(4) as threads:
            posts = [threads.submit(post, number) for number in range(2)]
            reads = [threads.submit(read, number) for number in range(2)]
            try:
                for _ in range(3):
                    _, renewed = keys.rotate(connection, "loader", overlap=timedelta(days=1))
                    add_key(settings.secrets_key_file)
                    done = rotate(connection, sealer(settings))
                    assert (done.renewed, done.unreadable) == (2 * len(mails), 0)
                    # Both keys at a time are used after the change.
                    for _ in range(20):
                        at_work.acquire(timeout=20)
                    secrets["loader"] = renewed.secret
                    for _ in range(20):
                        at_work.acquire(timeout=20)
            finally:
                is_over.set()
        assert {status for each in posts for status in each.result()} == {202}
        assert {answer for each in reads for answer in each.result()} == {(200, TEXTS[0])}
        assert rotate(connection, sealer(settings)).renewed == 0
        newest_only = Sealer(settings.secrets_key_file.read_text().split()[:1])
        stored = connection.execute("select body_text from app.email_reports").fetchall()
        assert {newest_only.open_text(text) for (text,) in stored} == {TEXTS[0]}
        assert all(text.startswith(MARK) for (text,) in stored)
    assert settings.secrets_key_file.stat().st_mode & 0o777 == 0o600


def test_a_lost_key_is_said_and_the_rest_goes_on(platform: Served) -> None:
    lost = Sealer([Fernet.generate_key().decode()])
    with platform.database.connect(autocommit=True) as connection:
        unreadable = add_mail(connection, *map(lost.seal_text, TEXTS))
        readable = add_mail(connection, *map(sealer(platform.settings).seal_text, TEXTS))
        with platform.client(platform.key) as client:
            for path in ("", "/html"):
                told = problem(client.get(f"/api/reports/{unreadable}{path}"), 503)
                assert told.type.endswith("not-configured")
                assert "TUTORQ_SECRETS_KEY" in str(told.detail)
            assert client.get(f"/api/reports/{readable}").json()["data"]["body_text"] == TEXTS[0]
            assert len(client.get("/api/reports").json()["data"]) == 2
        done = rotate(connection, sealer(platform.settings))
        assert (done.renewed, done.unreadable) == (0, 2)
        stored = connection.execute("select body_text from app.email_reports where report_id = %s", [unreadable])
        assert lost.open_text(str((stored.fetchone() or ("",))[0])) == TEXTS[0]


def test_without_a_key_texts_are_stored_as_they_are() -> None:
    settings = Settings(embedded="off", database_url="postgresql://nobody@localhost/x", secrets_key=None)
    assert text_sealer(settings) is None
    with_key = settings.model_copy(update={"secrets_key": SecretStr(Fernet.generate_key().decode())})
    box = text_sealer(with_key)
    assert box is not None
    assert box.open_text("as it was") == "as it was"
    assert box.open_text(box.seal_text("sealed: twice")) == "sealed: twice"
    with pytest.raises(TutorqError, match=LOST_KEY):
        Sealer([Fernet.generate_key().decode()]).open_text(box.seal_text("x"))
    assert not Sealer([Fernet.generate_key().decode()]).is_readable(BODY, box.seal_text("x"))


def test_a_dump_tells_no_secret_and_no_message(platform: Served) -> None:
    with platform.client(platform.key) as client:
        post = {"url": "http://127.0.0.1:9/hush-hush", "kinds": ["session.alert"]}
        made = client.post("/api/webhook-endpoints", json=post)
        assert made.status_code == 201, made.text
    with platform.database.connect(autocommit=True) as connection:
        add_mail(connection, *map(sealer(platform.settings).seal_text, TEXTS))
        connection.execute(
            "insert into raw.quarantine (entity, source, line, reason, content) "
            "values ('tutors', 'tutors.csv', 2, 'age: old', %s)",
            ['{"tutor_id": "T-9", "name": "Hortensia"}'],
        )
        rotate(connection, sealer(platform.settings))
        programs = find_programs(connection.info.server_version // 10_000, tls=False)
    dumped = subprocess.run(
        [programs.dump, "--data-only", "--dbname", platform.database.url], capture_output=True, text=True, check=True
    ).stdout
    assert "127.0.0.1:9" in dumped
    assert "head@example.org" in dumped
    assert "tutors.csv" in dumped
    secret = made.json()["secret"]
    for hidden in (secret, secret.removeprefix("whsec_"), "hush-hush", *TEXTS, "Hortensia", platform.key):
        assert hidden not in dumped
