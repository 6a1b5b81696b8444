"""Leaving a kind of mail by the link in it."""

from uuid import UUID, uuid4

import httpx2
import pytest

from tests.api.conftest import Served
from tests.api.test_problems import problem


@pytest.fixture
def report_id(intake: Served) -> UUID:
    """A mail that somebody got."""
    with intake.database.connect() as connection:
        row = connection.execute(
            "insert into app.email_reports (kind, unique_key, topic, recipient, subject, payload, state) "
            "values ('daily_digest', %s, 'digest', 'Ann@Example.org', 'Digest', '{}', 'sent') returning report_id",
            [str(uuid4())],
        ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def opt_outs(intake: Served) -> list[tuple[str, str]]:
    with intake.database.connect() as connection:
        return connection.execute("select address, kind from app.mail_opt_outs").fetchall()


def test_one_click_stops_one_kind_of_mail_for_one_person(intake: Served, report_id: UUID) -> None:
    with intake.client(None) as client:
        page = client.get(f"/api/reports/{report_id}/unsubscribe")
        assert (page.status_code, opt_outs(intake)) == (200, [])
        assert "<button>" in page.text

        for _ in range(2):
            answer = client.post(f"/api/reports/{report_id}/unsubscribe", data={"List-Unsubscribe": "One-Click"})
            assert answer.status_code == 200
    assert opt_outs(intake) == [("ann@example.org", "daily_digest")]


@pytest.mark.parametrize(("report", "status"), [(uuid4(), 404), ("x", 400)])
def test_an_unknown_mail(intake: Served, report: object, status: int) -> None:
    with intake.client(None) as client:
        answer: httpx2.Response = client.post(f"/api/reports/{report}/unsubscribe")
    problem(answer, status)
