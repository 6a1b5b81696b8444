"""Webhooks against receivers that answer well, badly, late or not at all; signatures are checked by the library that
receivers use."""

import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.sealing import Sealer
from core.settings import PROJECT_ROOT, Settings
from reports import delivery, outbox, sending
from reports.conditions import lasting, observe
from reports.notifications import queue_events
from reports.outbox import Draft
from reports.providers.webhook import WebhookClient
from reports.webhooks import PAUSES, WebhookChannel, signed_headers
from tests.conftest import Postgres
from tests.reports.receivers import SHORT, Answer, Handler, Receiver, drips, drops, receiving, replies, stalls, takes

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLDER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
KEY = Fernet.generate_key().decode()
SETTINGS = Settings(secrets_key=SecretStr(KEY), webhooks_allow_private=True, webhooks_allow_http=True)
ALERT = {
    "condition": "x", "title": "mail is not being sent", "detail": "It waits.", "advice": "Look.", "figures": [],
    "since": "2026-01-31T12:00:00+00:00",
}  # fmt: skip
ALL = ["tutor.concern_raised", "tutor.concern_cleared", "session.alert", "case.changed", "publication.done"]


@pytest.fixture(scope="module")
def shared_database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    return postgres.new_database(tmp_path_factory.mktemp("webhooks"))


