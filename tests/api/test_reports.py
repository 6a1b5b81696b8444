"""The audit trail of mail, and leaving a kind of mail by the link in it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest

from api.reports.schemas import Report, ReportDetail, ReportKind, ReportList, ReportResponse, ReportState
from core import keys
from core.database import DatabaseRole
from core.roles import Role
from ingest.ids import entity_uuid
from reports import outbox
from reports.outbox import Draft
from reports.providers.file import FileProvider
from tests.api.conftest import Served, served
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.conftest import Postgres

ALERT = {
    "condition": "x", "title": "mail is not being sent", "detail": "It waits.", "advice": "Look.",
    "figures": [["mails waiting", "3"]], "since": "2026-01-31T12:00:00+00:00",
}  # fmt: skip
ADA, BOB = entity_uuid("T-1"), uuid4()


@pytest.fixture
def link(intake: Served) -> tuple[UUID, UUID]:
    """A mail that somebody got, and the token in its link."""
    with intake.database.connect() as connection:
        row = connection.execute(
            "insert into app.email_reports (kind, unique_key, topic, recipient, subject, payload, state) "
            "values ('daily_digest', %s, 'digest', 'Ann@Example.org', 'Digest', '{}', 'sent') "
            "returning report_id, unsubscribe_token",
            [str(uuid4())],
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def opt_outs(intake: Served) -> list[tuple[str, str]]:
    with intake.database.connect() as connection:
        return connection.execute("select address, kind from app.mail_opt_outs").fetchall()


def test_one_click_stops_one_kind_of_mail_for_one_person(intake: Served, link: tuple[UUID, UUID]) -> None:
    report_id, token = link
    address = f"/api/reports/{report_id}/unsubscribe?token={token}"
    with intake.client(None) as client:
        page = client.get(address)
        assert (page.status_code, opt_outs(intake)) == (200, [])
        assert "<button>" in page.text

        for _ in range(2):
            answer = client.post(address, data={"List-Unsubscribe": "One-Click"})
            assert answer.status_code == 200
    assert opt_outs(intake) == [("ann@example.org", "daily_digest")]
    with intake.database.connect() as connection:
        noted = connection.execute("select subject_id from app.audit_log where action = 'mail.opted_out'").fetchall()
    assert noted == [(str(report_id),)]


@pytest.mark.parametrize(("report", "status"), [(uuid4(), 404), ("x", 400)])
def test_an_unknown_mail(intake: Served, report: object, status: int) -> None:
    with intake.client(None) as client:
        answer: httpx2.Response = client.post(f"/api/reports/{report}/unsubscribe?token={uuid4()}")
    problem(answer, status)


def test_the_id_of_a_mail_alone_unsubscribes_nobody(intake: Served, link: tuple[UUID, UUID]) -> None:
    report_id, token = link
    before = opt_outs(intake)
    with intake.client(intake.key) as client:
        address = f"/api/reports/{report_id}/unsubscribe"
        problem(client.post(f"{address}?token=x"), 400)
        problem(client.post(f"{address}?token={uuid4()}"), 404)
        one_click = client.post(address, data={"List-Unsubscribe": "One-Click"})
        assert "older mail" in problem(one_click, 410).detail
        old = client.get(address)
        assert (old.status_code, old.headers["content-type"]) == (410, "text/html; charset=utf-8")
        assert "older mail" in old.text
        assert (
            str(token) not in client.get("/api/reports?limit=500").text + client.get(f"/api/reports/{report_id}").text
        )
    assert opt_outs(intake) == before


@pytest.fixture(scope="module")
def office(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API with no more rights than its role has, and an outbox of its own."""
    home = tmp_path_factory.mktemp("office")
    database = postgres.new_database(home)
    with served(database, home) as office:
        yield office


@pytest.fixture
def mailbox(office: Served) -> Iterator[psycopg.Connection]:
    """The database, with an empty outbox."""
    with office.database.connect(autocommit=True) as connection:
        connection.execute("truncate app.email_reports cascade")
        yield connection


@pytest.fixture
def admin(office: Served) -> Iterator[httpx2.Client]:
    with office.client(office.key) as client:
        yield client


@pytest.fixture
def reader(office: Served) -> Iterator[httpx2.Client]:
    with office.database.connect() as connection:
        secret = keys.create(connection, f"reader-{uuid4()}", Role.READ).secret
    with office.client(secret) as client:
        yield client


