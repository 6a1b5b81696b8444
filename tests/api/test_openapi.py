"""The description of the API is committed, complete, and true."""

import base64
import hashlib
import json
import re
from typing import Any

import httpx2
from pydantic import BaseModel

from api import openapi
from api.attrition.schemas import TutorAttritionResponse
from api.comparison.schemas import ComparisonResponse
from api.health.schemas import Health
from api.overview.schemas import OverviewResponse
from api.platform.schemas import PlatformResponse
from api.todays_sessions.schemas import TodaysSessionsResponse
from api.tutors.schemas import (
    SORTABLE,
    TutorExplanationResponse,
    TutorHistoryResponse,
    TutorList,
    TutorResponse,
)
from tests.api.conftest import Served
from tests.marts import TUTORS

OPERATIONS = {
    "get_scoring_settings",
    "patch_scoring_settings",
    "delete_scoring_settings",
    "list_what_ifs",
    "list_erasures",
    "get_person_data",
    "delete_person_data",
    "post_person_allowed",
    "post_what_if",
    "get_what_if",
    "get_health",
    "get_readiness",
    "get_liveness",
    "list_tutors",
    "get_tutor",
    "get_tutor_history",
    "get_tutor_explanation",
    "get_tutor_comparison",
    "get_tutor_attrition",
    "get_platform",
    "get_todays_sessions",
    "get_overview",
    "post_session",
    "post_session_batch",
    "list_cases",
    "post_case",
    "get_case_effect",
    "list_case_owners",
    "post_case_assignments",
    "get_case",
    "patch_case",
    "list_case_events",
    "post_case_note",
    "post_case_contact",
    "post_case_contact_withdrawal",
    "post_case_stand_in",
    "get_case_outcomes",
    "get_case_preparation",
    "get_case_invitation",
    "get_session",
    "delete_session",
    "list_quarantine",
    "delete_quarantine_rows",
    "delete_quarantine_row",
    "post_tutor",
    "post_tutor_batch",
    "get_tutor_profile",
    "patch_tutor",
    "list_students",
    "post_student",
    "post_student_batch",
    "get_student",
    "patch_student",
    "post_reschedule_excuse",
    "delete_reschedule_excuse",
    "post_excuse",
    "delete_excuse",
    "get_excuse",
    "post_day_excuse",
    "delete_day_excuse",
    "list_appeals",
    "post_appeal",
    "get_appeal",
    "post_appeal_decision",
    "post_appeal_decision_preview",
    "post_appeal_withdrawal",
    "post_page_link",
    "delete_page_links",
    "post_unsubscribe",
    "get_unsubscribe",
    "get_funnel",
    "post_auth_session",
    "get_auth_session",
    "delete_auth_session",
    "post_log_in_link",
    "get_log_in_methods",
    "list_auth_sessions",
    "delete_auth_sessions",
    "delete_listed_session",
    "list_reports",
    "list_report_kinds",
    "get_report_preview",
    "get_report_preview_html",
    "post_report_test",
    "get_weekly_report",
    "get_report",
    "get_report_html",
    "post_sendgrid_events",
    "post_connector_event",
    "list_match_students",
    "post_match_student",
    "get_match_student",
    "patch_match_student",
    "list_matches_of_student",
    "list_match_tutors",
    "get_match_tutor",
    "patch_match_tutor",
    "list_matches_of_tutor",
    "get_prediction",
    "list_audit_entries",
    "post_export",
    "post_generation",
    "generation_status",
    "post_assignment",
    "post_assignment_acceptance",
    "post_offer_acceptance",
    "post_offers",
    "list_upcoming_sessions",
    "list_stand_ins",
    "get_calibration",
    "get_fairness",
    "stream_events",
    "get_my_notifications",
    "put_my_notifications",
    "post_my_notifications_test",
    "list_webhook_endpoints",
    "post_webhook_endpoint",
    "get_webhook_endpoint",
    "patch_webhook_endpoint",
    "delete_webhook_endpoint",
    "post_webhook_secret",
    "post_webhook_test",
    "list_webhook_deliveries",
    "get_webhook_delivery",
    "post_webhook_replay",
}
WITHOUT_KEY = {"get_health", "get_readiness", "get_liveness",
               "post_unsubscribe", "get_unsubscribe", "post_auth_session", "delete_auth_session",
               "post_log_in_link", "get_log_in_methods", "post_sendgrid_events", "post_connector_event"}  # fmt: skip
WITHOUT_JSON = {
    "post_person_allowed",
    "post_case_note",
    "delete_session",
    "delete_quarantine_row",
    "delete_reschedule_excuse",
    "post_case_stand_in",
    "delete_excuse",
    "delete_day_excuse",
    "post_appeal_withdrawal",
    "delete_page_links",
    "post_export",
    "post_unsubscribe",
    "get_unsubscribe",
    "delete_auth_session",
    "post_log_in_link",
    "delete_auth_sessions",
    "delete_listed_session",
    "get_report_html",
    "get_report_preview_html",
    "get_case_invitation",
    "stream_events",
    "delete_webhook_endpoint",
}
FOR_PROGRAMS = {"post_session", "post_session_batch"}
# What changes beside the publication is not cached.
UNCACHED = {
    "get_auth_session", "list_auth_sessions", "get_excuse", "get_report_html", "get_report_preview_html",
    "get_case_invitation", "stream_events", "list_erasures", "get_person_data",
}  # fmt: skip