@pytest.fixture
def database(shared_database: Database) -> Database:
    """One database for all these tests, with an empty outbox and no endpoints."""
    with shared_database.connect() as connection:
        connection.execute("truncate app.webhook_endpoints, app.email_reports cascade")
        connection.execute("truncate app.events, app.alert_conditions")
    return shared_database


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def endpoint(database: Database, address: str, secret: str = SECRET, **columns: Any) -> UUID:
    values = {
        "host": urlsplit(address).netloc, "sealed_url": Sealer([KEY]).seal(address), "kinds": ALL,
        "sealed_secret": Sealer([KEY]).seal(secret), "created_by": "test",
        "active_since": datetime.now(UTC) - timedelta(hours=1), **columns,
    }  # fmt: skip
    names, places = ", ".join(values), ", ".join(["%s"] * len(values))
    with database.connect() as connection:
        row = connection.execute(
            f"insert into app.webhook_endpoints ({names}) values ({places}) returning endpoint_id", [*values.values()]
        ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def happen(database: Database, kind: str = "session.alert", **payload: Any) -> UUID:
    """An event; returns its id."""
    with database.connect() as connection:
        row = connection.execute(
            "insert into app.events (kind, tutor_id, payload) values (%s, md5('ada')::uuid, %s) returning event_id",
            [kind, json.dumps({"session_id": str(uuid4()), **payload})],
        ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def queue(database: Database, settings: Settings = SETTINGS) -> int:
    return queue_events(settings, database.as_role(DatabaseRole.TRANSFORM)).webhook


def send(database: Database, settings: Settings = SETTINGS, **client: Any) -> delivery.Sent:
    options = {"allow_private": settings.webhooks_allow_private, "timeout_seconds": SHORT, **client}
    channel = WebhookChannel(settings, WebhookClient(**options))
    return delivery.send(database.as_role(DatabaseRole.TRANSFORM), channel, jitter=random.Random(1))


def send_again_at_once(database: Database) -> delivery.Sent:
    with database.connect() as connection:
        connection.execute("update app.email_reports set next_attempt_at = now() where state = 'queued'")
    return send(database)


@dataclass(frozen=True)
class Row:
    state: str
    attempts: int
    error: str | None
    wait: timedelta


def rows(database: Database) -> list[Row]:
    with database.connect() as connection:
        found = connection.execute(
            "select state, attempts, error, next_attempt_at - now() from app.email_reports order by created_at, topic"
        ).fetchall()
    return [Row(*values) for values in found]


def attempts(database: Database) -> list[tuple[str, int | None]]:
    with database.connect() as connection:
        return connection.execute(
            "select outcome, answer_code from app.webhook_attempts order by attempted_at"
        ).fetchall()


def state_of(database: Database, endpoint_id: UUID) -> tuple[str, str | None, int, int]:
    with database.connect() as connection:
        row = connection.execute(
            "select state, disabled_by, failures, gone from app.webhook_endpoints where endpoint_id = %s", [endpoint_id]
        ).fetchone()
    assert row is not None
    return row


def test_an_event_reaches_every_endpoint_that_wants_it_once(database: Database, receiver: Receiver) -> None:
    wanting = endpoint(database, receiver.url)
    endpoint(database, receiver.url, kinds=["publication.done"])
    endpoint(database, receiver.url, active_since=datetime.now(UTC) + timedelta(hours=1))
    event = happen(database, reason="tutor_no_show")
    assert queue(database) == 1
    assert queue(database) == 0
    assert send(database).accepted == 1
    assert send_again_at_once(database).accepted == 0

    ((headers, body),) = receiver.requests
    told = Webhook(SECRET).verify(body, headers)
    assert headers["webhook-id"] == f"msg_{event.hex}"
    assert (headers["Content-Type"], headers["Host"]) == ("application/json", f"127.0.0.1:{receiver.port}")
    assert told["type"] == "session.alert"
    assert told["data"]["reason"] == "tutor_no_show"
    assert told["data"]["tutor_id"] == "8c8d357b-5e87-2bba-cd45-197626bd5759"
    assert datetime.now(UTC) - datetime.fromisoformat(told["timestamp"]) < timedelta(minutes=1)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLDER).verify(body, headers)
    assert attempts(database) == [("accepted", 200)]
    assert state_of(database, wanting) == ("active", None, 0, 0)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the reference implementation."""
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", '{"test": 2432232314}', [SECRET], datetime.fromtimestamp(1614265330, UTC)
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_what_commits_late_is_told_all_the_same(database: Database, receiver: Receiver) -> None:
    endpoint(database, receiver.url)
    with database.connect() as slow:
        slow.execute("insert into app.events (kind, payload) values ('publication.done', '{\"generation\": 1}')")
        happen(database, "publication.done", generation=2)
        assert queue(database) == 1
    assert queue(database) == 1
    assert send(database).accepted == 2
    assert sorted(json.loads(body)["data"]["generation"] for body in receiver.taken) == [1, 2]


@pytest.mark.parametrize(
    ("answer", "outcome", "code", "taken"),
    [
        (replies(204), "accepted", 204, 0),
        (replies(301, Location="/elsewhere"), "later", 301, 0),
        (replies(400), "later", 400, 0),
        (replies(401), "later", 401, 0),
        (replies(404), "later", 404, 0),
        (replies(500), "later", 500, 0),
        (replies(502), "unknown", 502, 0),
        (replies(504), "unknown", 504, 0),
        (drops, "unknown", None, 1),
        (stalls, "unknown", None, 1),
        (drips, "unknown", None, 1),
    ],
    ids=["204", "301", "400", "401", "404", "500", "502", "504", "drops", "stalls", "drips"],
)
def test_what_becomes_of_a_delivery(
    database: Database, receiver: Receiver, answer: Answer, outcome: str, code: int | None, taken: int
) -> None:
    receiver.answer = answer
    endpoint(database, receiver.url)
    happen(database)
    queue(database)
    began = time.monotonic()
    send(database)
    assert time.monotonic() - began < 20 * SHORT
    (row,) = rows(database)
    assert (row.state, row.attempts) == ("sent" if outcome == "accepted" else "queued", 1), row.error
    assert attempts(database) == [(outcome, code)]
    assert (len(receiver.taken), receiver.gets) == (taken, 0)
    if outcome != "accepted":
        assert timedelta(seconds=2) < row.wait < timedelta(seconds=6.5)
        # Tried again with the same id and body, and never once it is accepted.
        receiver.answer = takes
        send_again_at_once(database)
        send_again_at_once(database)
        (first, body), (second, same) = receiver.requests
        assert (first["webhook-id"], body) == (second["webhook-id"], same)
        assert Webhook(SECRET).verify(same, second)
        assert rows(database)[0].state == "sent"


def test_who_is_not_there_is_tried_again(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    endpoint(database, f"http://127.0.0.1:{port}/")
    happen(database)
    queue(database)
    send(database)
    assert (rows(database)[0].state, attempts(database)) == ("queued", [("later", None)])
    assert (rows(database)[0].error or "").startswith("cannot connect: ")


def test_a_receiver_may_ask_for_patience(database: Database, receiver: Receiver) -> None:
    receiver.answer = replies(429, Retry_After="3600")
    endpoint(database, receiver.url)
    for _ in range(3):
        happen(database)
    queue(database)
    assert send(database).later == 1
    assert len(receiver.requests) == 1
    assert all(timedelta(minutes=59) < row.wait < timedelta(minutes=67) for row in rows(database))
    assert sorted(row.attempts for row in rows(database)) == [0, 0, 1]


def test_pauses_are_those_of_the_specification(database: Database, receiver: Receiver) -> None:
    receiver.answer = replies(500)
    endpoint(database, receiver.url)
    happen(database)
    queue(database)
    for pause in PAUSES:
        send_again_at_once(database)
        assert rows(database)[0].state == "queued"
        assert pause * 0.9 < rows(database)[0].wait <= pause * 1.2
    assert sum(PAUSES, timedelta()) == timedelta(hours=31, minutes=35, seconds=5)
    send_again_at_once(database)
    assert rows(database)[0].state == "failed"
    assert rows(database)[0].error == "given up after 8 attempts: HTTP 500"
    assert send_again_at_once(database).accepted == 0


def test_given_up_without_knowing_is_unknown(database: Database, receiver: Receiver) -> None:
    receiver.answer = stalls
    endpoint(database, receiver.url)
    happen(database)
    queue(database)
    send(database)
    receiver.answer = replies(500)
    for _ in PAUSES:
        send_again_at_once(database)
    assert rows(database)[0].state == "unknown"


def test_a_dead_receiver_hinders_no_other(database: Database, receiver: Receiver) -> None:
    endpoint(database, "http://127.0.0.1:1/")
    endpoint(database, receiver.url)
    for _ in range(4):
        happen(database)
    queue(database)
    sent = send(database)
    assert (sent.accepted, sent.later) == (4, 1)
    with database.connect() as connection:
        waits = connection.execute(
            "select attempts, next_attempt_at - now() < interval '7 seconds' from app.email_reports "
            "where state = 'queued' order by attempts"
        ).fetchall()
    assert waits == [(0, True), (0, True), (0, True), (1, True)]


def test_three_times_gone_disables(database: Database, receiver: Receiver) -> None:
    receiver.answer = replies(410)
    endpoint_id = endpoint(database, receiver.url, description="Back office")
    happen(database)
    queue(database)
    send(database)
    assert state_of(database, endpoint_id) == ("active", None, 1, 1)
    receiver.answer = replies(500)
    send_again_at_once(database)
    assert state_of(database, endpoint_id) == ("active", None, 2, 0), "in a row"
    receiver.answer = replies(410)
    for _ in range(3):
        happen(database)
        queue(database)
        send_again_at_once(database)
        if state_of(database, endpoint_id)[0] == "disabled":
            break
    assert state_of(database, endpoint_id)[:2] == ("disabled", "gone")
    requests = len(receiver.requests)
    send_again_at_once(database)
    assert {row.state for row in rows(database)} <= {"suppressed", "failed"}
    assert {row.error for row in rows(database) if row.state == "suppressed"} == {"the endpoint was disabled"}
    happen(database)
    assert queue(database) == 0
    assert len(receiver.requests) == requests

    observe(SETTINGS, database)
    with database.connect() as connection:
        ((_, title, _, _),) = lasting(connection)
        ((told,),) = connection.execute("select subject from app.email_reports where kind = 'alert'").fetchall()
    assert (title, told) == ("the webhook Back office is disabled", "tutorq: the webhook Back office is disabled")


@pytest.mark.parametrize(
    ("days", "failures", "is_disabled"), [(4, 40, False), (6, 3, False), (6, 9, True)], ids=["4d", "few", "6d"]
)
def test_five_days_of_failure_disable(
    database: Database, receiver: Receiver, days: int, failures: int, is_disabled: bool
) -> None:
    receiver.answer = replies(500)
    since = datetime.now(UTC) - timedelta(days=days)
    endpoint_id = endpoint(database, receiver.url, failing_since=since, failures=failures)
    happen(database)
    queue(database)
    send(database)
    assert state_of(database, endpoint_id)[:3] == (
        "disabled" if is_disabled else "active",
        "failing" if is_disabled else None,
        failures + 1,
    )


def test_a_success_forgets_failures(database: Database, receiver: Receiver) -> None:
    since = datetime.now(UTC) - timedelta(days=9)
    endpoint_id = endpoint(database, receiver.url, failing_since=since, failures=9, gone=2)
    happen(database)
    queue(database)
    send(database)
    assert state_of(database, endpoint_id) == ("active", None, 0, 0)


def test_both_secrets_sign_for_a_while(database: Database, receiver: Receiver) -> None:
    older = Sealer([KEY]).seal(OLDER)
    soon = datetime.now(UTC) + timedelta(hours=1)
    endpoint_id = endpoint(database, receiver.url, old_sealed_secret=older, old_secret_until=soon)
    happen(database)
    queue(database)
    send(database)
    ((headers, body),) = receiver.requests
    assert Webhook(SECRET).verify(body, headers) == Webhook(OLDER).verify(body, headers)

    with database.connect() as connection:
        connection.execute(
            "update app.webhook_endpoints set old_secret_until = now() where endpoint_id = %s", [endpoint_id]
        )
    happen(database)
    queue(database)
    send(database)
    headers, body = receiver.requests[-1]
    assert Webhook(SECRET).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLDER).verify(body, headers)


def test_a_new_encryption_key_takes_over(database: Database, receiver: Receiver) -> None:
    endpoint(database, receiver.url)
    newer = Fernet.generate_key().decode()
    both = SETTINGS.model_copy(update={"secrets_key": SecretStr(f"{newer},{KEY}"), "mail_provider": "file"})
    sending._reseal(both, database.as_role(DatabaseRole.TRANSFORM))
    only_newer = SETTINGS.model_copy(update={"secrets_key": SecretStr(newer)})
    happen(database)
    queue(database, only_newer)
    assert send(database, only_newer).accepted == 1
    assert Webhook(SECRET).verify(receiver.requests[0][1], receiver.requests[0][0])


def test_a_lost_encryption_key_is_said(database: Database, receiver: Receiver) -> None:
    endpoint(database, receiver.url)
    happen(database)
    queue(database)
    other = SETTINGS.model_copy(update={"secrets_key": SecretStr(Fernet.generate_key().decode())})
    assert send(database, other).later == 1
    assert rows(database)[0].error == "its secret is encrypted with a key that TUTORQ_SECRETS_KEY does not hold"
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://localhost:{port}/", "the address leads to a private network; TUTORQ_WEBHOOKS_ALLOW_PRIVATE=true"),
        ("http://127.0.0.1:{port}/", "the address leads to a private network; TUTORQ_WEBHOOKS_ALLOW_PRIVATE=true"),
        ("http://2130706433:{port}/", "the address leads to a private network; TUTORQ_WEBHOOKS_ALLOW_PRIVATE=true"),
        ("http://[::ffff:127.0.0.1]:{port}/", "the address leads to a private network; TUTORQ_WEBHOOKS_ALLOW_PRIVATE"),
    ],
    ids=["name", "address", "number", "mapped"],
)
def test_a_private_network_is_refused_when_it_is_sent(
    database: Database, receiver: Receiver, url: str, error: str
) -> None:
    """An address may have been public when it was entered."""
    endpoint(database, url.format(port=receiver.port))
    happen(database)
    queue(database)
    send(database, SETTINGS.model_copy(update={"webhooks_allow_private": False}))
    assert (rows(database)[0].error or "").startswith(error)
    assert receiver.requests == []


def test_the_address_that_was_checked_is_the_one_that_is_called(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere at every look: the first answer is public, the next one is not."""
    answers = iter(["192.0.2.1", "127.0.0.1"])
    looks: list[str] = []

    def rebinds(host: str, *arguments: Any, **options: Any) -> Any:
        if host != "rebind.example.org":
            return resolve(host, *arguments, **options)
        looks.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), receiver.port))]

    resolve = socket.getaddrinfo
    endpoint(database, f"http://rebind.example.org:{receiver.port}/")
    happen(database)
    queue(database)
    monkeypatch.setattr(socket, "getaddrinfo", rebinds)
    # 192.0.2.1 is for documentation: nobody's, and taken for a private one.
    send(database, SETTINGS.model_copy(update={"webhooks_allow_private": False}))
    assert looks == ["rebind.example.org"]
    assert receiver.requests == []


