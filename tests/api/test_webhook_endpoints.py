"""Webhook endpoints: who may name an address, which addresses, what is shown of secrets, and deliveries by hand."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import httpx2
import pytest
from pydantic import BaseModel, SecretStr
from standardwebhooks import Webhook

from api.webhook_endpoints.messages import MESSAGES
from api.webhook_endpoints.schemas import (
    NewWebhookEndpoint,
    WebhookDeliveryList,
    WebhookDeliveryResponse,
    WebhookEndpointList,
    WebhookEndpointResponse,
    WebhookKind,
    WebhookSecret,
)
from core import keys
from core.database import DatabaseRole
from core.roles import Role
from reports import delivery
from reports.notifications import queue_events
from reports.providers.webhook import WebhookClient
from reports.webhooks import WebhookChannel
from tests.api.conftest import Served, served
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.conftest import Postgres
from tests.reports.receivers import Receiver, receiving, replies, takes

PATH = "/api/webhook-endpoints"
Model = TypeVar("Model", bound=BaseModel)


@pytest.fixture(scope="module")
def office(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API with the rights of its role, on a network of its own that it may reach."""
    home = tmp_path_factory.mktemp("webhooks")
    with served(postgres.new_database(home), home, webhooks_allow_private=True, webhooks_allow_http=True) as office:
        yield office


@pytest.fixture
def admin(office: Served) -> Iterator[httpx2.Client]:
    with office.database.connect() as connection:
        connection.execute("truncate app.webhook_endpoints, app.email_reports cascade")
        connection.execute("truncate app.events")
    with office.client(office.key) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def parsed(model: type[Model], answer: httpx2.Response) -> Model:
    assert answer.is_success, answer.text
    assert_is(model, answer.content)
    return model.model_validate_json(answer.content)


def add(admin: httpx2.Client, url: str, **changes: Any) -> NewWebhookEndpoint:
    body = {"url": url, "kinds": ["case.changed", "session.alert"], "description": "Back office", **changes}
    answer = admin.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return parsed(NewWebhookEndpoint, answer)


def send(office: Served) -> delivery.Sent:
    """As the job does."""
    transform = office.database.as_role(DatabaseRole.TRANSFORM)
    queue_events(office.settings, transform)
    channel = WebhookChannel(office.settings, WebhookClient(allow_private=True, timeout_seconds=1))
    return delivery.send(transform, channel)


def happen(office: Served) -> None:
    with office.database.connect() as connection:
        connection.execute(
            "insert into app.events (kind, payload) "
            "values ('session.alert', jsonb_build_object('session_id', %s::text))",
            [str(uuid4())],
        )


def audit(office: Served, action: str) -> list[tuple[str, dict[str, Any]]]:
    with office.database.connect() as connection:
        return connection.execute(
            "select subject_id, details from app.audit_log where action = %s order by entry_id", [action]
        ).fetchall()


def test_an_admin_adds_an_address_and_sees_its_secret_once(
    office: Served, admin: httpx2.Client, receiver: Receiver
) -> None:
    new = add(admin, receiver.url)
    assert new.secret is not None
    assert new.secret.startswith("whsec_")
    assert (new.data.host, new.data.kinds) == (f"127.0.0.1:{receiver.port}", ["session.alert", "case.changed"])
    assert (new.data.state, new.data.failures, new.data.waiting) == ("active", 0, 0)
    path = f"{PATH}/{new.data.endpoint_id}"
    listed = admin.get(PATH)
    assert parsed(WebhookEndpointList, listed).data == [new.data]
    assert parsed(WebhookEndpointResponse, admin.get(path)).data == new.data
    with office.database.connect() as connection:
        stored = str(connection.execute("select to_jsonb(webhook_endpoints) from app.webhook_endpoints").fetchall())
        log = str(connection.execute("select details from app.audit_log").fetchall())
    assert new.secret.removeprefix("whsec_") not in stored + log + listed.text + admin.get(path).text
    assert "/hook" not in log + stored + listed.text, "a path may hold a secret"

    happen(office)
    assert send(office).accepted == 1
    headers, body = receiver.requests[0]
    assert Webhook(new.secret).verify(body, headers)["type"] == "session.alert"
    now = parsed(WebhookEndpointResponse, admin.get(path)).data
    assert now.last_accepted_at is not None
    assert (office.settings.home / "secrets-key").stat().st_mode & 0o777 == 0o600


