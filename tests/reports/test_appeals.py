"""Mail about appeals: reminders to those who decide, and what tutors are sent, with links that no table keeps."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest

from core import keys
from core.database import DatabaseRole
from core.sealing import sealer
from reports.outbox import Draft, enqueue, send_due
from reports.providers.file import FileProvider
from reports.render import render
from reports.subjects import subject_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reports.conftest import Marketplace

EVENING = datetime(2026, 2, 10, 3, tzinfo=UTC)
EVIL = "<b>ill</b> & {{ 7 * 7 }}"
APPEAL = {
    "appeal_id": 7, "tutor_id": "x", "concern": None, "reason": "illness", "text": EVIL, "state": "granted",
    "created_at": "2026-07-01T22:30:00+00:00", "due_on": "2026-07-15", "answer": f"Granted: {EVIL}",
}  # fmt: skip
SESSION = {"happened": "missed", "remedy": "excused", "scheduled_time": "2026-06-30T08:00:00+00:00", "subject": None}


def appeal(marketplace: Marketplace, due_on: str, tutor: int = 6, **changes: Any) -> int:
    values = {"concern": "no_shows", "state": "open", **changes}
    settled = values["state"] != "open"
    [(number,)] = marketplace.execute(
        "insert into app.appeals (tutor_id, concern, reason, text, created_by, due_on, state, settled_at)"
        " values (%s, %s, 'illness', 'I was ill', 'tutor', %s, %s, case when %s then now() end) returning appeal_id",
        marketplace.tutor(tutor), values["concern"], due_on, values["state"], settled,
    )  # fmt: skip
    return int(number)


def sent_to(folder: Path) -> list[EmailMessage]:
    found = (message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(folder.glob("*.eml")))
    return [mail for mail in found if isinstance(mail, EmailMessage)]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_those_who_decide_are_reminded_three_times(reporting: Marketplace) -> None:
    number = appeal(reporting, "2026-02-20")
    appeal(reporting, "2026-02-01", state="withdrawn")
    assert [reporting.queue(now=EVENING.replace(day=day)).appeal_reminder for day in (10, 11, 16)] == [1, 0, 0]
    assert reporting.queue(now=EVENING.replace(day=17)).appeal_reminder == 1
    assert reporting.queue(now=EVENING.replace(day=20)).appeal_reminder == 0
    assert reporting.queue(now=EVENING.replace(day=21)).appeal_reminder == 1
    assert reporting.queue(now=EVENING.replace(day=28)).appeal_reminder == 0
    queued = reporting.outbox("appeal_reminder")
    assert [topic for topic, _, _ in queued] == [f"{number}:new", f"{number}:overdue", f"{number}:soon"]
    assert {recipient for _, recipient, _ in queued} == {"head@example.org"}
    subjects = reporting.execute("select subject from app.email_reports where kind = 'appeal_reminder' order by topic")
    assert [subject for (subject,) in subjects] == [
        "New appeal, due by 20 February 2026: Grace Tutor 6",
        "Appeal overdue, due by 20 February 2026: Grace Tutor 6",
        "Appeal due by 20 February 2026: Grace Tutor 6",
    ]
    # What the tutor wrote stays on the dashboard.
    assert "I was ill" not in str(queued)


@pytest.mark.parametrize(
    ("people", "recipients"),
    [
        ([("lea", "lead"), ("ada", "admin"), ("cora", "coach")], ["lea"]),
        ([("ada", "admin"), ("cora", "coach")], ["ada"]),
        ([("cora", "coach")], ["head"]),
    ],
    ids=["leads", "admins", "staff"],
)
def test_leads_are_reminded_or_else_admins_or_else_staff(
    reporting: Marketplace, people: list[tuple[str, str]], recipients: list[str]
) -> None:
    for name, role in people:
        reporting.execute(
            "insert into app.people (name, email, role) values (%s, %s, %s)", name, f"{name}@example.org", role
        )
    reporting.execute("insert into app.people (name, email, role) values ('L', 'root@localhost', 'lead')")
    appeal(reporting, "2026-02-20")
    reporting.queue()
    assert [to for _, to, _ in reporting.outbox("appeal_reminder")] == [f"{name}@example.org" for name in recipients]


@pytest.mark.parametrize("kind", ["appeal_received", "appeal_answer", "appeal_reminder"])
def test_words(reporting: Marketplace, kind: str) -> None:
    tutor = {"tutor_id": "x", "external_id": "T-1", "name": "Ada <Novak>"}
    payload: dict[str, Any] = {"appeal": APPEAL, "tutor": tutor, "sessions": [SESSION], "occasion": "overdue"}
    if kind == "appeal_reminder":
        payload["sessions"] = 2
    settings = reporting.settings.model_copy(update={"timezone": "Europe/Vienna"})
    mail = render(settings, kind, subject_of(kind, payload), payload)
    assert "<Novak>" not in mail.html
    assert "Ada <Novak>" in mail.text
    assert "None" not in mail.text + mail.html
    assert "49" not in mail.html
    if kind == "appeal_reminder":
        assert "against 2 sessions (I was ill, or had an emergency)" in mail.text
        assert "/appeals/7" in mail.text
        return
    assert EVIL in mail.text
    assert "<b>ill" not in mail.html
    assert "Tue 30 Jun 2026, 10:00: missed by you" in mail.text
    assert ("(excused, no longer counts)" in mail.text) == (kind == "appeal_answer")
    assert "http" not in mail.text  # the link is made when it is sent


def test_the_link_is_made_when_it_is_sent_and_not_kept(reporting: Marketplace, tmp_path: Path) -> None:
    tutor = reporting.tutor(6)
    known = {"tutor_id": str(tutor), "external_id": "T-6", "name": "Grace"}
    payload = {"appeal": APPEAL, "tutor": known, "sessions": [SESSION]}
    drafts = [
        Draft("appeal_answer", "appeal_answer:1", ["tutor6@example.org"], "Your appeal was granted", payload),
        # Another address has come since: it gets the answer, and no way in.
        Draft("appeal_answer", "appeal_answer:2", ["before@example.org"], "Your appeal was granted", payload),
    ]
    with reporting.database.connect() as connection:
        enqueue(connection, drafts)
    sender = reporting.database.as_role(DatabaseRole.TRANSFORM)
    settings = reporting.settings.model_copy(update={"public_url": "https://q.example.org/"})
    assert send_due(settings, sender, FileProvider(tmp_path)).accepted == 2
    mails = sent_to(tmp_path)
    links = [re.findall(r"https://q\.example\.org/my/open#token=([\w-]+)", text_of(mail)) for mail in mails]
    [with_link] = [found for found in links if found]
    assert [] in links
    stored = reporting.execute("select token_hash, tutor_id, made_by from app.page_links")
    assert stored == [(keys.digest(with_link[0]), tutor, "mail")]
    box = sealer(settings)
    bodies = reporting.execute("select body_text, body_html from app.email_reports where body_text is not null")
    assert len(bodies) == 2
    for parts in bodies:
        assert with_link[0] not in "".join(map(box.open_text, parts))
    assert [mail["List-Unsubscribe"] for mail in mails] == [None, None]


def test_the_snapshot_has_a_link(reporting: Marketplace, tmp_path: Path) -> None:
    reporting.execute("update app.report_switches set on_since = '2026-01-01'")
    reporting.queue(now=datetime(2026, 2, 1, 8, 30, tzinfo=UTC))
    reporting.execute("update app.email_reports set state = 'suppressed' where recipient <> 'tutor6@example.org'")
    sender = reporting.database.as_role(DatabaseRole.TRANSFORM)
    assert send_due(reporting.settings, sender, FileProvider(tmp_path)).accepted == 1
    [mail] = sent_to(tmp_path)
    assert "/my/open#token=" in text_of(mail)
    assert mail["List-Unsubscribe"]
