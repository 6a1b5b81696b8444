"""The outbox against providers that answer well, badly, late or not at all. Fakes are real HTTP and SMTP servers."""

import json
import random
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from core import people
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.roles import Role
from core.settings import PROJECT_ROOT, Settings
from reports import delivery, outbox
from reports.delivery import pause_after
from reports.mail import unsubscribe_headers
from reports.outbox import Draft, enqueue, send_due
from reports.providers import Provider, provider_from
from reports.providers.file import FileProvider
from reports.providers.sendgrid import SendGridProvider
from reports.providers.smtp import SmtpProvider, SmtpServer

if TYPE_CHECKING:
    from tests.conftest import Postgres

ALERT = {
    "condition": "outbox_stuck", "title": "mail is not being sent", "detail": "It waits.", "advice": "Look.",
    "figures": [["mails waiting", "3"]], "since": "2026-01-31T12:00:00+00:00",
}  # fmt: skip
SHORT = 0.3
KEY = Fernet.generate_key().decode()
SETTINGS = Settings(secrets_key=SecretStr(KEY))


@pytest.fixture(scope="module")
def shared_database(postgres: "Postgres", tmp_path_factory: pytest.TempPathFactory) -> Database:
    return postgres.new_database(tmp_path_factory.mktemp("outbox"))


@pytest.fixture
def database(shared_database: Database) -> Database:
    """One database for all these tests, with an empty outbox; a new one for each would take longer than the test."""
    with shared_database.connect() as connection:
        connection.execute("truncate app.email_reports, app.mail_opt_outs, app.mail_suppressions cascade")
    return shared_database


def queue(database: Database, topic: str = "alert:1", recipient: str = "head@example.org", **payload: Any) -> None:
    with database.connect() as connection:
        enqueue(connection, [Draft("alert", topic, [recipient], "tutorq: trouble", {**ALERT, **payload})])


@dataclass(frozen=True)
class Row:
    state: str
    attempts: int
    error: str | None
    provider: str | None
    provider_message_id: str | None
    wait: timedelta
    settled_at: datetime | None


def rows(database: Database) -> list[Row]:
    with database.connect() as connection:
        found = connection.execute(
            "select state, attempts, error, provider, provider_message_id, next_attempt_at - now(), settled_at "
            "from app.email_reports order by topic"
        ).fetchall()
    return [Row(*values) for values in found]


def send(database: Database, provider: Provider) -> outbox.Sent:
    return send_due(SETTINGS, database.as_role(DatabaseRole.TRANSFORM), provider, jitter=random.Random(1))


def send_again_at_once(database: Database, provider: Provider) -> outbox.Sent:
    with database.connect() as connection:
        connection.execute("update app.email_reports set next_attempt_at = now() where state = 'queued'")
    return send(database, provider)


# --- SendGrid