def test_messages_are_as_they_are_described(office: Served, admin: httpx2.Client, receiver: Receiver) -> None:
    new = add(admin, receiver.url)
    with office.database.connect() as connection:
        connection.execute(
            """
            with made as (
                insert into app.cases (tutor_id, opened_by, opened_on)
                values (gen_random_uuid(), 'test', '2026-01-20') returning case_id
            )

            insert into app.case_events (case_id, kind, actor, version, details)
            select case_id, 'contact', 'test', 1, '{}' from made
            """
        )
    assert admin.post(f"{PATH}/{new.data.endpoint_id}/test").is_success
    assert send(office).accepted == 2
    bodies = {json.loads(body)["type"]: body for _, body in receiver.requests}
    assert bodies.keys() == {"case.changed", "webhook.test"}
    for kind, body in bodies.items():
        assert_is(MESSAGES[kind], body)
    webhooks = admin.get("/api/openapi.json").json()["webhooks"]
    assert webhooks.keys() == {*WebhookKind, "webhook.test"}


def test_an_idempotency_key_makes_one_and_shows_the_secret_once(admin: httpx2.Client, receiver: Receiver) -> None:
    body, headers = {"url": receiver.url, "kinds": ["case.changed"]}, {"Idempotency-Key": str(uuid4())}
    first, again = (admin.post(PATH, json=body, headers=headers) for _ in range(2))
    assert first.json()["secret"].startswith("whsec_")
    assert again.status_code == 201
    assert again.json() == {**first.json(), "secret": None}
    assert len(admin.get(PATH).json()["data"]) == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://127.0.0.1/", "leads to a private network"),
        ("https://localhost/x", "leads to a private network"),
        ("https://10.1.2.3/", "leads to a private network"),
        ("https://[::1]/", "leads to a private network"),
        ("https://[fd00::1]/", "leads to a private network"),
        ("https://0x7f.1/", "leads to a private network"),
        ("https://169.254.169.254/latest/meta-data", "leads to a network of cloud metadata"),
        ("https://[::ffff:169.254.169.254]/", "leads to a network of cloud metadata"),
        ("https://100.100.100.200/", "leads to a network of cloud metadata"),
        ("https://[64:ff9b::a9fe:a9fe]/", "leads to a network of cloud metadata"),
        ("https://224.0.0.1/", "leads to an address that is nobody's"),
        ("http://no-such-host.invalid/", "must begin with https://; TUTORQ_WEBHOOKS_ALLOW_HTTP=true allows http"),
        (
            "http://127.0.0.1:9000/",
            "must begin with https://; TUTORQ_WEBHOOKS_ALLOW_HTTP=true allows http; it leads to a private network; "
            "TUTORQ_WEBHOOKS_ALLOW_PRIVATE=true allows that",
        ),
        ("https://user:hush@example.org/", "must not hold a user or a password"),
        ("https://example.org/#x", "must not have a part behind #"),
        ("https://exa mple.org/", "has a blank"),
        ("https://example.org\\@10.0.0.1/", "has a blank, a backslash"),
        ("https://example.org:99999/", "is no URL"),
        ("https:///x", "is no URL"),
        ("ftp://example.org/", "is no URL"),
        ("https://-x-.example.org/", "has no host name in it"),
        ("https://no-such-host.invalid/", "has a host whose address cannot be found"),
    ],
)
def test_addresses_that_are_refused(postgres: Postgres, strict: Served, url: str, says: str) -> None:
    with strict.client(strict.key) as client:
        answer = client.post(PATH, json={"url": url, "kinds": ["case.changed"]})
        told = problem(answer, 400)
    assert told.errors is not None
    assert told.errors[0].field == "url"
    assert told.errors[0].message.startswith(says)
    assert "hush" not in answer.text


