"""Kinds of mail over HTTP: the list, previews of real figures, and tests to oneself."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx2
import psycopg
import pytest

from api.limits import MAIL_TESTS_AT_ONCE
from api.report_kinds.schemas import KindsResponse, PreviewResponse, QueuedTestResponse
from core import keys
from core.database import DatabaseRole
from core.roles import Role
from reports import outbox
from reports.due import queue_due
from reports.kinds import KINDS, PREVIEWED
from reports.providers.file import FileProvider
from tests.api.conftest import ZONE, Served, served
from tests.api.test_openapi import assert_is
from tests.api.test_people import at_browser
from tests.api.test_problems import problem
from tests.conftest import PUBLISHED, Postgres

STAFF = ["head@example.org"]


@pytest.fixture(scope="module")
def office(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API with published marts and an outbox of its own."""
    home = tmp_path_factory.mktemp("kinds")
    database = postgres.new_database(home, PUBLISHED)
    with served(database, home, timezone=ZONE, staff_emails=STAFF, mail_provider="file") as office:
        queue_due(office.settings, database.as_role(DatabaseRole.TRANSFORM))
        yield office


@pytest.fixture
def mailbox(office: Served) -> Iterator[psycopg.Connection]:
    with office.database.connect(autocommit=True) as connection:
        connection.execute("truncate app.email_reports cascade")
        yield connection


@pytest.fixture
def admin(office: Served) -> Iterator[httpx2.Client]:
    with office.client(office.key) as client:
        yield client


@pytest.fixture
def ann(office: Served) -> Iterator[httpx2.Client]:
    """A lead at a browser."""
    with at_browser(office, Role.LEAD, f"Ann {uuid4().hex[:8]}") as browser:
        yield browser


def kinds(client: httpx2.Client) -> dict[str, dict[str, Any]]:
    answer = client.get("/api/reports/kinds")
    assert_is(KindsResponse, answer.content)
    return {kind["kind"]: kind for kind in answer.json()["data"]}


def test_every_kind_with_whom_it_goes_to_and_when_next(admin: httpx2.Client, mailbox: psycopg.Connection) -> None:
    before = datetime.now(ZoneInfo(ZONE))
    found = kinds(admin)
    after = datetime.now(ZoneInfo(ZONE))
    assert list(found) == [kind.value for kind in KINDS]
    for kind, known in KINDS.items():
        shown = found[kind.value]
        # Log-in links reach no mailbox where mail is written to files.
        assert shown["is_on"] is (kind != "log_in_link"), shown
        if known.schedule:
            due = {known.schedule.next_after(moment) for moment in (before, after)}
            assert datetime.fromisoformat(shown["next_at"]) in due
        else:
            assert shown["next_at"] is None
        assert (shown["last_sent_at"], shown["last_report_id"]) == (None, None)
    assert found["daily_digest"]["recipients"] == STAFF
    assert found["weekly_report"]["recipients"][0] == STAFF[0]
    assert found["tutor_snapshot"]["recipients"] is None
    assert admin.get("/api/reports/kinds").json()["meta"] == {
        "provider": "file", "timezone": ZONE, "has_begun": True,
    }  # fmt: skip


def test_addresses_are_for_admins(office: Served) -> None:
    with office.database.connect() as connection:
        secret = keys.create(connection, f"reader-{uuid4()}", Role.READ).secret
    with office.client(secret) as reader:
        assert kinds(reader)["daily_digest"]["recipients"] == ["h…@example.org"]
        assert "head@" not in reader.get("/api/reports/kinds").text
        problem(reader.get("/api/reports?recipient=head"), 403)


def test_the_log_is_found_by_part_of_an_address(admin: httpx2.Client, mailbox: psycopg.Connection) -> None:
    for recipient in ("Ann.Smith@example.org", "bob@example.org", "bob_smith@school.example"):
        mailbox.execute(
            "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload) "
            "values ('alert', %(to)s, %(to)s, %(to)s, 's', '{}')",
            {"to": recipient},
        )

    def to(part: str) -> set[str]:
        answer = admin.get("/api/reports", params={"recipient": part})
        return {row["recipient"] for row in answer.raise_for_status().json()["data"]}

    assert to("SMITH") == {"Ann.Smith@example.org", "bob_smith@school.example"}
    assert to("b_s") == {"bob_smith@school.example"}, "an underscore stands for itself"
    assert to("%") == set()
    problem(admin.get("/api/reports?recipient="), 400)
    problem(admin.get("/api/reports?recipient=%00"), 400)