SENDER = f"""
import sys
from core.database import Database, DatabaseRole
from core.settings import Settings
from reports import delivery
from reports.webhooks import WebhookChannel

settings = Settings(
    database_url=sys.argv[1], secrets_key={KEY!r}, webhooks_allow_private=True, webhooks_allow_http=True
)
delivery.send(Database(settings).as_role(DatabaseRole.TRANSFORM), WebhookChannel(settings))
"""


def test_a_sender_that_dies_between_accept_and_commit(database: Database, receiver: Receiver) -> None:
    """The receiver has it, and nobody knows: it comes again under the same id, by which the receiver can tell."""
    killed, process = threading.Event(), list[subprocess.Popen[bytes]]()

    def takes_and_kills(handler: Handler) -> None:
        handler.take()
        process[0].send_signal(signal.SIGKILL)
        process[0].wait()
        killed.set()

    endpoint(database, receiver.url)
    happen(database)
    queue(database)
    receiver.answer = takes_and_kills
    process.append(subprocess.Popen([sys.executable, "-c", SENDER, database.url], cwd=PROJECT_ROOT))
    assert killed.wait(60)
    assert [row.state for row in rows(database)] == ["sending"]

    receiver.answer = takes
    deadline = time.monotonic() + 10
    while (sent := send(database)).busy and time.monotonic() < deadline:
        time.sleep(0.05)  # the server has yet to notice that the dead sender is gone
    assert sent.accepted == 1
    assert send_again_at_once(database).accepted == 0
    assert rows(database)[0].state == "sent"
    ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert len(ids) == 2
    assert len(set(ids)) == len(set(receiver.taken)) == 1