def add(mailbox: psycopg.Connection, **columns: Any) -> UUID:
    """A mail in the outbox; returns its id."""
    topic = str(uuid4())
    values = {
        "kind": "risk_alert", "topic": topic, "unique_key": topic, "recipient": "head@example.org", "subject": "s",
        "payload": "{}", **columns,
    }  # fmt: skip
    names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
    row = mailbox.execute(
        f"insert into app.email_reports ({names}) values ({places}) returning report_id", values
    ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def ids(client: httpx2.Client, query: str = "") -> list[UUID]:
    answer = client.get(f"/api/reports{query}")
    assert answer.status_code == 200, answer.text
    return [UUID(row["report_id"]) for row in answer.json()["data"]]


def test_the_newest_come_first_on_pages_without_gaps(mailbox: psycopg.Connection, reader: httpx2.Client) -> None:
    now = datetime.now(UTC)
    added = [add(mailbox, created_at=now - timedelta(minutes=minute // 2)) for minute in range(7)]
    assert ids(reader)[:2] == sorted(added[:2]), "of one moment, by id"
    assert [moment for page in (0, 3, 6) for moment in ids(reader, f"?limit=3&offset={page}")] == ids(reader)
    assert sorted(ids(reader)) == sorted(added)
    assert reader.get("/api/reports?limit=3&offset=6").json()["meta"] == {
        "total": 7, "limit": 3, "offset": 6, "next_cursor": None
    }  # fmt: skip


def test_filters(mailbox: psycopg.Connection, reader: httpx2.Client) -> None:
    now = datetime.now(UTC)
    alert = add(mailbox, kind="alert", state="failed", created_at=now - timedelta(hours=1))
    digest = add(mailbox, kind="daily_digest", state="sent", created_at=now - timedelta(hours=2))
    old = add(mailbox, kind="alert", state="sent", created_at=now - timedelta(days=2))
    assert ids(reader, "?kind=alert") == [alert, old]
    assert ids(reader, "?kind=alert&kind=daily_digest&state=sent") == [digest, old]
    since = (now - timedelta(hours=3)).isoformat().replace("+00:00", "Z")
    assert ids(reader, f"?since={since}") == [alert, digest]
    assert ids(reader, f"?since={since}&state=failed") == [alert]


@pytest.mark.parametrize("query", ["kind=x", "state=lost", "since=yesterday", "since=2026-01-01T00:00:00",
                                   "since=1769853600", "tutor_id=", "tutor_id=%1C", "tutor_id=%00",
                                   "tutor_id=%20", "limit=0", "limit=501", "sort_by=kind"])  # fmt: skip
def test_filters_that_make_no_sense(reader: httpx2.Client, query: str) -> None:
    problem(reader.get(f"/api/reports?{query}"), 400)


def test_mail_of_a_tutor_is_found_wherever_the_payload_names_them(
    mailbox: psycopg.Connection, reader: httpx2.Client
) -> None:
    about, among, deep = (
        add(mailbox, payload=payload, created_at=datetime(2026, 1, day, tzinfo=UTC))
        for day, payload in (
            (3, f'{{"tutor": {{"tutor_id": "{ADA}"}}}}'),
            (2, f'{{"flagged": [{{"tutor_id": "{BOB}"}}, {{"tutor_id": "{ADA}"}}]}}'),
            (1, f'{{"sessions": [{{"tutor": {{"tutor_id": "{ADA}"}}}}], "tutor": {{"tutor_id": "{ADA}"}}}}'),
        )
    )
    assert ids(reader, "?tutor_id=T-1") == ids(reader, f"?tutor_id={ADA}") == [about, among, deep]
    assert ids(reader, f"?tutor_id={str(BOB).upper()}") == [among]
    assert ids(reader, f"?tutor_id={uuid4()}") == []
    rows = reader.get("/api/reports").json()["data"]
    assert [set(row["tutor_ids"]) for row in rows] == [{str(ADA)}, {str(ADA), str(BOB)}, {str(ADA)}]
    assert len(rows[2]["tutor_ids"]) == 1


def test_addresses_are_for_admins(mailbox: psycopg.Connection, reader: httpx2.Client, admin: httpx2.Client) -> None:
    error = "550 <ann.smith@example.org>: no such user, see ann.smith@example.org"
    report = add(mailbox, recipient="ann.smith@example.org", state="failed", error=error)
    nobody = add(mailbox, recipient="nobody", state="suppressed")
    for client, recipient, told in (
        (admin, "ann.smith@example.org", error),
        (reader, "a…@example.org", "550 <…>: no such user, see …"),
    ):
        listed = {row["report_id"]: row for row in client.get("/api/reports").json()["data"]}
        for row in (listed[str(report)], client.get(f"/api/reports/{report}").json()["data"]):
            assert (row["recipient"], row["error"]) == (recipient, told)
        assert listed[str(nobody)]["recipient"] == "nobody"
        assert ("ann.smith" in client.get("/api/reports").text) is (client is admin)


def test_who_gets_in(office: Served, mailbox: psycopg.Connection) -> None:
    report = add(mailbox)
    with office.database.connect() as connection:
        ingest = keys.create(connection, f"ingest-{uuid4()}", Role.INGEST).secret
    for path in ("", f"/{report}", f"/{report}/html"):
        with office.client(None) as client:
            problem(client.get(f"/api/reports{path}"), 401)
            problem(client.get("/api/reports?limit=x"), 401)
        with office.client(ingest) as client:
            problem(client.get(f"/api/reports{path}"), 403)


def test_what_was_sent_can_be_looked_at(office: Served, mailbox: psycopg.Connection, reader: httpx2.Client) -> None:
    draft = Draft("alert", "alert:1", ["head@example.org"], "tutorq: <trouble>", ALERT)
    with office.database.connect() as connection:
        outbox.enqueue(connection, [draft])
    (report,) = ids(reader)
    before = reader.get(f"/api/reports/{report}").json()["data"]
    assert (before["state"], before["has_body"], before["body_html"]) == ("queued", False, None)
    assert before["next_attempt_at"] is not None
    problem(reader.get(f"/api/reports/{report}/html"), 404)

    outbox.send_due(
        office.settings, office.database.as_role(DatabaseRole.TRANSFORM), FileProvider(office.settings.outbox_dir)
    )
    (path,) = office.settings.outbox_dir.glob("*.eml")
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    sent = reader.get(f"/api/reports/{report}").json()["data"]
    assert (sent["state"], sent["has_body"], sent["next_attempt_at"]) == ("sent", True, None)
    for part, subtype in (("body_text", "plain"), ("body_html", "html")):
        body = message.get_body((subtype,))
        assert body is not None
        assert sent[part].strip() == body.get_content().strip().replace("\r\n", "\n")
    # What is sent later looks otherwise; what was sent stays as it was.
    mailbox.execute("update app.email_reports set payload = '{}'")
    assert reader.get(f"/api/reports/{report}").json()["data"]["body_html"] == sent["body_html"]

    page = reader.get(f"/api/reports/{report}/html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.replace('<base target="_blank">', "") == sent["body_html"]
    assert '<base target="_blank">' in page.text


def test_a_mail_can_do_nothing_in_its_frame(mailbox: psycopg.Connection, reader: httpx2.Client) -> None:
    report = add(mailbox, body_html="<head></head><script>alert(1)</script>", body_text="x", state="sent")
    headers = reader.get(f"/api/reports/{report}/html").headers
    policy = headers.get_list("content-security-policy")
    assert len(policy) == 1
    assert {"default-src 'none'", "frame-ancestors 'self'", "form-action 'none'"} <= set(policy[0].split("; "))
    assert "sandbox" in policy[0]
    assert "allow-scripts" not in policy[0]
    assert "allow-same-origin" not in policy[0]
    assert headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("kind", ["appeal_received", "appeal_answer"])
def test_what_a_tutor_wrote_is_not_for_the_role_read(
    mailbox: psycopg.Connection, admin: httpx2.Client, reader: httpx2.Client, kind: str
) -> None:
    """As /api/appeals has it: the mail repeats the words, which may be of somebody's health."""
    report = add(mailbox, kind=kind, body_text="I was ill.", body_html="<head></head>I was ill.", state="sent")
    shown = reader.get(f"/api/reports/{report}")
    assert "I was ill" not in shown.text
    assert [shown.json()["data"][name] for name in ("body_text", "body_html", "has_body")] == [None, None, True]
    problem(reader.get(f"/api/reports/{report}/html"), 404)
    assert admin.get(f"/api/reports/{report}").json()["data"]["body_text"] == "I was ill."
    assert "I was ill." in admin.get(f"/api/reports/{report}/html").text


def test_what_has_not_changed_is_not_sent_again(mailbox: psycopg.Connection, reader: httpx2.Client) -> None:
    report = add(mailbox)
    for path in ("/api/reports", f"/api/reports/{report}"):
        first = reader.get(path)
        again = reader.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        mailbox.execute("update app.email_reports set attempts = attempts + 1")
        changed = reader.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert changed.status_code == 200
        assert changed.headers["etag"] != first.headers["etag"]


def test_bodies_are_what_the_description_says(mailbox: psycopg.Connection, admin: httpx2.Client) -> None:
    for kind in ReportKind:
        for state in ReportState:
            report = add(mailbox, kind=kind.value, state=state.value)
    assert_is(ReportList, admin.get("/api/reports").content)
    assert_is(ReportResponse, admin.get(f"/api/reports/{report}").content)
    assert set(ReportDetail.model_fields) - set(Report.model_fields) == {"body_text", "body_html"}
    problem(admin.get(f"/api/reports/{uuid4()}"), 404)
    problem(admin.get("/api/reports/x"), 400)