def paths_of(client: httpx2.Client) -> list[str]:
    """All that are described."""
    return list(client.get("/api/openapi.json").json()["paths"])


def keys_of(value: Any) -> Any:
    """The shape of a JSON value: its keys, all the way down."""
    if isinstance(value, dict):
        return {key: keys_of(inner) for key, inner in value.items()}
    return [keys_of(inner) for inner in value] if isinstance(value, list) else None


def assert_is(model: type[BaseModel], body: bytes) -> None:
    """The body has the model's types, and exactly its fields."""
    parsed = model.model_validate_json(body)
    assert keys_of(json.loads(body)) == keys_of(json.loads(parsed.model_dump_json()))


def test_the_served_description_is_the_committed_one(client: httpx2.Client) -> None:
    assert client.get("/api/openapi.json").json() == json.loads(openapi.PATH.read_text())


def test_conditional_requests_are_described(client: httpx2.Client) -> None:
    description = client.get("/api/openapi.json").json()
    conditional = {
        operation["operationId"]: operation
        for path in description["paths"].values()
        for operation in path.values()
        if "304" in operation["responses"]
    }
    assert {"list_tutors", "get_overview", "list_cases"} <= conditional.keys()
    for name, operation in conditional.items():
        assert [each["in"] for each in operation["parameters"] if each["name"] == "If-None-Match"] == ["header"], name
        assert all("ETag" in operation["responses"][status]["headers"] for status in ("200", "304")), name


def security_of(operation: str) -> list[dict[str, list[str]]]:
    """A key, a token or the cookie of a browser, except where only one of them makes sense."""
    key: dict[str, list[str]] = {"ApiKey": []}
    token: dict[str, list[str]] = {"ProviderToken": []}
    cookie: dict[str, list[str]] = {"BrowserSession": []}
    if operation in FOR_PROGRAMS:
        return [key]
    return [cookie] if operation == "get_auth_session" else [key, token, cookie]


def test_every_operation_documents_its_answers() -> None:
    schema = json.loads(openapi.PATH.read_text())
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert {operation["operationId"] for operation in operations} == OPERATIONS
    for operation in operations:
        assert operation["description"]
        [good, *_] = sorted(operation["responses"])
        if operation["operationId"] not in WITHOUT_JSON:
            assert operation["responses"][good]["content"]["application/json"]["schema"]["$ref"]
        assert "HTTPValidationError" not in json.dumps(operation)
        if operation["operationId"] in WITHOUT_KEY:
            assert "security" not in operation
        else:
            assert operation["security"] == security_of(operation["operationId"])
            assert {"400", "401", "403", "503"} <= operation["responses"].keys()
            is_read = operation["operationId"].startswith(("get_", "list_"))
            assert ("304" in operation["responses"]) == (is_read and operation["operationId"] not in UNCACHED)
            assert list(operation["responses"]["401"]["content"]) == ["application/problem+json"]
    sort_by = next(p for p in schema["paths"]["/api/tutors"]["get"]["parameters"] if p["name"] == "sort_by")
    assert sort_by["schema"]["enum"] == list(SORTABLE)


def test_what_is_referred_to_is_there() -> None:
    text = openapi.PATH.read_text()
    schemas = json.loads(text)["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) == set(schemas)
    assert "$defs" not in text


def test_bodies_that_are_posted_are_described() -> None:
    paths = json.loads(openapi.PATH.read_text())["paths"]
    batch = paths["/api/sessions/batch"]["post"]["requestBody"]["content"]
    assert batch["application/json"]["schema"]["items"] == batch["application/x-ndjson"]["schema"]
    for path in ("/api/sessions", "/api/sessions/batch"):
        told = [(parameter["name"], parameter["in"]) for parameter in paths[path]["post"]["parameters"]]
        assert told == [("override", "query"), ("Idempotency-Key", "header")]


def test_bodies_are_what_the_description_says(client: httpx2.Client) -> None:
    listed = client.get("/api/tutors?limit=500")
    assert_is(TutorList, listed.content)
    assert_is(OverviewResponse, client.get("/api/overview").content)
    assert_is(PlatformResponse, client.get("/api/platform").content)
    assert_is(TodaysSessionsResponse, client.get("/api/sessions/today").content)
    assert_is(Health, client.get("/api/health").content)
    rows = listed.json()["data"]
    assert len(rows) == TUTORS
    for row in rows:
        base = f"/api/tutors/{row['tutor_id']}"
        assert_is(TutorResponse, client.get(base).content)
        assert_is(TutorHistoryResponse, client.get(f"{base}/history?days=400").content)
        assert_is(TutorExplanationResponse, client.get(f"{base}/explanation").content)
        assert_is(ComparisonResponse, client.get(f"{base}/comparison").content)
        assert_is(TutorAttritionResponse, client.get(f"{base}/attrition").content)


def test_the_reference_page_tells_all_and_needs_nobody_else(published: Served) -> None:
    page = httpx2.get(f"{published.base_url}/api/docs")
    schema = json.loads(openapi.PATH.read_text())
    for operation in OPERATIONS:
        assert f'id="{operation}"' in page.text
    links, targets = set(re.findall(r'href="#([^"]+)"', page.text)), set(re.findall(r' id="([^"]+)"', page.text))
    assert links <= targets
    assert {f"schema-{name}" for name in schema["components"]["schemas"]} <= targets
    assert "<script" not in page.text
    assert not re.search(r'(src|href)="(https?:)?//', page.text)
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in page.headers["content-security-policy"]
