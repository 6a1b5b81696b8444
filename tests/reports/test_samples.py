"""Samples of the demo: each kind once, marked, and never sent."""

from typing import TYPE_CHECKING

import pytest

from core.database import DatabaseRole
from core.sealing import sealer
from reports import outbox
from reports.providers.file import FileProvider
from reports.samples import add_samples

if TYPE_CHECKING:
    from tests.reports.conftest import Marketplace

KINDS = ["alert", "daily_digest", "risk_alert", "session_report", "tutor_snapshot", "weekly_report"]


@pytest.fixture
def demo(reporting: "Marketplace") -> "Marketplace":
    """With the addresses of the demo, somebody flagged, and a month of this year for snapshots."""
    reporting.execute("update marts.dim_tutors set email = tutor_id || '@example.org' where email is not null")
    reporting.score(2, "high_risk")
    reporting.execute("update marts.score_history set risk_status = 'watch' where as_of = '2026-01-30'")
    reporting.session("no_show", tutor=2, initiator="tutor")
    reporting.execute(
        "update intermediate.int_session_facts set counted_on = (now() - interval '1 month')::date where tutor_id = %s",
        reporting.tutor(2),
    )
    return reporting


def added(marketplace: "Marketplace") -> int:
    return add_samples(marketplace.settings, marketplace.database.as_role(DatabaseRole.TRANSFORM))


def test_each_kind_once_and_marked(demo: "Marketplace") -> None:
    before = demo.execute("select count(*) from app.email_reports")
    assert added(demo) == len(KINDS)
    assert added(demo) == 0
    rows = demo.execute(
        "select kind, subject, state, error, body_text, body_html, recipient from app.email_reports "
        "where starts_with(topic, 'sample:') order by kind"
    )
    assert [row[0] for row in rows] == KINDS
    for kind, subject, state, error, text, html, recipient in rows:
        text, html = map(sealer(demo.settings).open_text, (text, html))
        assert (state, error) == ("sample", "demo sample, never sent")
        assert subject.startswith("Sample: ")
        assert "This is a sample of the demo. tutorq never sent this mail." in html, kind
        assert subject in text or kind == "daily_digest"
        assert recipient.endswith("@example.org"), kind
    assert demo.execute("select count(*) - %s from app.email_reports", len(KINDS)) == before


def test_samples_are_never_sent(demo: "Marketplace") -> None:
    added(demo)
    outbox.requeue_failed(demo.database)
    sent = outbox.send_due(
        demo.settings, demo.database.as_role(DatabaseRole.TRANSFORM), FileProvider(demo.settings.outbox_dir)
    )
    assert sent.to_dict() == {"sent": 0, "failed": 0, "queued_again": 0, "unknown": 0, "suppressed": 0}
    assert list(demo.settings.outbox_dir.glob("*.eml")) == []
    assert demo.execute("select distinct state from app.email_reports") == [("sample",)]


def test_a_marketplace_with_one_real_address_gets_none(demo: "Marketplace") -> None:
    demo.execute("update marts.dim_tutors set email = 'ann@school.example' where tutor_id = %s", demo.tutor(3))
    assert added(demo) == 0


def test_what_cannot_be_made_yet_is_left_out_until_it_can(demo: "Marketplace") -> None:
    demo.score(2, "ok")
    assert added(demo) == len(KINDS) - 1, "nobody is flagged"
    demo.score(2, "high_risk")
    assert added(demo) == 1


def test_nothing_is_published(demo: "Marketplace") -> None:
    demo.execute("drop schema marts cascade")
    assert added(demo) == 0
