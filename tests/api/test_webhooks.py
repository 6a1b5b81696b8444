"""What SendGrid tells of mail: over HTTP, signed as SendGrid signs."""

import base64
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.app import create_app
from core.errors import TutorqError
from core.settings import Settings
from tests.api.conftest import Served, served
from tests.api.test_problems import problem
from tests.conftest import Postgres

PATH = "/api/webhooks/sendgrid"
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def public(key: ec.EllipticCurvePrivateKey) -> str:
    """As SendGrid's settings show it."""
    return base64.b64encode(
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()  # fmt: skip


@dataclass
class Desk:
    """The API with a verification key, its outbox, and what SendGrid sends to it."""

    served: Served
    connection: psycopg.Connection
    # Of the test: events are told apart by their distance from it.
    now: int = field(default_factory=lambda: int(time.time()))

    def event(self, report: UUID | None, kind: str, *, ago: int = 0, **more: Any) -> dict[str, Any]:
        """As SendGrid sends it."""
        return {
            "email": "ann@example.org", "timestamp": self.now - ago, "event": kind, "sg_event_id": uuid4().hex,
            "sg_message_id": "x.filter", "smtp-id": "<x>", "report_id": str(report), **more,
        }  # fmt: skip

    def mail(self, state: str = "sent", recipient: str = "Ann@Example.org", claimed_ago: int = 60, **more: Any) -> UUID:
        values = {
            "kind": "alert", "topic": "t", "key": str(uuid4()), "recipient": recipient, "state": state,
            "claimed": claimed_ago, "attempts": 1, **more,
        }  # fmt: skip
        row = self.connection.execute(
            "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, state, attempts, "
            "claim_id, claimed_at) values (%(kind)s, %(topic)s, %(key)s, %(recipient)s, 's', '{}', %(state)s, "
            "%(attempts)s, gen_random_uuid(), now() - make_interval(secs => %(claimed)s)) returning report_id",
            values,
        ).fetchone()
        assert row is not None
        return UUID(str(row[0]))

    def state(self, report: UUID) -> tuple[str, str | None, bool]:
        """(state, error, is delivered)"""
        row = self.connection.execute(
            "select state, error, delivered_at is not null from app.email_reports where report_id = %s", [report]
        ).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    def suppressed(self) -> dict[str, str]:
        return dict(self.connection.execute("select address, reason from app.mail_suppressions").fetchall())

    def tell(self, *events: Any) -> dict[str, int]:
        answer = self.post(json.dumps(events))
        assert answer.status_code == 200, answer.text
        counts: dict[str, int] = answer.json()
        assert sum(counts.values()) == len(events)
        return counts

    def post(
        self,
        body: str,
        *,
        key: ec.EllipticCurvePrivateKey = PRIVATE,
        at: str | None = None,
        headers: dict[str, str | bytes] | None = None,
    ) -> httpx2.Response:
        timestamp = at or str(int(time.time()))
        signature = base64.b64encode(key.sign((timestamp + body).encode(), ec.ECDSA(hashes.SHA256()))).decode()
        with self.served.client(None) as client:
            return client.post(
                PATH,
                content=body,
                headers={
                    "Content-Type": "application/json",
                    "X-Twilio-Email-Event-Webhook-Signature": signature,
                    "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
                    **(headers or {}),
                },
            )


@pytest.fixture(scope="module")
def sendgrid_customer(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("webhooks")
    database = postgres.new_database(home)
    with served(database, home, sendgrid_webhook_key=public(PRIVATE)) as customer:
        yield customer


@pytest.fixture
def desk(sendgrid_customer: Served) -> Iterator[Desk]:
    with sendgrid_customer.database.connect(autocommit=True) as connection:
        connection.execute("truncate app.email_reports, app.mail_suppressions cascade")
        yield Desk(sendgrid_customer, connection)


@pytest.mark.parametrize(
    ("kind", "more", "state", "error", "is_delivered", "suppressed"),
    [
        ("processed", {}, "sent", None, False, None),
        ("deferred", {"response": "451 later"}, "sent", None, False, None),
        ("delivered", {"response": "250 OK"}, "sent", None, True, None),
        ("bounce", {"type": "bounce", "reason": "550 no\nsuch user"}, "failed", "bounced: 550 no such user", False,
         "bounced: 550 no such user"),
        ("bounce", {"type": "blocked", "reason": "421"}, "failed", "blocked: 421", False, None),
        ("dropped", {"reason": "Bounced Address"}, "failed", "dropped: Bounced Address", False,
         "dropped: Bounced Address"),
        ("dropped", {"reason": "Recipient List over Package Quota"}, "failed",
         "dropped: Recipient List over Package Quota", False, None),
        ("dropped", {}, "failed", "dropped: no reason given", False, None),
        ("spamreport", {}, "sent", None, False, "reported as spam"),
        ("unsubscribe", {}, "sent", None, False, "unsubscribed"),
        ("group_unsubscribe", {"asm_group_id": 1}, "sent", None, False, "unsubscribed"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", ["unknown", "sending", "sent", "queued"])
def test_what_events_mean(
    desk: Desk, before: str, kind: str, more: dict[str, Any], state: str, error: str | None, is_delivered: bool,
    suppressed: str | None,
) -> None:  # fmt: skip
    report = desk.mail(before)
    assert desk.tell(desk.event(report, kind, **more))["taken"] == 1
    assert desk.state(report) == (state, error, is_delivered)
    assert desk.suppressed() == ({"ann@example.org": suppressed} if suppressed else {})


def test_an_event_counts_once(desk: Desk) -> None:
    report = desk.mail("unknown")
    told = desk.event(report, "spamreport")
    assert desk.tell(told, told) == {"taken": 1, "repeated": 1, "unknown": 0, "ignored": 0}
    desk.connection.execute("delete from app.mail_suppressions")
    assert desk.tell(told)["repeated"] == 1
    assert desk.suppressed() == {}, "who was let in again is not put out by a repetition"


def test_the_order_of_arrival_does_not_matter(desk: Desk) -> None:
    outcomes = set()
    for order in itertools.permutations(["processed", "delivered", "bounce"]):
        report = desk.mail("unknown")
        for kind in order:
            ago = {"processed": 3, "delivered": 2, "bounce": 1}[kind]
            desk.tell(desk.event(report, kind, ago=ago, type="bounce", reason="mailbox gone"))
        outcomes.add(desk.state(report))
    assert outcomes == {("failed", "bounced: mailbox gone", False)}


def test_a_block_that_passed_is_no_failure(desk: Desk) -> None:
    for order in ([0, 1], [1, 0]):
        report = desk.mail("unknown")
        told = [desk.event(report, "bounce", ago=9, type="blocked"), desk.event(report, "delivered", ago=1)]
        desk.tell(*[told[index] for index in order])
        assert desk.state(report) == ("sent", None, True)


def test_events_of_an_earlier_attempt_do_not_judge_the_next(desk: Desk) -> None:
    report = desk.mail("sent", claimed_ago=7200)
    desk.tell(desk.event(report, "bounce", ago=3600, type="blocked"))
    assert desk.state(report)[0] == "failed"
    desk.connection.execute("update app.email_reports set state = 'queued', attempts = 0")
    desk.tell(desk.event(report, "processed", ago=3601))
    assert desk.state(report)[0] == "queued", "it is to be sent once more"
    desk.connection.execute(
        "update app.email_reports set state = 'unknown', attempts = 1, claimed_at = now(), error = 'broken off'"
    )
    desk.tell(desk.event(report, "processed"))
    assert desk.state(report) == ("sent", None, False)


def test_what_was_never_handed_over_stays_as_it_is(desk: Desk) -> None:
    report = desk.mail("suppressed")
    desk.tell(desk.event(report, "delivered"))
    assert desk.state(report)[0] == "suppressed"


def test_mail_of_others_is_counted_and_no_error(desk: Desk) -> None:
    report = desk.mail("unknown")
    stranger = desk.event(None, "bounce", type="bounce")
    del stranger["report_id"]
    counts = desk.tell(
        desk.event(uuid4(), "bounce"), stranger, desk.event(report, "group_resubscribe"), {"event": "delivered"}, 7,
        desk.event(None, "delivered"), desk.event(report, "delivered", timestamp=-1), desk.event(report, "delivered"),
    )  # fmt: skip
    assert counts == {"taken": 1, "repeated": 0, "unknown": 2, "ignored": 5}
    assert desk.suppressed() == {}


@pytest.mark.parametrize("body", ["{}", "[", "null"])
def test_what_is_no_list_of_events(desk: Desk, body: str) -> None:
    problem(desk.post(body), 400)


def test_who_is_not_sendgrid_is_refused(desk: Desk) -> None:
    report = desk.mail("unknown")
    body = json.dumps([desk.event(report, "delivered")])
    signed = "X-Twilio-Email-Event-Webhook-Signature"
    refused = [
        desk.post(body, key=ec.generate_private_key(ec.SECP256R1())),
        desk.post(body, headers={signed: "not base64!"}),
        desk.post(body, headers={signed: "no text at all: é".encode("latin-1")}),
        desk.post(body, headers={signed: ""}),
        desk.post(body, headers={signed: base64.b64encode(b"x" * 70).decode()}),
        desk.post(body, at=str(desk.now), headers={"X-Twilio-Email-Event-Webhook-Timestamp": str(desk.now - 1)}),
        desk.post(body, at=str(desk.now - 26 * 3600)),
        desk.post(body, at=str(desk.now + 3600)),
        desk.post(body, at="soon"),
    ]
    with desk.served.client(desk.served.key) as admin:
        refused.append(admin.post(PATH, json=[]))
    for answer in refused:
        problem(answer, 401)
    assert desk.state(report)[0] == "unknown"
    assert desk.post(body, at=str(desk.now - 23 * 3600)).status_code == 200, "SendGrid tries again for a day"


def test_old_events_are_forgotten(desk: Desk) -> None:
    report = desk.mail()
    desk.tell(desk.event(report, "processed"))
    desk.connection.execute("update app.mail_events set received_at = now() - interval '91 days'")
    desk.tell(desk.event(report, "delivered"))
    assert desk.connection.execute("select event from app.mail_events").fetchall() == [("delivered",)]


def test_without_a_key_there_is_no_such_address(published: Served) -> None:
    with published.client(None) as client:
        problem(client.post(PATH, json=[]), 404)


def test_a_wrong_key_is_told_at_the_start() -> None:
    with pytest.raises(TutorqError, match="TUTORQ_SENDGRID_WEBHOOK_KEY"):
        create_app(Settings(sendgrid_webhook_key="nonsense"))
