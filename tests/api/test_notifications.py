"""What a person wants to be told: their own alone, checked, in the audit log, and without their secret."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from api.notifications.schemas import NotificationPreferencesResponse
from api.report_kinds.schemas import QueuedTestResponse
from core.database import DatabaseRole
from core.roles import Role
from core.sealing import sealer
from reports import delivery
from reports.chat import ChatChannel
from reports.providers.chat import OF_PERSONS, ChatClient
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import OURS, execute, logged_in, person
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.conftest import Postgres
from tests.reports.receivers import Receiver, receiving, replies

PATH = "/api/me/notifications"
WANTED: dict[str, Any] = {
    "kinds": ["daily_digest", "tutor.concern_raised"], "told_by": "mail", "is_daily": True, "only_own_tutors": False,
    "quiet_from": "20:00", "quiet_to": "07:30", "time_zone": "Europe/Vienna",
}  # fmt: skip
NTFY = "ntfys://ntfy.example.org/hush-hush"


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("notifications")
    with served(postgres.new_database(home), home, timezone="Europe/Vienna") as platform:
        yield platform


@pytest.fixture
def ann(platform: Served) -> Iterator[httpx2.Client]:
    """A coach who has chosen nothing."""
    execute(platform, "delete from app.notification_preferences")
    execute(platform, "delete from app.mail_opt_outs")
    with logged_in(platform, Role.COACH) as client:
        client.headers.update(OURS)
        yield client


def put(client: httpx2.Client, **changes: Any) -> dict[str, Any]:
    answer = client.put(PATH, json={**WANTED, **changes})
    assert answer.status_code == 200, answer.text
    assert_is(NotificationPreferencesResponse, answer.content)
    assert client.get(PATH).json() == answer.json()
    data: dict[str, Any] = answer.json()["data"]
    return data


def test_nothing_is_told_until_somebody_wants_it(ann: httpx2.Client) -> None:
    answer = ann.get(PATH)
    assert_is(NotificationPreferencesResponse, answer.content)
    assert answer.json()["data"] == {
        "kinds": [], "told_by": "nothing", "is_daily": False, "only_own_tutors": True, "quiet_from": None,
        "quiet_to": None, "time_zone": "Europe/Vienna", "email": "Ann@example.org", "chat_service": None,
    }  # fmt: skip


def test_everybody_chooses_for_themselves(platform: Served, ann: httpx2.Client) -> None:
    told = put(ann)
    assert told == {
        **WANTED, "kinds": ["tutor.concern_raised", "daily_digest"], "email": "Ann@example.org", "chat_service": None,
    }  # fmt: skip
    with logged_in(platform, Role.READ, "Bob") as bob:
        assert bob.get(PATH).json()["data"]["told_by"] == "nothing"
    with platform.client(platform.key) as key:
        assert "log in as one" in problem(key.get(PATH), 403).detail
        problem(key.put(PATH, json=WANTED), 403)
    with platform.client(None) as nobody:
        problem(nobody.get(PATH), 401)


def test_a_change_needs_the_proof_of_our_page(platform: Served, ann: httpx2.Client) -> None:
    del ann.headers["X-Requested-With"]
    problem(ann.put(PATH, json=WANTED), 403)


def test_changes_are_in_the_audit_log_without_the_secret(platform: Served, ann: httpx2.Client) -> None:
    put(ann)
    put(ann)
    put(ann, told_by="chat", chat_url=NTFY)
    rows = execute(
        platform,
        "select actor, details from app.audit_log where action = 'notifications.change' order by entry_id desc limit 2",
    )
    who = person(platform, Role.COACH).actor
    assert [actor for actor, _ in rows] == [who, who]
    newest, first = (details for _, details in rows)
    assert newest == {
        "told_by": {"from": "mail", "to": "chat"}, "chat_service": {"from": None, "to": "ntfy"},
        "chat_url": {"to": "another one"},
    }  # fmt: skip
    assert first["quiet_from"] == {"from": None, "to": "20:00:00"}
    assert "hush" not in str(rows)


def test_a_chat_url_is_kept_encrypted_until_it_is_taken_away(platform: Served, ann: httpx2.Client) -> None:
    assert put(ann, told_by="chat", chat_url=NTFY)["chat_service"] == "ntfy"
    ((sealed,),) = execute(platform, "select sealed_chat_url from app.notification_preferences")
    assert "hush" not in sealed
    assert sealer(platform.settings).unseal(sealed) == NTFY
    assert "hush" not in ann.get(PATH).text
    assert put(ann, told_by="chat")["chat_service"] == "ntfy", "left out, it stays"
    problem(ann.put(PATH, json={**WANTED, "told_by": "chat", "chat_url": None}), 400)
    assert put(ann, chat_url=None)["chat_service"] is None
    told = problem(ann.put(PATH, json={**WANTED, "told_by": "chat"}), 400)
    assert told.errors is not None
    assert [error.field for error in told.errors] == ["chat_url"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kinds": ["publication.done"]}, "kinds.0"),
        ({"told_by": "pigeon"}, "told_by"),
        ({"quiet_from": "24:00"}, "quiet_from"),
        ({"quiet_from": "9:00"}, "quiet_from"),
        ({"quiet_from": None}, "body"),
        ({"quiet_from": "07:30"}, "body"),
        ({"time_zone": "Europe/Nowhere"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"is_daily": "yes"}, "is_daily"),
        ({"chat_url": "json://127.0.0.1/hush"}, "chat_url"),
        ({"chat_url": "slack://hush"}, "chat_url"),
        ({"more": 1}, "more"),
    ],
)
def test_what_makes_no_sense_is_named(ann: httpx2.Client, changes: dict[str, Any], field: str) -> None:
    answer = ann.put(PATH, json={**WANTED, **changes})
    told = problem(answer, 400)
    assert told.errors is not None
    assert [error.field for error in told.errors] == [field]
    assert "hush" not in answer.text


def since(platform: Served) -> datetime:
    ((moment,),) = execute(platform, "select since from app.notification_preferences")
    assert isinstance(moment, datetime)
    return moment


def test_what_is_wanted_anew_is_told_from_now_on(platform: Served, ann: httpx2.Client) -> None:
    put(ann)
    execute(platform, "update app.notification_preferences set since = now() - interval '2 days'")
    long_ago = datetime.now(UTC) - timedelta(days=1)
    put(ann, kinds=["daily_digest"], is_daily=False, only_own_tutors=True, quiet_from="21:00")
    assert since(platform) < long_ago, "less, or at another time: what has not been told is still due"
    put(ann, kinds=["daily_digest", "session.alert"], only_own_tutors=True)
    assert since(platform) > long_ago


def test_who_wants_mail_again_has_not_opted_out(platform: Served, ann: httpx2.Client) -> None:
    execute(
        platform,
        "insert into app.mail_opt_outs (address, kind) values ('ann@example.org', 'notification'), "
        "('ann@example.org', 'daily_digest'), ('ann@example.org', 'alert')",
    )
    put(ann, kinds=["session.alert"])
    assert execute(platform, "select kind from app.mail_opt_outs order by kind") == [("alert",), ("daily_digest",)]
    put(ann)
    assert execute(platform, "select kind from app.mail_opt_outs") == [("alert",)]


def test_a_test_comes_in_ones_own_chat_at_once_and_is_tried_once(
    platform: Served, ann: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "You are not told by chat" in problem(ann.post(f"{PATH}/test"), 409).detail
    now = datetime.now(UTC)
    put(ann, told_by="chat", chat_url=NTFY, quiet_from=f"{now - timedelta(hours=1):%H:%M}", time_zone="UTC",
        quiet_to=f"{now + timedelta(hours=1):%H:%M}")  # fmt: skip
    monkeypatch.setitem(OF_PERSONS, "json", "JSON")  # speaks http to this machine
    channel = ChatChannel(platform.settings, ChatClient(allow_private=True))

    def told_by(receiver: Receiver) -> dict[str, Any]:
        sealed = sealer(platform.settings).seal(f"json://127.0.0.1:{receiver.port}/room")
        execute(platform, "update app.notification_preferences set sealed_chat_url = %s returning 1", sealed)
        answer = ann.post(f"{PATH}/test")
        assert answer.status_code == 202, answer.text
        assert_is(QueuedTestResponse, answer.content)
        assert answer.json()["data"]["recipient"].startswith("ntfy of person ")
        delivery.send(platform.database.as_role(DatabaseRole.TRANSFORM), channel)
        report: dict[str, Any] = ann.get(f"/api/reports/{answer.json()['data']['report_id']}").json()["data"]
        return report

    with receiving() as receiver:
        report = told_by(receiver)
        assert (report["state"], report["channel"]) == ("sent", "chat")
        told = json.loads(receiver.taken[0])
        assert told["title"].startswith("Test: ")
        assert told["message"].startswith("This is a test with invented facts")
        receiver.answer = replies(503)
        report = told_by(receiver)
        assert (report["state"], report["error"]) == ("failed", "HTTP 503")
    ((details,), *_) = execute(platform, "select details from app.audit_log where action = 'mail.test'")
    assert details == {"kind": "notification", "channel": "chat"}


def test_a_key_has_no_chat(platform: Served) -> None:
    with platform.client(platform.key) as key:
        problem(key.post(f"{PATH}/test"), 403)
