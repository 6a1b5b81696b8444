"""What-ifs over HTTP: who may ask, one at a time; and settings that are applied."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from api.scoring_settings.schemas import ScoringResponse
from api.what_if.schemas import WhatIfAccepted, WhatIfList, WhatIfResponse
from core import audit
from core.database import DatabaseRole
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import OURS, logged_in
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.conftest import PUBLISHED, Postgres
from what_if import questions

PATH, SETTINGS = "/api/what-if", "/api/scoring-settings"


@pytest.fixture(scope="module")
def office(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("what-if")
    with served(postgres.new_database(home, PUBLISHED), home, as_of="2026-01-31") as office:
        yield office


@pytest.fixture
def admin(office: Served) -> Iterator[httpx2.Client]:
    with office.database.connect() as connection:
        connection.execute("truncate app.what_ifs, app.scoring_settings")
    with office.client(office.key) as client:
        yield client


@pytest.fixture
def lead(office: Served) -> Iterator[httpx2.Client]:
    with logged_in(office, Role.LEAD, "Lea") as client:
        client.headers.update(OURS)
        yield client


def setting(answer: httpx2.Response, name: str) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert_is(ScoringResponse, answer.content)
    (found,) = [each for each in answer.json()["data"]["settings"] if each["name"] == name]
    return dict(found)


@pytest.mark.slow
def test_a_lead_asks_and_is_answered(office: Served, admin: httpx2.Client, lead: httpx2.Client) -> None:
    asked = lead.post(PATH, json={"changes": {"risk_threshold": 0.03}, "weeks": 6})
    assert asked.status_code == 202, asked.text
    assert_is(WhatIfAccepted, asked.content)
    url = asked.json()["status_url"]
    waiting = lead.get(url).json()["data"]
    assert (waiting["state"], waiting["result"]) == ("queued", None)
    assert waiting["asked_by"].startswith("Lea")

    busy = lead.post(PATH, json={"changes": {"risk_threshold": 0.3}})
    assert problem(busy, 503).detail.startswith("One what-if is answered at a time")
    assert busy.headers["retry-after"] == "15"

    transform = office.database.as_role(DatabaseRole.TRANSFORM)
    waits = questions.waiting(transform)
    assert waits is not None
    assert waits.state == "queued"
    assert questions.answer(office.settings, transform) is not None
    assert questions.waiting(transform) is None
    answered = lead.get(url)
    assert_is(WhatIfResponse, answered.content)
    data = answered.json()["data"]
    assert (data["state"], data["progress"]) == ("done", 1)
    result = data["result"]
    assert result["changed"] == {"risk_threshold": {"from": 0.15, "to": 0.03}}
    assert result["today"]["raised_then"] > result["today"]["raised_now"]
    raised = [change for change in result["today"]["changes"] if change["change"] == "raised"]
    assert {change["concern"] for change in raised} >= {"unreliable"}
    with office.database.connect() as connection:
        names = dict(connection.execute("select tutor_id::text, name from marts.dim_tutors").fetchall())
    assert all(change["name"] == names[change["tutor_id"]] for change in raised)
    assert len(result["history"]["present"]["weeks"]) == 6
    assert result["history"]["changed"]["raised_on_average"] > result["history"]["present"]["raised_on_average"]

    listed = lead.get(PATH)
    assert_is(WhatIfList, listed.content)
    assert [each["what_if_id"] for each in listed.json()["data"]] == [asked.json()["what_if_id"]]
    # Nothing was changed by looking.
    assert setting(lead.get(SETTINGS), "risk_threshold")["value"] == 0.15


def test_questions_that_are_none(admin: httpx2.Client, lead: httpx2.Client) -> None:
    for body, field in (
        ({"changes": {"risk_threshold": 0.15}}, "changes"),
        ({"changes": {}}, "changes"),
        ({"changes": {"watch_probability": 0.9}}, "changes"),
        ({"changes": {"risk_threshold": 0.9}}, "changes.risk_threshold"),
        ({"changes": {"broad_share": 0.9}}, "changes.broad_share"),
        ({"changes": {"risk_threshold": 0.2}, "weeks": 53}, "weeks"),
    ):
        errors = problem(lead.post(PATH, json=body), 400).errors or []
        assert [error.field for error in errors] == [field], body
    problem(lead.get(f"{PATH}/00000000-0000-4000-8000-000000000000"), 404)


def test_a_question_that_nobody_answers_is_given_up(office: Served, admin: httpx2.Client) -> None:
    first = admin.post(PATH, json={"changes": {"risk_threshold": 0.2}}).json()["status_url"]
    with office.database.connect() as connection:
        connection.execute("update app.what_ifs set touched_at = now() - interval '16 minutes'")
    assert admin.post(PATH, json={"changes": {"risk_threshold": 0.2}}).status_code == 202
    given_up = admin.get(first).json()["data"]
    assert (given_up["state"], given_up["error"]) == ("failed", "no answer came in time; is Dagster running?")
    with office.database.connect() as connection:
        connection.execute("update app.what_ifs set state = 'running' where state = 'queued'")
    transform = office.database.as_role(DatabaseRole.TRANSFORM)
    waits = questions.waiting(transform)
    assert waits is not None
    questions.give_up(transform, waits)
    assert admin.get(PATH).json()["data"][0]["state"] == "failed"


def test_a_question_that_cannot_be_answered_says_why(office: Served, admin: httpx2.Client) -> None:
    url = admin.post(PATH, json={"changes": {"risk_threshold": 0.2}}).json()["status_url"]
    # Between the question and the answer, the same is applied.
    assert admin.patch(SETTINGS, json={"changes": {"risk_threshold": 0.2}}).status_code == 200
    assert questions.answer(office.settings, office.database.as_role(DatabaseRole.TRANSFORM)) is not None
    data = admin.get(url).json()["data"]
    assert (data["state"], data["error"]) == ("failed", "these are the settings in force")


def test_a_question_with_other_vars_of_dbt_is_not_answered(office: Served, admin: httpx2.Client) -> None:
    """Whoever may write the table cannot have SQL of theirs run with the rights of dbt."""
    url = admin.post(PATH, json={"changes": {"risk_threshold": 0.2}}).json()["status_url"]
    with office.database.connect() as connection:
        connection.execute("""update app.what_ifs set settings = settings || '{"models_version": "x"}'""")
    assert questions.answer(office.settings, office.database.as_role(DatabaseRole.TRANSFORM)) is not None
    data = admin.get(url).json()["data"]
    assert data["state"] == "failed"
    assert data["error"].startswith("this version does not know these settings")


def test_a_row_of_another_version_hinders_nobody(office: Served, admin: httpx2.Client) -> None:
    with office.database.connect() as connection:
        connection.execute(
            "insert into app.scoring_settings (settings, applied_by) values "
            """('{"of_a_later_version": 1, "evidence_cap": null, "risk_threshold": 0.2}', 'somebody')"""
        )
    assert setting(admin.get(SETTINGS), "risk_threshold")["value"] == 0.2
    assert admin.post(PATH, json={"changes": {"evidence_cap": 80}}).status_code == 202
    applied = admin.patch(SETTINGS, json={"changes": {"evidence_cap": 80}})
    assert setting(applied, "evidence_cap")["value"] == 80
    assert applied.json()["data"]["history"][0]["settings"] == {"risk_threshold": 0.2, "evidence_cap": 80}


def test_only_admins_apply_and_the_audit_log_says_what(
    office: Served, admin: httpx2.Client, lead: httpx2.Client
) -> None:
    before = setting(lead.get(SETTINGS), "risk_threshold")
    assert (before["configured"], before["value"], before["published"]) == (0.15, 0.15, 0.15)
    assert lead.get(SETTINGS).json()["data"]["is_published"] is True
    body = {"changes": {"risk_threshold": 0.18, "reliability_counts": ["no_shows", "reschedules"]}, "note": "agreed"}
    problem(lead.patch(SETTINGS, json=body), 403)
    problem(lead.delete(SETTINGS), 403)

    applied = admin.patch(SETTINGS, json=body)
    after = setting(applied, "risk_threshold")
    assert (after["configured"], after["value"], after["published"]) == (0.15, 0.18, 0.15)
    data = applied.json()["data"]
    assert data["is_published"] is False
    assert data["history"][0]["note"] == "agreed"
    assert data["history"][0]["settings"]["reliability_counts"] == ["reschedules", "no_shows"]
    errors = problem(admin.patch(SETTINGS, json={"changes": {"watch_probability": 0.9}}), 400).errors or []
    assert errors[0].message == "watch_probability must not be above high_risk_probability"

    reverted = admin.delete(SETTINGS)
    assert setting(reverted, "risk_threshold")["value"] == 0.15
    assert len(reverted.json()["data"]["history"]) == 2
    with office.database.connect() as connection:
        entries = audit.find(connection, actions=[audit.Action.SCORING_APPLY], limit=2)
    assert entries[0].details["risk_threshold"] == {"from": 0.18, "to": 0.15}
    assert entries[1].details == {
        "risk_threshold": {"from": 0.15, "to": 0.18},
        "reliability_counts": {
            "from": ["reschedules", "cancellations", "no_shows"],
            "to": ["reschedules", "no_shows"],
        },
        "note": "agreed",
    }


def test_without_scores_there_is_nothing_to_compare(unpublished: Served) -> None:
    with logged_in(unpublished, Role.LEAD, "Lea") as client:
        client.headers.update(OURS)
        problem(client.post(PATH, json={"changes": {"risk_threshold": 0.2}}), 503)
        assert client.get(SETTINGS).json()["data"]["is_published"] is False