def test_the_last_mail_that_told_somebody_something(admin: httpx2.Client, mailbox: psycopg.Connection) -> None:
    def add(topic: str, state: str, settled_at: str) -> UUID:
        row = mailbox.execute(
            "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, state, settled_at) "
            "values ('alert', %(topic)s, %(topic)s, 'a@example.org', 's', '{}', %(state)s, %(at)s) returning report_id",
            {"topic": topic, "state": state, "at": settled_at},
        ).fetchone()
        assert row is not None
        return UUID(str(row[0]))

    add("alert:1", "sent", "2026-01-01T12:00Z")
    last = add("alert:2", "sent", "2026-01-02T12:00Z")
    add("alert:3", "failed", "2026-01-03T12:00Z")
    add("test:alert:4", "sent", "2026-01-04T12:00Z")
    add("sample:alert", "sample", "2026-01-05T12:00Z")
    shown = kinds(admin)["alert"]
    assert (UUID(shown["last_report_id"]), datetime.fromisoformat(shown["last_sent_at"])) == (
        last, datetime(2026, 1, 2, 12, tzinfo=UTC),
    )  # fmt: skip
    assert kinds(admin)["daily_digest"]["last_report_id"] is None


@pytest.mark.parametrize("kind", [kind.value for kind in PREVIEWED])
def test_previews_are_made_of_what_is_published_and_queue_nothing(
    admin: httpx2.Client, mailbox: psycopg.Connection, kind: str
) -> None:
    answer = admin.get(f"/api/reports/kinds/{kind}/preview")
    assert answer.status_code == 200, answer.text
    assert_is(PreviewResponse, answer.content)
    preview = answer.json()["data"]
    page = admin.get(f"/api/reports/kinds/{kind}/preview/html")
    if preview["mail"] is None:
        assert preview["missing"].endswith(".")
        assert problem(page, 404).detail == preview["missing"]
    else:
        assert preview["missing"] is None
        assert preview["mail"]["subject"] in preview["mail"]["text"] or kind == "daily_digest"
        assert page.text.startswith("<!DOCTYPE html>")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "sandbox" in page.headers["content-security-policy"]
    assert mailbox.execute("select count(*) from app.email_reports").fetchone() == (0,)


def test_a_preview_of_the_alert_and_of_the_weekly_report_is_always_there(admin: httpx2.Client) -> None:
    for kind in ("alert", "weekly_report"):
        assert admin.get(f"/api/reports/kinds/{kind}/preview").json()["data"]["mail"] is not None


@pytest.mark.parametrize("kind", ["notification", "appeal_received", "appeal_answer", "appeal_reminder"])
def test_mail_that_answers_somebody_is_shown_with_made_up_facts(
    office: Served, ann: httpx2.Client, mailbox: psycopg.Connection, kind: str
) -> None:
    """Else everybody could read, and send to themselves, what somebody else was told."""
    mailbox.execute(
        "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, state, settled_at) "
        "values (%s, 'x', 'x', 'bob@example.org', 'For Bob alone', '{}', 'sent', now())",
        [kind],
    )
    mail = ann.get(f"/api/reports/kinds/{kind}/preview").json()["data"]["mail"]
    assert "This is an example with invented facts." in mail["html"]
    assert "Ada Example" in mail["text"]
    assert "Bob" not in mail["subject"] + mail["text"]

    report_id = ann.post(f"/api/reports/kinds/{kind}/test").raise_for_status().json()["data"]["report_id"]
    outbox.send_due(
        office.settings, office.database.as_role(DatabaseRole.TRANSFORM), FileProvider(office.settings.outbox_dir)
    )
    sent = ann.get(f"/api/reports/{report_id}").json()["data"]
    assert (sent["state"], sent["subject"]) == ("sent", f"Test: {mail['subject']}")
    assert sent["tutor_ids"] == []
    assert "This is a test with invented facts" in sent["body_html"]
    assert "#token=" not in sent["body_text"], "no link to anybody's page"


