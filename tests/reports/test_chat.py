"""Chat through Apprise into receivers that answer well, badly, late or not at all."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr, ValidationError

from core.database import Database, DatabaseRole
from core.settings import PROJECT_ROOT, Settings
from reports import delivery
from reports.chat import ChatChannel, shared_targets
from reports.notifications import queue_events
from reports.providers import chat
from reports.providers.chat import ChatClient, ChatUrlError, check_own_url
from reports.sending import something_to_do
from tests.conftest import Postgres
from tests.reports.receivers import (
    SHORT,
    Answer,
    Handler,
    Receiver,
    drips,
    drops,
    floods,
    receiving,
    replies,
    stalls,
    takes,
)

KEY = Fernet.generate_key().decode()


@pytest.fixture(scope="module")
def shared_database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    return postgres.new_database(tmp_path_factory.mktemp("chat"))


@pytest.fixture
def database(shared_database: Database) -> Database:
    """One database for all these tests, with an empty outbox, no events and no chats."""
    with shared_database.connect() as connection:
        connection.execute("truncate app.email_reports cascade")
        connection.execute("truncate app.events, app.report_switches, raw.tutors cascade")
        connection.execute("insert into raw.tutors (tutor_id, name) values (md5('ada')::uuid, 'Ada Novak')")
    return shared_database


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def settings_for(*receivers: Receiver, **changes: Any) -> Settings:
    urls = " ".join(f"json://user:hush@127.0.0.1:{each.port}/room" for each in receivers)
    return Settings(
        **{"secrets_key": SecretStr(KEY), "notify_urls": SecretStr(urls), "webhooks_allow_private": True, **changes}
    )


def happen(database: Database, kind: str = "session.alert", ago: timedelta = timedelta(0), **payload: Any) -> None:
    known = {"scheduled_time": "2026-02-02T14:00:00+00:00", "session_id": str(random.random())}
    with database.connect() as connection:
        connection.execute(
            "insert into app.events (kind, tutor_id, payload, created_at) "
            "values (%s, md5('ada')::uuid, %s, clock_timestamp() - %s)",
            [kind, json.dumps({**known, **payload}), ago],
        )


def queue(database: Database, settings: Settings) -> int:
    return queue_events(settings, database.as_role(DatabaseRole.TRANSFORM)).chat


def send(database: Database, settings: Settings, timeout_seconds: float = SHORT) -> delivery.Sent:
    client = ChatClient(allow_private=settings.webhooks_allow_private, timeout_seconds=timeout_seconds)
    channel = ChatChannel(settings, client)
    return delivery.send(database.as_role(DatabaseRole.TRANSFORM), channel, jitter=random.Random(1))


def send_again_at_once(database: Database, settings: Settings) -> delivery.Sent:
    with database.connect() as connection:
        connection.execute("update app.email_reports set next_attempt_at = now() where state = 'queued'")
    return send(database, settings)


def rows(database: Database) -> list[tuple[str, str | None, str]]:
    with database.connect() as connection:
        return connection.execute(
            "select state, error, recipient from app.email_reports where channel = 'chat' order by created_at, topic"
        ).fetchall()


@pytest.fixture
def queued(database: Database, receiver: Receiver) -> Settings:
    """A message about one event waits; gives the settings it is for."""
    settings = settings_for(receiver)
    assert queue(database, settings) == 0
    happen(database)
    assert queue(database, settings) == 1
    return settings


def test_a_chat_is_told_in_words_once(database: Database, receiver: Receiver) -> None:
    settings = settings_for(receiver)
    happen(database)
    assert queue(database, settings) == 0, "what happened before the chat was set is no news"
    happen(database)
    happen(database, "tutor.concern_raised", concern="getting_worse", probability=0.934, threshold=0.15, is_active=True)
    happen(database, "tutor.concern_raised", concern="no_shows", probability=0.9, is_active=False)
    happen(database, "tutor.concern_cleared", concern="no_shows")
    happen(database, "publication.done")
    assert queue(database, settings) == 1
    assert queue(database, settings) == 0
    assert send(database, settings).accepted == 1
    assert send_again_at_once(database, settings).accepted == 0
    (told,) = [json.loads(body) for body in receiver.taken]
    assert told["title"] == "2 updates about tutors"
    assert "• Ada Novak missed the session of Mon 2 Feb, 14:00\n" in told["message"]
    assert "• Ada Novak: suddenly worse, 93% chance above 15%\n" in told["message"]
    assert "http://localhost:8000/tutors/8c8d357b-5e87-2bba-cd45-197626bd5759" in told["message"]


def test_the_name_of_a_tutor_calls_nobody(database: Database, receiver: Receiver) -> None:
    settings = settings_for(receiver)
    queue(database, settings)
    with database.connect() as connection:
        connection.execute("update raw.tutors set name = '@everyone <!channel> a@b.example'")
    happen(database)
    queue(database, settings)
    send(database, settings)
    told = json.loads(receiver.taken[0])
    assert "a@b.example" in told["message"]
    for mention in ("@everyone", "<!channel>"):
        assert mention not in told["message"] + told["title"]


def test_the_sensor_sees_a_new_chat(database: Database, receiver: Receiver) -> None:
    """Else it would be told of nothing until something else is due."""
    settings, transform = settings_for(receiver), database.as_role(DatabaseRole.TRANSFORM)
    assert something_to_do(settings, transform)
    queue(database, settings)
    assert not something_to_do(settings, transform)
    happen(database)
    assert something_to_do(settings, transform)


def test_many_at_once_are_one_message(database: Database, receiver: Receiver) -> None:
    settings = settings_for(receiver)
    queue(database, settings)
    for _ in range(14):
        happen(database)
    assert queue(database, settings) == 1
    send(database, settings)
    message = json.loads(receiver.taken[0])["message"]
    assert message.count("•") == 10
    assert message.endswith("… and 4 more.")


def test_the_digest_comes_in_short(database: Database, receiver: Receiver) -> None:
    settings = settings_for(receiver)
    queue(database, settings)
    digest = {
        "now": {"attention": 3, "active": 80}, "flagged": [{"name": "Bob Ray"}], "better": [], "sessions_total": 2,
    }  # fmt: skip
    with database.connect() as connection:
        connection.execute(
            "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, state, settled_at) "
            "values ('daily_digest', 'daily_digest:2026-02-01', 'd', 'nobody', '1 February 2026: 1 new flag', %s, "
            "'suppressed', now())",
            [json.dumps(digest)],
        )
    assert queue(database, settings) == 1
    assert queue(database, settings) == 0
    send(database, settings)
    (told,) = [json.loads(body) for body in receiver.taken]
    assert told["title"] == "1 February 2026: 1 new flag"
    assert told["message"].splitlines() == [
        "3 of 80 active tutors need attention.",
        "• Bob Ray: newly flagged",
        "0 better, 2 sessions to look at.",
        "http://localhost:8000/overview",
    ]


@pytest.mark.parametrize(
    ("answer", "state", "error", "taken"),
    [
        (replies(400), "failed", "HTTP 400", 0),
        (replies(403), "failed", "HTTP 403", 0),
        (replies(302, Location="/elsewhere"), "failed", "HTTP 302", 0),
        (replies(500), "queued", "HTTP 500", 0),
        (replies(503), "queued", "HTTP 503", 0),
        (replies(502), "unknown", "HTTP 502", 0),
        (replies(504), "unknown", "HTTP 504", 0),
        (drops, "unknown", "no answer to the request: ", 1),
        (stalls, "unknown", "no answer to the request: ReadTimeoutError", 1),
        (drips, "unknown", "no answer to the request: ", 1),
        (floods, "sent", "", 1),
    ],
    ids=["400", "403", "302", "500", "503", "502", "504", "drops", "stalls", "drips", "floods"],
)
def test_what_becomes_of_a_message(
    database: Database, receiver: Receiver, queued: Settings, answer: Answer, state: str, error: str, taken: int
) -> None:
    receiver.answer = answer
    send(database, queued)
    ((is_now, why, _),) = rows(database)
    assert is_now == state
    assert (why or "").startswith(error)
    assert (len(receiver.requests), len(receiver.taken), receiver.gets) == (1, taken, 0)
    # What may have arrived is never sent again; what has certainly not is.
    receiver.answer = takes
    send_again_at_once(database, queued)
    send_again_at_once(database, queued)
    assert len(receiver.requests) == (2 if state == "queued" else 1)


def test_a_chat_may_ask_for_patience(database: Database, receiver: Receiver) -> None:
    with receiving() as other:
        settings = settings_for(receiver, other)
        queue(database, settings)
        for _ in range(2):
            happen(database)
            queue(database, settings)
        receiver.answer = replies(429, Retry_After="1800")
        sent = send(database, settings)
        assert (sent.accepted, sent.later) == (2, 1)
        assert len(receiver.requests) == 1, "others for the same chat wait, too"
    with database.connect() as connection:
        waits = connection.execute(
            "select next_attempt_at - now() from app.email_reports where state = 'queued'"
        ).fetchall()
    assert all(timedelta(minutes=29) < wait < timedelta(minutes=34) for (wait,) in waits)


def test_nobody_there_is_tried_again(database: Database) -> None:
    with receiving() as gone:
        settings = settings_for(gone)
    queue(database, settings)
    happen(database)
    queue(database, settings)
    send(database, settings)
    assert rows(database)[0][:2] == ("queued", "cannot connect: NewConnectionError")


def test_private_networks_are_refused(database: Database, receiver: Receiver, queued: Settings) -> None:
    send(database, queued.model_copy(update={"webhooks_allow_private": False}))
    ((state, error, _),) = rows(database)
    assert (state, error) == (
        "queued", "the address leads to a private network; TUTORQ_WEBHOOKS_ALLOW_PRIVATE=true allows that",
    )  # fmt: skip
    assert receiver.requests == []


def test_nothing_shows_a_url(database: Database, receiver: Receiver, queued: Settings, caplog: Any) -> None:
    receiver.answer = replies(500)
    send(database, queued)
    with database.connect() as connection:
        kept = str(connection.execute("select to_jsonb(email_reports) from app.email_reports").fetchall())
    shown = kept + caplog.text + repr(queued)
    assert "hush" not in shown
    assert str(receiver.port) not in shown
    assert rows(database)[0][2].startswith("json ")
    assert "hush" in queued.as_environment()["TUTORQ_NOTIFY_URLS"]


def test_a_chat_that_is_no_longer_set_is_told_nothing(database: Database, receiver: Receiver, queued: Settings) -> None:
    with receiving() as other:
        assert send(database, settings_for(other)).suppressed == 1
    assert rows(database)[0][:2] == ("suppressed", "the chat is no longer set")
    assert receiver.requests == []


def test_a_new_encryption_key_changes_no_chat(database: Database, receiver: Receiver, queued: Settings) -> None:
    newer = Fernet.generate_key().decode()
    both = queued.model_copy(update={"secrets_key": SecretStr(f"{newer},{KEY}")})
    assert shared_targets(both)[0][0][0] != shared_targets(queued)[0][0][0]
    assert queue(database, both) == 0
    happen(database)
    assert queue(database, both) == 1
    assert send(database, both).accepted == 2


def test_nothing_is_sent_a_second_time_within_one_attempt(database: Database, receiver: Receiver) -> None:
    """Apprise can retry by itself, also what may have arrived."""
    (url,) = settings_for(receiver).notify_url_list
    settings = settings_for(receiver, notify_urls=SecretStr(f"{url}?retry=2&wait=0"))
    queue(database, settings)
    happen(database)
    queue(database, settings)
    receiver.answer = drops
    send(database, settings)
    assert rows(database)[0][0] == "unknown"
    assert len(receiver.requests) == 1


def test_a_name_that_is_not_resolved_in_time_is_tried_again(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(*_: object) -> None:
        raise TimeoutError("the name was not resolved in time")

    monkeypatch.setattr(chat, "look_up", waits)
    settings = settings_for(receiver, notify_urls=SecretStr(f"json://localhost:{receiver.port}/room"))
    queue(database, settings)
    happen(database)
    queue(database, settings)
    send(database, settings)
    ((state, error, _),) = rows(database)
    assert (state, str(error)[:14]) == ("queued", "cannot connect")
    assert receiver.requests == []


SENDER = f"""
import sys
from core.database import Database, DatabaseRole
from core.settings import Settings
from reports import delivery
from reports.chat import ChatChannel