@dataclass
class SendGrid:
    """`answer` handles a request; what it accepts is in `accepted`, by report id."""

    url: str
    answer: Callable[["Handler"], None]
    requests: int = 0
    accepted: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    fake: SendGrid

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.fake.requests += 1
        self.fake.bodies.append(self.body)
        self.fake.answer(self)

    def accept(self) -> None:
        self.fake.accepted.append(self.body["custom_args"]["report_id"])

    def reply(self, status: int, body: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


def accepts(handler: Handler) -> None:
    handler.accept()
    handler.reply(202, X_Message_Id="sg-1")


def replies(status: int, body: str = "", **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.reply(status, body, **headers)


def drops(handler: Handler) -> None:
    """Accepts, and breaks the connection off instead of answering."""
    handler.accept()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def stalls(handler: Handler) -> None:
    handler.accept()
    time.sleep(SHORT * 3)


@pytest.fixture
def sendgrid() -> Iterator[SendGrid]:
    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None: ...

    handler = type("Bound", (Handler,), {})
    server = Quiet(("127.0.0.1", 0), handler)
    handler.fake = SendGrid(f"http://127.0.0.1:{server.server_address[1]}", accepts)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield handler.fake
    server.shutdown()
    server.server_close()


def client(fake: SendGrid) -> SendGridProvider:
    return SendGridProvider("SG.key", fake.url, timeout_seconds=SHORT)


def test_sendgrid_takes_a_mail_once(database: Database, sendgrid: SendGrid) -> None:
    queue(database)
    assert send(database, client(sendgrid)).accepted == 1
    assert send(database, client(sendgrid)).accepted == 0
    queue(database)
    queue(database, recipient="joined-later@example.org")
    assert send(database, client(sendgrid)).accepted == 0
    (row,) = rows(database)
    assert (row.state, row.attempts, row.provider, row.provider_message_id) == ("sent", 1, "sendgrid", "sg-1")
    assert row.settled_at is not None
    (body,) = sendgrid.bodies
    assert body["personalizations"] == [{"to": [{"email": "head@example.org"}]}]
    assert [part["type"] for part in body["content"]] == ["text/plain", "text/html"]
    assert body["headers"]["List-Unsubscribe"] == "<mailto:tutorq@localhost?subject=unsubscribe%20alert>"
    assert "List-Unsubscribe-Post" not in body["headers"]


@pytest.mark.parametrize(
    ("answer", "state", "accepted", "error"),
    [
        (replies(400, '{"errors": [{"message": "bad from"}]}'), "failed", 0, "HTTP 400: bad from"),
        (replies(401), "failed", 0, "HTTP 401: no reason given"),
        (replies(413, "<html>too large</html>"), "failed", 0, "HTTP 413: <html>too large</html>"),
        (replies(502), "unknown", 0, "HTTP 502: no reason given"),
        (replies(504), "unknown", 0, "HTTP 504: no reason given"),
        (drops, "unknown", 1, "no answer to the request: "),
        (stalls, "unknown", 1, "no answer to the request: timed out"),
    ],
)
def test_sendgrid_settles(
    database: Database,
    sendgrid: SendGrid,
    answer: Callable[[Handler], None],
    state: str,
    accepted: int,
    error: str,
) -> None:
    sendgrid.answer = answer
    queue(database)
    send(database, client(sendgrid))
    (row,) = rows(database)
    assert (row.state, row.attempts) == (state, 1)
    assert (row.error or "").startswith(error)

    sendgrid.answer = accepts
    send_again_at_once(database, client(sendgrid))
    assert len(sendgrid.accepted) == accepted
    assert sendgrid.requests == 1, "what is settled or unknown is not tried again"


@pytest.mark.parametrize("status", [500, 503])
def test_sendgrid_errors_are_tried_again_six_times_at_most(database: Database, sendgrid: SendGrid, status: int) -> None:
    sendgrid.answer = replies(status)
    queue(database)
    for attempt, minutes in enumerate([1, 4, 16, 64, 256], start=1):
        send_again_at_once(database, client(sendgrid))
        (row,) = rows(database)
        assert (row.state, row.attempts, row.settled_at) == ("queued", attempt, None)
        assert timedelta(minutes=minutes * 0.79) < row.wait < timedelta(minutes=minutes * 1.21)
        assert send(database, client(sendgrid)).later == 0, "it waits"
    send_again_at_once(database, client(sendgrid))
    (row,) = rows(database)
    assert (row.state, row.attempts) == ("failed", 6)
    assert row.error == f"given up after 6 attempts: HTTP {status}: no reason given"
    assert sendgrid.accepted == []

    sendgrid.answer = accepts
    assert outbox.requeue_failed(database.as_role(DatabaseRole.TRANSFORM)) == 1
    send(database, client(sendgrid))
    assert rows(database)[0].state == "sent"
    assert len(sendgrid.accepted) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"X_RateLimit_Reset": lambda: str(int(time.time()) + 600)}, 600),
        ({"Retry_After": lambda: "900"}, 900),
        ({"Retry_After": lambda: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 700))}, 700),
        ({"Retry_After": lambda: "soon"}, 60),
        ({"X_RateLimit_Reset": lambda: "later"}, 60),
        ({}, 60),
    ],
)
def test_a_rate_limit_is_waited_out_by_all_mail(
    database: Database, sendgrid: SendGrid, header: dict[str, Callable[[], str]], seconds: float
) -> None:
    sendgrid.answer = replies(429, **{name: value() for name, value in header.items()})
    queue(database, "alert:1")
    queue(database, "alert:2")
    assert send(database, client(sendgrid)).later == 1
    first, second = rows(database)
    assert (first.attempts, second.attempts) == (1, 0)
    for row in (first, second):
        assert row.state == "queued"
        low, high = (seconds - 5, seconds * 1.11) if seconds > 60 else (40, 80)
        assert low < row.wait.total_seconds() < high
    sendgrid.answer = accepts
    assert send_again_at_once(database, client(sendgrid)).accepted == 2
    assert len(set(sendgrid.accepted)) == 2