@pytest.fixture(scope="module")
def strict(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API as it is unless set otherwise."""
    home = tmp_path_factory.mktemp("strict")
    with served(postgres.new_database(home), home) as strict:
        yield strict


def test_metadata_is_refused_even_where_private_networks_are_not(admin: httpx2.Client) -> None:
    answer = admin.post(PATH, json={"url": "http://169.254.169.254/", "kinds": ["case.changed"]})
    assert "never allowed" in problem(answer, 400).detail + answer.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kinds": ["case.changed"]}, "url"),
        ({"url": "http://127.0.0.1/", "kinds": []}, "kinds"),
        ({"url": "http://127.0.0.1/", "kinds": ["tutors.refreshed"]}, "kinds.0"),
        ({"url": "http://127.0.0.1/", "kinds": ["case.changed"], "description": " "}, "description"),
        ({"url": "http://127.0.0.1/", "kinds": ["case.changed"], "secret": "mine"}, "secret"),
    ],
)
def test_bodies_that_make_no_sense(admin: httpx2.Client, body: dict[str, Any], field: str) -> None:
    told = problem(admin.post(PATH, json=body), 400)
    assert told.errors is not None
    assert [error.field for error in told.errors] == [field]


def test_only_admins(office: Served, admin: httpx2.Client, receiver: Receiver) -> None:
    path = f"{PATH}/{add(admin, receiver.url).data.endpoint_id}"
    with office.database.connect() as connection:
        secret = keys.create(connection, f"reader-{uuid4()}", Role.READ).secret
    with office.client(secret) as reader, office.client(None) as nobody:
        for client, status in ((reader, 403), (nobody, 401)):
            problem(client.get(PATH), status)
            problem(client.get(path), status)
            problem(client.get(f"{path}/deliveries"), status)
            problem(client.post(PATH, json={"url": receiver.url, "kinds": ["case.changed"]}), status)
            problem(client.post(f"{path}/secret"), status)
            problem(client.post(f"{path}/test"), status)
            problem(client.patch(path, json={"state": "disabled"}), status)
            problem(client.delete(path), status)


def test_a_new_secret_and_the_old_one_sign_for_a_day(office: Served, admin: httpx2.Client, receiver: Receiver) -> None:
    new = add(admin, receiver.url)
    path = f"{PATH}/{new.data.endpoint_id}"
    answer = admin.post(f"{path}/secret")
    renewed = parsed(WebhookSecret, answer)
    assert answer.headers["cache-control"] == "no-store"
    left = renewed.old_secret_until - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    happen(office)
    send(office)
    headers, body = receiver.requests[0]
    assert new.secret is not None
    assert renewed.secret is not None
    assert Webhook(new.secret).verify(body, headers) == Webhook(renewed.secret).verify(body, headers)
    assert new.secret != renewed.secret
    assert parsed(WebhookEndpointResponse, admin.get(path)).data.old_secret_until == renewed.old_secret_until


def test_another_address_is_called_and_shown_no_more_than_the_first(
    office: Served, admin: httpx2.Client, receiver: Receiver
) -> None:
    path = f"{PATH}/{add(admin, receiver.url).data.endpoint_id}"
    receiver.answer = replies(500)
    happen(office)
    send(office)
    assert admin.get(path).json()["data"]["failures"] == 1
    with receiving() as other:
        changed = admin.patch(path, json={"url": other.url.replace("/hook", "/other-hook")})
        told = parsed(WebhookEndpointResponse, changed).data
        assert (told.host, told.failures) == (f"127.0.0.1:{other.port}", 0)
        assert "hook" not in changed.text.replace("Webhook", "")
        happen(office)
        send(office)
        assert len(other.requests) >= 1
    # The same host and another path is another address, too.
    (_, details) = audit(office, "webhook.change")[-1]
    assert details["url"] == {"to": "another one"}
    assert "hook" not in str(details)


def test_a_test_says_what_came_of_it(office: Served, admin: httpx2.Client, receiver: Receiver) -> None:
    new = add(admin, receiver.url)
    path = f"{PATH}/{new.data.endpoint_id}"
    receiver.answer = replies(500)
    asked = admin.post(f"{path}/test")
    assert asked.status_code == 202
    queued = parsed(WebhookDeliveryResponse, asked).data
    assert (queued.kind, queued.state, queued.tries) == ("webhook.test", "queued", [])
    send(office)
    done = parsed(WebhookDeliveryResponse, admin.get(f"{path}/deliveries/{queued.delivery_id}")).data
    assert (done.state, done.answer_code, done.error) == ("failed", 500, "HTTP 500")
    assert (new.data.failures, admin.get(path).json()["data"]["failures"]) == (0, 0), "a test is no failure"
    assert done.body is not None
    assert json.loads(done.body)["data"] == {"endpoint_id": str(new.data.endpoint_id)}


def test_a_delivery_is_sent_again_with_the_same_id(office: Served, admin: httpx2.Client, receiver: Receiver) -> None:
    path = f"{PATH}/{add(admin, receiver.url).data.endpoint_id}"
    happen(office)
    happen(office)
    receiver.answer = replies(503)
    send(office)
    page = parsed(WebhookDeliveryList, admin.get(f"{path}/deliveries?limit=1"))
    assert page.meta.total == 2
    assert page.meta.next_cursor is not None
    assert len(admin.get(f"{path}/deliveries?limit=1&cursor={page.meta.next_cursor}").json()["data"]) == 1
    # The one that waits is tried at once.
    (first,) = parsed(WebhookDeliveryList, admin.get(f"{path}/deliveries?state=queued&limit=500")).data[:1]
    receiver.answer = takes
    assert admin.post(f"{path}/deliveries/{first.delivery_id}/replay").status_code == 202
    assert send(office).accepted >= 1
    # One that has arrived is sent again, too, if a person wants it.
    again = parsed(WebhookDeliveryResponse, admin.post(f"{path}/deliveries/{first.delivery_id}/replay")).data
    assert (again.state, again.attempts, again.replays) == ("queued", 0, 2)
    send(office)
    ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert ids.count(first.webhook_id) >= 2
    details = [details for _, details in audit(office, "webhook.replay")][-2:]
    assert [each["was"] for each in details] == ["queued", "sent"]
    problem(admin.post(f"{path}/deliveries/{uuid4()}/replay"), 404)


def test_switched_off_it_forgets_what_waits_and_is_told_nothing(
    office: Served, admin: httpx2.Client, receiver: Receiver
) -> None:
    path = f"{PATH}/{add(admin, receiver.url).data.endpoint_id}"
    happen(office)
    receiver.answer = replies(503)
    send(office)
    off = parsed(WebhookEndpointResponse, admin.patch(path, json={"state": "disabled"})).data
    assert (off.state, off.disabled_by, off.waiting) == ("disabled", "person", 0)
    (missed,) = admin.get(f"{path}/deliveries").json()["data"]
    assert missed["state"] == "suppressed"
    problem(admin.post(f"{path}/deliveries/{missed['delivery_id']}/replay"), 409)
    happen(office)
    assert send(office).accepted == 0

    on = parsed(WebhookEndpointResponse, admin.patch(path, json={"state": "active"})).data
    assert (on.state, on.disabled_by, on.disabled_why, on.failures) == ("active", None, None, 0)
    receiver.answer = takes
    assert send(office).accepted == 0, "what happened while it was off is no news"
    happen(office)
    assert send(office).accepted == 1
    changes = [details for _, details in audit(office, "webhook.change")]
    assert changes[-2:] == [
        {"state": {"from": "active", "to": "disabled"}}, {"state": {"from": "disabled", "to": "active"}}
    ]  # fmt: skip


def test_more_kinds_are_told_from_now_on(office: Served, admin: httpx2.Client, receiver: Receiver) -> None:
    path = f"{PATH}/{add(admin, receiver.url, kinds=['case.changed']).data.endpoint_id}"
    happen(office)
    changed = admin.patch(path, json={"kinds": ["session.alert", "case.changed"], "description": None})
    assert changed.json()["data"]["description"] is None
    assert send(office).accepted == 0
    happen(office)
    assert send(office).accepted == 1


def test_deleted_it_is_gone_and_its_deliveries_are_kept(
    office: Served, admin: httpx2.Client, receiver: Receiver
) -> None:
    path = f"{PATH}/{add(admin, receiver.url).data.endpoint_id}"
    happen(office)
    send(office)
    happen(office)
    receiver.answer = replies(503)
    send(office)
    assert admin.delete(path).status_code == 204
    problem(admin.get(path), 404)
    problem(admin.get(f"{path}/deliveries"), 404)
    problem(admin.delete(path), 404)
    problem(admin.post(f"{path}/test"), 404)
    problem(admin.post(f"{path}/secret"), 404)
    problem(admin.patch(path, json={"state": "active"}), 404)
    with office.database.connect() as connection:
        kept = connection.execute("select state, error from app.email_reports order by created_at").fetchall()
    assert kept == [("sent", None), ("suppressed", "the endpoint was deleted")]
    assert admin.get("/api/reports").json()["data"] == [], "webhooks are no mail"


def test_without_a_key_secrets_are_not_kept(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> None:
    home = tmp_path_factory.mktemp("keyless")
    options: dict[str, Any] = {
        "embedded": "off", "webhooks_allow_private": True, "webhooks_allow_http": True, "secrets_key": None,
    }  # fmt: skip
    with served(postgres.new_database(home), home, **options) as keyless, keyless.client(keyless.key) as client:
        told = problem(client.post(PATH, json={"url": receiver.url, "kinds": ["case.changed"]}), 503)
    assert told.type == "urn:tutorq:problem:not-configured"
    assert "TUTORQ_SECRETS_KEY is not set" in told.detail
    assert not (home / "secrets-key").exists()


def test_keys_of_the_settings_are_used(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("keyed")
    key = SecretStr("A" * 43 + "=")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    options: dict[str, Any] = {"webhooks_allow_private": True, "webhooks_allow_http": True, "secrets_key": key}
    with served(postgres.new_database(home), home, **options) as keyed, keyed.client(keyed.key) as client:
        assert client.post(PATH, json={"url": url, "kinds": ["case.changed"]}).status_code == 201
    assert not (home / "secrets-key").exists()