def test_a_second_sender_leaves_the_first_alone(database: Database, receiver: Receiver) -> None:
    seconds: list[delivery.Sent] = []

    def meanwhile(handler: Handler) -> None:
        if not seconds:
            seconds.append(send(database))
        takes(handler)

    receiver.answer = meanwhile
    endpoint(database, receiver.url)
    for _ in range(3):
        happen(database)
    queue(database)
    assert send(database, timeout_seconds=10).accepted == 3
    assert seconds[0].busy
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 3


def test_a_sender_thought_dead_still_knows_the_outcome(database: Database, receiver: Receiver) -> None:
    def given_up_meanwhile(handler: Handler) -> None:
        with database.connect() as connection:
            connection.execute(delivery.DEAD, {"channel": "webhook", "is_repeated": True})
        takes(handler)

    receiver.answer = given_up_meanwhile
    endpoint(database, receiver.url)
    happen(database)
    queue(database)
    send(database, timeout_seconds=10)
    assert rows(database)[0].state == "sent"
    assert len(receiver.requests) == 1


def test_webhooks_that_wait_are_no_alert(database: Database, receiver: Receiver) -> None:
    """They are tried for a day and a half; that nothing arrives is told of the endpoint."""
    receiver.answer = replies(500)
    endpoint(database, receiver.url)
    happen(database)
    queue(database)
    send(database)
    with database.connect() as connection:
        connection.execute("update app.email_reports set created_at = now() - interval '2 hours'")
    observe(SETTINGS, database)
    with database.connect() as connection:
        assert connection.execute("select condition from app.alert_conditions").fetchall() == []