def test_a_wrong_key_parks_one_mail_and_not_all(database: Database, sendgrid: SendGrid) -> None:
    sendgrid.answer = replies(401)
    queue(database, "alert:1")
    queue(database, "alert:2")
    assert send(database, client(sendgrid)).refused == 1
    first, second = rows(database)
    assert (first.state, second.state, second.attempts) == ("failed", "queued", 0)
    assert timedelta(minutes=14) < second.wait < timedelta(minutes=16)


def test_a_refused_connection_is_tried_again(database: Database) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for provider in (
        SendGridProvider("SG.key", f"http://127.0.0.1:{port}", timeout_seconds=SHORT),
        SmtpProvider(SmtpServer("127.0.0.1", port), timeout_seconds=SHORT),
    ):
        queue(database)
        send_again_at_once(database, provider)
        (row,) = rows(database)
        assert (row.state, row.provider) == ("queued", provider.name)
        assert "refused" in (row.error or "").lower()
    assert rows(database)[0].attempts == 2


SENDER = """
import sys
from core.database import Database, DatabaseRole
from core.settings import Settings
from reports.outbox import send_due
from reports.providers.sendgrid import SendGridProvider
settings = Settings()
send_due(settings, Database(settings, DatabaseRole.TRANSFORM), SendGridProvider("SG.key", sys.argv[1]))
"""


@pytest.mark.usefixtures("environment")
def test_killed_between_acceptance_and_commit(database: Database, sendgrid: SendGrid) -> None:
    process: list[subprocess.Popen[bytes]] = []
    killed = threading.Event()

    def accepts_and_kills(handler: Handler) -> None:
        handler.accept()
        process[0].send_signal(signal.SIGKILL)
        process[0].wait()
        killed.set()

    sendgrid.answer = accepts_and_kills
    queue(database, "alert:1")
    queue(database, "alert:2")
    process.append(subprocess.Popen([sys.executable, "-c", SENDER, sendgrid.url], cwd=PROJECT_ROOT))
    assert killed.wait(30)
    assert [row.state for row in rows(database)] == ["sending", "queued"]

    sendgrid.answer = accepts
    deadline = time.monotonic() + 10
    while (sent := send(database, client(sendgrid))).busy and time.monotonic() < deadline:
        time.sleep(0.05)  # the server has yet to notice that the dead sender is gone
    assert (sent.left_by_dead_sender, sent.accepted) == (1, 1)
    dead, alive = rows(database)
    assert (dead.state, dead.error) == ("unknown", "the sender died before it had recorded the outcome")
    assert alive.state == "sent"
    assert send_again_at_once(database, client(sendgrid)).accepted == 0
    assert len(sendgrid.accepted) == len(set(sendgrid.accepted)) == 2


def test_a_second_sender_leaves_the_first_alone(database: Database, sendgrid: SendGrid) -> None:
    seconds: list[outbox.Sent] = []

    def meanwhile(handler: Handler) -> None:
        if not seconds:
            seconds.append(send(database, client(sendgrid)))
        accepts(handler)

    sendgrid.answer = meanwhile
    queue(database, "alert:1")
    queue(database, "alert:2")
    provider = SendGridProvider("SG.key", sendgrid.url)
    assert send(database, provider).accepted == 2
    assert seconds[0].busy
    assert len(set(sendgrid.accepted)) == 2


def test_a_sender_thought_dead_still_knows_the_outcome(database: Database, sendgrid: SendGrid) -> None:
    def given_up_meanwhile(handler: Handler) -> None:
        with database.connect() as connection:
            connection.execute(delivery.DEAD, {"channel": "mail", "is_repeated": False})
        accepts(handler)

    sendgrid.answer = given_up_meanwhile
    queue(database)
    send(database, SendGridProvider("SG.key", sendgrid.url))
    assert rows(database)[0].state == "sent"