def test_a_log_in_link_has_no_preview(admin: httpx2.Client, ann: httpx2.Client) -> None:
    problem(admin.get("/api/reports/kinds/log_in_link/preview"), 404)
    problem(ann.post("/api/reports/kinds/log_in_link/test"), 404)
    problem(admin.get("/api/reports/kinds/newsletter/preview"), 400)


def test_without_scores_there_is_nothing_to_show(unpublished: Served) -> None:
    with unpublished.client(unpublished.key) as reader:
        shown = kinds(reader)
        assert {kind["next_at"] for kind in shown.values()} == {None}
        assert reader.get("/api/reports/kinds").json()["meta"]["has_begun"] is False
        preview = reader.get("/api/reports/kinds/daily_digest/preview").json()["data"]
        assert (preview["mail"], "nothing is published yet" in preview["missing"].lower()) == (None, True)


def test_a_test_goes_to_the_person_who_asks_and_to_nobody_else(
    office: Served, ann: httpx2.Client, mailbox: psycopg.Connection
) -> None:
    answer = ann.post("/api/reports/kinds/weekly_report/test")
    assert answer.status_code == 202, answer.text
    assert_is(QueuedTestResponse, answer.content)
    data = answer.json()["data"]
    queued = mailbox.execute("select report_id::text, recipient, subject, state, payload from app.email_reports")
    ((report_id, recipient, subject, state, payload),) = queued.fetchall()
    assert (data["report_id"], data["recipient"]) == (report_id, recipient)
    assert recipient.startswith("Ann.")
    assert subject.startswith("Test: Week ")
    assert (state, payload["mark"]) == ("queued", "test")
    noted = mailbox.execute(
        "select actor, details from app.audit_log where action = 'mail.test' and subject_id = %s", [report_id]
    ).fetchall()
    ((actor, details),) = noted
    assert (actor.startswith("Ann "), "(person " in actor, details) == (True, True, {"kind": "weekly_report"})

    sent = outbox.send_due(
        office.settings, office.database.as_role(DatabaseRole.TRANSFORM), FileProvider(office.settings.outbox_dir)
    )
    assert sent.accepted == 1
    mail = ann.get(f"/api/reports/{report_id}").json()["data"]
    assert mail["state"] == "sent"
    assert "This is a test with" in mail["body_html"]
    assert kinds(ann)["weekly_report"]["last_report_id"] is None, "it has told nobody anything"


def test_a_key_has_no_address_to_send_a_test_to(admin: httpx2.Client, mailbox: psycopg.Connection) -> None:
    assert "Log in as a person" in problem(admin.post("/api/reports/kinds/alert/test"), 409).detail
    assert mailbox.execute("select count(*) from app.email_reports").fetchone() == (0,)


def test_tests_are_few(office: Served, mailbox: psycopg.Connection) -> None:
    with at_browser(office, Role.READ, f"Eager {uuid4().hex[:8]}") as browser:
        codes = [browser.post("/api/reports/kinds/alert/test").status_code for _ in range(MAIL_TESTS_AT_ONCE + 2)]
        assert codes == [202] * MAIL_TESTS_AT_ONCE + [429] * 2
        assert int(browser.post("/api/reports/kinds/alert/test").headers["retry-after"]) <= 60
    assert mailbox.execute("select count(*) from app.email_reports").fetchone() == (MAIL_TESTS_AT_ONCE,)


def test_an_address_of_this_machine_is_no_mailbox(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path, PUBLISHED)
    with (
        served(database, tmp_path, mail_provider="smtp", smtp_url="smtp://127.0.0.1:9") as office,
        at_browser(office, Role.ADMIN, "Operator") as browser,
    ):
        with database.connect() as connection:
            connection.execute("update app.people set email = 'operator@localhost' where name = 'Operator'")
        assert "@localhost" in problem(browser.post("/api/reports/kinds/alert/test"), 409).detail