settings = Settings(
    database_url=sys.argv[1], secrets_key={KEY!r}, notify_urls=sys.argv[2], webhooks_allow_private=True
)
delivery.send(Database(settings).as_role(DatabaseRole.TRANSFORM), ChatChannel(settings))
"""


def test_a_sender_that_dies_between_accept_and_commit(database: Database, receiver: Receiver, queued: Settings) -> None:
    killed, process = threading.Event(), list[subprocess.Popen[bytes]]()

    def takes_and_kills(handler: Handler) -> None:
        handler.take()
        process[0].send_signal(signal.SIGKILL)
        process[0].wait()
        killed.set()

    receiver.answer = takes_and_kills
    (url,) = queued.notify_url_list
    process.append(subprocess.Popen([sys.executable, "-c", SENDER, database.url, url], cwd=PROJECT_ROOT))
    assert killed.wait(60)
    assert rows(database)[0][0] == "sending"
    receiver.answer = takes
    deadline = time.monotonic() + 10
    while (sent := send(database, queued)).busy and time.monotonic() < deadline:
        time.sleep(0.05)  # the server has yet to notice that the dead sender is gone
    assert (sent.left_by_dead_sender, sent.accepted) == (1, 0)
    send_again_at_once(database, queued)
    assert rows(database)[0][:2] == ("unknown", "the sender died before it had recorded the outcome")
    assert len(receiver.taken) == 1


def test_a_second_sender_leaves_the_first_alone(database: Database, receiver: Receiver, queued: Settings) -> None:
    seconds: list[delivery.Sent] = []

    def meanwhile(handler: Handler) -> None:
        seconds.append(send(database, queued))
        takes(handler)

    receiver.answer = meanwhile
    assert send(database, queued, timeout_seconds=10).accepted == 1
    assert seconds[0].busy
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "Discord"),
        ("ntfys://ntfy.example.org/topic", "ntfy"),
        ("json://127.0.0.1/", "must begin with one of slack://"),
        ("syslog://", "must begin with one of slack://"),
        ("slack://hush", "Apprise does not understand this URL"),
        ("ntfys://ntfy.example.org/topic?verify=0", "must not have parameters"),
        ("ntfys://ntfy.example.org/topic?retry=9&wait=60", "must not have parameters"),
        # Would read the file and post it.
        ("workflows://hush.example.org/flow/signature?template=/etc/passwd", "must not have parameters"),
        (f"ntfys://ntfy.example.org/{'/'.join('abcdef')}", "must lead to 5 rooms at most"),
    ],
)
def test_which_chats_a_person_may_have(url: str, says: str) -> None:
    try:
        told = check_own_url(url)
    except ChatUrlError as error:
        told = str(error)
    assert told.startswith(says)
    assert "hush" not in told


def test_the_settings_of_chats_are_checked() -> None:
    with pytest.raises(ValidationError, match="number 2 is no Apprise URL") as caught:
        Settings(notify_urls=SecretStr("slack://a/b/c hush"))
    assert "hush" not in str(caught.value)
    with pytest.raises(ValidationError, match="TUTORQ_NOTIFY_URLS needs TUTORQ_SECRETS_KEY"):
        Settings(notify_urls=SecretStr("slack://a/b/c"), embedded="off")
    with pytest.raises(ValidationError, match="each key is 32 random bytes") as caught:
        Settings(secrets_key=SecretStr(f"{KEY},hush"))
    assert "hush" not in str(caught.value)