def test_opt_outs_and_suppressions_count_at_the_last_moment(database: Database, sendgrid: SendGrid) -> None:
    queue(database, "alert:1", "Head@example.org")
    queue(database, "alert:2", "gone@example.org")
    queue(database, "alert:3", "other@example.org")
    with database.connect() as connection:
        connection.execute("insert into app.mail_opt_outs (address, kind) values ('head@example.org', 'alert')")
        connection.execute("insert into app.mail_opt_outs (address, kind) values ('other@example.org', 'risk_alert')")
        connection.execute("insert into app.mail_suppressions (address, reason) values ('gone@example.org', 'bounced')")
    sent = send(database, client(sendgrid))
    assert (sent.suppressed, sent.accepted) == (2, 1)
    assert [(row.state, row.error) for row in rows(database)] == [
        ("suppressed", "the recipient has opted out of alert"),
        ("suppressed", "the address is suppressed: bounced"),
        ("sent", None),
    ]
    assert sendgrid.requests == 1


def test_a_log_in_link_is_sent_soon_or_not_at_all(database: Database, sendgrid: SendGrid) -> None:
    with database.connect() as connection:
        person = people.add(connection, "ann@example.org", "Ann", Role.READ)
        for topic, minutes in (("1 of now", 0), ("2 late", 31), ("3 failed", 1)):
            connection.execute(
                "insert into app.email_reports "
                "(kind, topic, unique_key, recipient, subject, payload, state, created_at, next_attempt_at) values "
                "('log_in_link', %(topic)s, %(topic)s, %(to)s, 'Log in', jsonb_build_object('person_id', %(id)s::int), "
                "%(state)s, now() - %(ago)s * interval '1 minute', now() - interval '1 second')",
                {
                    "topic": topic,
                    "to": person.email,
                    "id": person.person_id,
                    "state": "failed" if "failed" in topic else "queued",
                    "ago": minutes,
                },
            )
    assert outbox.requeue_failed(database.as_role(DatabaseRole.TRANSFORM)) == 0
    sent = send(database, client(sendgrid))
    assert (sent.accepted, sent.suppressed) == (1, 1)
    assert [(row.state, row.error) for row in rows(database)] == [
        ("sent", None),
        ("suppressed", "asked for more than 30 minutes ago"),
        ("failed", None),
    ]


def test_what_cannot_be_a_mail_is_parked_and_hinders_nobody(database: Database, sendgrid: SendGrid) -> None:
    queue(database, "alert:1", "two@example.org\nBcc: all@example.org")
    queue(database, "alert:2", figures=None)
    queue(database, "alert:3")
    send(database, client(sendgrid))
    assert [row.state for row in rows(database)] == ["failed", "failed", "sent"]
    assert len(sendgrid.accepted) == 1