def test_an_address_of_an_earlier_version_is_sealed_when_something_is_sent(
    database: Database, receiver: Receiver, tmp_path: Path
) -> None:
    endpoint_id = endpoint(database, receiver.url, sealed_url=None, url=receiver.url)
    happen(database)
    settings = SETTINGS.model_copy(update={"home": tmp_path})
    sent = sending.send_everything(settings, database.as_role(DatabaseRole.TRANSFORM))
    assert sent.webhook.accepted == 1
    with database.connect() as connection:
        ((stored, sealed),) = connection.execute(
            "select to_jsonb(endpoint)::text, sealed_url from app.webhook_endpoints as endpoint where endpoint_id = %s",
            [endpoint_id],
        ).fetchall()
    assert "/hook" not in stored
    assert Sealer([KEY]).unseal(sealed) == receiver.url


def test_a_channel_that_is_not_set_up_holds_up_no_other(database: Database, receiver: Receiver, tmp_path: Path) -> None:
    """Else a mistake in the settings of mail would keep webhooks and chats from being told, and the other way round."""
    endpoint(database, receiver.url)
    happen(database)
    settings = SETTINGS.model_copy(update={"home": tmp_path, "mail_provider": "smtp", "smtp_url": None})
    with pytest.raises(TutorqError, match="TUTORQ_SMTP_URL"):
        sending.send_everything(settings, database.as_role(DatabaseRole.TRANSFORM))
    assert len(receiver.taken) == 1


def test_a_receiver_that_hangs_delays_no_mail_that_comes_meanwhile(
    database: Database, receiver: Receiver, tmp_path: Path
) -> None:
    """Log-in links are asked for at any time, and nobody starts a second sender while this one waits."""
    settings = SETTINGS.model_copy(update={"home": tmp_path})

    def hangs_until_mail_has_left(handler: Handler) -> None:
        with database.connect() as connection:
            outbox.enqueue(connection, [Draft("alert", "x", ["ann@example.org"], "Meanwhile", ALERT)])
        deadline = time.monotonic() + 8
        while not list(settings.outbox_dir.glob("*.eml")) and time.monotonic() < deadline:
            time.sleep(0.05)
        handler.reply(200 if list(settings.outbox_dir.glob("*.eml")) else 500)

    receiver.answer = hangs_until_mail_has_left
    endpoint(database, receiver.url)
    happen(database)
    sent = sending.send_everything(settings, database.as_role(DatabaseRole.TRANSFORM))
    assert (sent.webhook.accepted, sent.mail.accepted) == (1, 1)