def test_one_click_needs_an_address_on_the_internet() -> None:
    settings = SETTINGS.model_copy(update={"public_url": "https://q.example.org/", "mail_from": "q@example.org"})
    headers = unsubscribe_headers(settings, "risk_alert", UUID(int=1), UUID(int=2))
    assert headers == {
        "List-Unsubscribe": "<https://q.example.org/api/reports/00000000-0000-0000-0000-000000000001/unsubscribe"
        "?token=00000000-0000-0000-0000-000000000002>, "
        "<mailto:q@example.org?subject=unsubscribe%20risk_alert>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_pauses_grow_and_end_at_a_day() -> None:
    pauses = [pause_after(attempt, None, random.Random(2)).total_seconds() / 60 for attempt in range(1, 7)]
    assert pauses == sorted(pauses)
    assert pause_after(1, 10**9, random.Random(2)) == timedelta(hours=24)


# --- SMTP


@dataclass
class SmtpFake:
    """`replies` by command (`DATA` the command, `.` the message); None breaks off, a number stalls for seconds."""

    port: int
    replies: dict[str, str | float | None] = field(default_factory=dict)
    messages: list[bytes] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


@pytest.fixture
def smtp() -> Iterator[SmtpFake]:
    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 fake")
            while line := self.rfile.readline():
                command = line.split()[0].upper().decode() if line.split() else ""
                fake.commands.append(line.decode().strip())
                if command == "QUIT":
                    return
                if not self.say(fake.replies.get(command, "354 go on" if command == "DATA" else "250 ok")):
                    return
                if command == "DATA" and "DATA" not in fake.replies and not self.message():
                    return

        def message(self) -> bool:
            content = b""
            while (line := self.rfile.readline()) != b".\r\n":
                if not line:
                    return False
                content += line[1:] if line.startswith(b".") else line
            answer = fake.replies.get(".", "250 taken as 0100-abc")
            if not (isinstance(answer, str) and answer[0] in "45"):
                fake.messages.append(content)
            return self.say(answer)

        def say(self, answer: str | float | None) -> bool:
            if isinstance(answer, float):
                time.sleep(answer)
                return False
            if answer is not None:
                self.wfile.write(f"{answer}\r\n".encode())
            return answer is not None

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None: ...

    server = Server(("127.0.0.1", 0), Session)
    fake = SmtpFake(server.server_address[1])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield fake
    server.shutdown()
    server.server_close()


def test_smtp_delivers_text_and_html(database: Database, smtp: SmtpFake) -> None:
    queue(database, detail=".A line that begins with a dot, and ümlauts.")
    provider = SmtpProvider(SmtpServer("127.0.0.1", smtp.port), timeout_seconds=SHORT)
    assert send(database, provider).accepted == 1
    assert send(database, provider).accepted == 0
    (row,) = rows(database)
    assert (row.state, row.provider, row.provider_message_id) == ("sent", "smtp", "taken as 0100-abc")
    (content,) = smtp.messages
    message = message_from_bytes(content, policy=policy.default)
    assert message["To"] == "head@example.org"
    assert message["Message-ID"].endswith("@localhost>")
    text = message.get_body(("plain",))
    html = message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "\n.A line that begins with a dot, and ümlauts.\n" in text.get_content().replace("\r\n", "\n")
    assert "ümlauts" in html.get_content()


def test_a_domain_with_umlauts_is_sent_in_its_ascii_form(
    database: Database, smtp: SmtpFake, sendgrid: SendGrid
) -> None:
    queue(database, recipient="joerg@exämple.org")
    assert send(database, SmtpProvider(SmtpServer("127.0.0.1", smtp.port), timeout_seconds=SHORT)).accepted == 1
    assert any(command.endswith("<joerg@xn--exmple-cua.org>") for command in smtp.commands)
    assert message_from_bytes(smtp.messages[0], policy=policy.default)["To"] == "joerg@xn--exmple-cua.org"

    queue(database, "alert:2", recipient="joerg@exämple.org")
    assert send(database, client(sendgrid)).accepted == 1
    assert sendgrid.bodies[0]["personalizations"] == [{"to": [{"email": "joerg@xn--exmple-cua.org"}]}]


def test_a_name_with_umlauts_is_sent_where_the_server_takes_it(database: Database, smtp: SmtpFake) -> None:
    queue(database, recipient="jörg@exämple.org")
    send(database, SmtpProvider(SmtpServer("127.0.0.1", smtp.port), timeout_seconds=SHORT))
    assert rows(database)[0].state == "failed"
    assert rows(database)[0].error == "127.0.0.1 takes no address with a letter such as ä before the @"

    smtp.replies = {"EHLO": "250-fake\r\n250 SMTPUTF8"}
    queue(database, "alert:2", recipient="jörg@exämple.org")
    assert send(database, SmtpProvider(SmtpServer("127.0.0.1", smtp.port), timeout_seconds=SHORT)).accepted == 1
    message = message_from_bytes(smtp.messages[0], policy=policy.default)
    assert message["To"] == "jörg@xn--exmple-cua.org"


def test_a_domain_that_cannot_be_is_parked(database: Database, smtp: SmtpFake) -> None:
    queue(database, recipient="ann@ex\u2028ample.org")
    send(database, SmtpProvider(SmtpServer("127.0.0.1", smtp.port), timeout_seconds=SHORT))
    assert rows(database)[0].state == "failed"
    assert smtp.commands == []


@pytest.mark.parametrize(
    ("when", "answer", "state", "accepted"),
    [
        ("MAIL", "451 busy", "queued", 0),
        ("MAIL", "550 sender unknown", "failed", 0),
        ("RCPT", "450 greylisted", "queued", 0),
        ("RCPT", "550 no such user", "failed", 0),
        ("DATA", "452 no space", "queued", 0),
        ("DATA", "552 too large", "failed", 0),
        ("DATA", None, "queued", 0),
        ("DATA", SHORT * 3, "queued", 0),
        (".", "451 try later", "queued", 0),
        (".", "421 going down", "queued", 0),
        (".", "554 refused as spam", "failed", 0),
        (".", None, "unknown", 1),
        (".", SHORT * 3, "unknown", 1),
        (".", "hello?", "unknown", 1),
    ],
)
def test_smtp_settles(
    database: Database, smtp: SmtpFake, when: str, answer: str | float | None, state: str, accepted: int
) -> None:
    smtp.replies = {when: answer}
    queue(database)
    provider = SmtpProvider(SmtpServer("127.0.0.1", smtp.port), timeout_seconds=SHORT)
    send(database, provider)
    (row,) = rows(database)
    assert (row.state, row.attempts) == (state, 1), row.error
    if isinstance(answer, str) and state != "unknown":
        assert row.error == answer
    if state == "queued":
        assert timedelta(seconds=45) < row.wait < timedelta(seconds=75)

    smtp.replies = {}
    send_again_at_once(database, provider)
    assert len(smtp.messages) == (1 if state == "queued" else accepted)


def test_a_password_is_not_sent_without_encryption(database: Database, smtp: SmtpFake) -> None:
    queue(database)
    provider = SmtpProvider(SmtpServer("localhost", smtp.port, "user", "secret", starttls=True), timeout_seconds=SHORT)
    send(database, provider)
    assert rows(database)[0].state == "queued"
    assert "does not offer encryption" in (rows(database)[0].error or "")
    assert smtp.messages == []


# --- file, and the choice


def test_files_can_be_opened_by_mail_programs(database: Database, tmp_path: Path) -> None:
    queue(database)
    settings = Settings(home=tmp_path)
    assert send(database, FileProvider(settings.outbox_dir)).accepted == 1
    (path,) = settings.outbox_dir.iterdir()
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert path.name == f"alert-{message['Message-ID'][1:37]}.eml"
    assert message["Subject"] == "tutorq: trouble"


def test_a_folder_that_cannot_be_written_to_is_tried_again(database: Database, tmp_path: Path) -> None:
    queue(database)
    blocked = tmp_path / "outbox"
    blocked.write_text("a file where the folder should be")
    send(database, FileProvider(blocked))
    assert rows(database)[0].state == "queued"


def test_the_settings_choose_the_provider() -> None:
    ses = provider_from(
        Settings(
            mail_provider="ses", ses_region="eu-central-1", ses_smtp_username="u", ses_smtp_password=SecretStr("p")
        )
    )
    assert isinstance(ses, SmtpProvider)
    assert (ses.name, ses._server.host, ses._server.port, ses._server.starttls) == (
        "ses", "email-smtp.eu-central-1.amazonaws.com", 587, True,
    )  # fmt: skip
    smtp = provider_from(Settings(mail_provider="smtp", smtp_url=SecretStr("smtps://me%40x.org:p%2Fw@mail.x.org")))
    assert isinstance(smtp, SmtpProvider)
    assert smtp._server == SmtpServer("mail.x.org", 465, "me@x.org", "p/w", implicit_tls=True)
    assert isinstance(provider_from(Settings()), FileProvider)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"mail_provider": "sendgrid"}, "TUTORQ_SENDGRID_API_KEY"),
        ({"mail_provider": "smtp"}, "TUTORQ_SMTP_URL"),
        ({"mail_provider": "smtp", "smtp_url": "mail.example.org"}, "TUTORQ_SMTP_URL"),
        ({"mail_provider": "smtp", "smtp_url": "smtp://u:pw@host:port"}, "TUTORQ_SMTP_URL"),
        ({"mail_provider": "ses"}, "TUTORQ_SES_REGION"),
        ({"mail_provider": "ses", "ses_region": "eu-west-1"}, "TUTORQ_SES_SMTP_USERNAME"),
    ],
)
def test_a_missing_setting_is_named(settings: dict[str, Any], names: str) -> None:
    with pytest.raises(TutorqError, match=names) as caught:
        provider_from(Settings(**settings))
    assert "pw" not in str(caught.value)


def test_secrets_are_not_shown_but_reach_child_processes() -> None:
    settings = Settings(sendgrid_api_key=SecretStr("SG.secret"))
    assert "SG.secret" not in repr(settings)
    assert settings.as_environment()["TUTORQ_SENDGRID_API_KEY"] == "SG.secret"
