"""Whatever may and may not be sent to each operation: no server error, and no answer that is not described.

`SCHEMATHESIS_EXAMPLES=500` makes up that many requests per operation, others each time, beside all that the description
leads to; by default both are few, and always the same. schemathesis is imported when the tests run: it takes seconds,
and every collection would wait for it.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import itertools
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api import openapi
from api.auth import COOKIE
from api.bodies import NDJSON
from api.webhook_endpoints import commands as webhook_commands
from api.webhooks.signatures import SIGNATURE_HEADER, TIMESTAMP_HEADER
from core import keys
from core.erased import erased_ids
from core.roles import KEY_ROLES, Role
from ingest.ids import entity_uuid
from tests.api import test_webhooks
from tests.api.conftest import Served, served
from tests.api.matching import scramble
from tests.api.test_auth_sessions import OURS, logged_in
from tests.api.test_matching_generation import dagster_server
from tests.api.test_openapi import OPERATIONS
from tests.api.test_people import at_browser
from tests.conftest import Postgres

if TYPE_CHECKING:
    import httpx2
    from requests import PreparedRequest
    from schemathesis import Case, HookContext, SerializationContext
    from schemathesis.schemas import BaseSchema

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "0"))
FEW, SEED = 3, 6
CONFIG = Path(__file__).parent / "schemathesis.toml"


INGEST = {
    "post_session", "post_session_batch", "post_match_student", "post_offers", "post_offer_acceptance",
    "post_assignment_acceptance",
}  # fmt: skip
READ = {"post_assignment", "post_export"}
ADMIN = {
    "list_audit_entries", "list_quarantine", "list_students", "get_student", "list_webhook_endpoints",
    "get_webhook_endpoint", "list_webhook_deliveries", "get_webhook_delivery", "get_scoring_settings", "list_what_ifs",
    "get_what_if", "get_fairness", "list_erasures", "get_person_data",
}  # fmt: skip
# A key is nobody who could be told, or who could decide.
PERSON = {
    "get_my_notifications", "put_my_notifications", "post_my_notifications_test", "post_report_test",
    "post_appeal_decision", "post_appeal_decision_preview",
}  # fmt: skip
ADDRESSES = itertools.count()
SOMEWHERE = "203.0.113.7"
BOOKING_KEY = "of-a-booking-tool"
# Statuses by operation.
answers: dict[str, set[int]] = defaultdict(set)


@pytest.fixture(scope="module")
def schema() -> BaseSchema:
    import schemathesis
    from hypothesis.strategies import datetimes, just
    from schemathesis.config import SchemathesisConfig

    # Of the years that landing files may be of (1970 to 2100), without those that hours_before_session may lead out of,
    # and without those to come, of which no version may be.
    years = datetimes(datetime(1981, 1, 1), datetime(2025, 12, 31), timezones=just(UTC))
    schemathesis.openapi.format("date-time", years.map(datetime.isoformat))

    @schemathesis.serializer(NDJSON)
    def one_line(_: SerializationContext, value: Any) -> bytes:
        return json.dumps(value).encode()

    @schemathesis.hook
    def before_call(_context: HookContext, case: Case, _kwargs: dict[str, Any]) -> None:
        """No schema can say that a lesson ends when it began or later."""
        body = case.body
        if case.operation.definition.raw["operationId"] == "post_session" and isinstance(body, dict):
            begins, ends = body.get("started_at"), body.get("completed_time")
            if isinstance(begins, str) and isinstance(ends, str) and begins > ends:
                body |= {"started_at": ends, "completed_time": begins}

    config = SchemathesisConfig.from_path(CONFIG)
    config.projects.default.generation.update(max_examples=EXAMPLES or FEW, deterministic=not EXAMPLES)
    config.update(seed=None if EXAMPLES else SEED, max_failures=None)
    return schemathesis.openapi.from_path(openapi.PATH, config=config)


def signed_as_sendgrid_does(request: PreparedRequest) -> PreparedRequest:
    """Unless a header is left out on purpose."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    if {SIGNATURE_HEADER, TIMESTAMP_HEADER} <= request.headers.keys():
        body = request.body or b""
        timestamp = str(int(time.time())).encode()
        signed = timestamp + (body.encode() if isinstance(body, str) else body)
        signature = test_webhooks.PRIVATE.sign(signed, ec.ECDSA(hashes.SHA256()))
        request.headers[SIGNATURE_HEADER] = base64.b64encode(signature).decode()
        request.headers[TIMESTAMP_HEADER] = timestamp.decode()
    return request


class Client:
    """What a request needs beside what is made up: the address, and a key that may do just this."""

    def __init__(self, served: Served, schema: BaseSchema, log_ins: list[int]) -> None:
        self.base_url = served.base_url
        self._served = served
        self._browsers: dict[str, str] = {}
        with served.database.connect() as connection:
            self.keys = {role: str(keys.create(connection, role, role).secret) for role in KEY_ROLES}
            # Of the other key, which ends none of them when it ends its own.
            connection.cursor().executemany(
                "insert into app.browser_sessions (browser_session_id, token_hash, api_key_id, opened_by) "
                "overriding system value select %s, %s, key_id, 'key' from app.api_keys where role = 'read'",
                [(number, str(number).encode()) for number in log_ins],
            )
        with served.client(None) as client:
            log_in = client.post("/api/auth/session", json={"api_key": self.keys[Role.READ]})
        schema["/api/auth/session"]["POST"].validate_response(log_in)
        answers["post_auth_session"].add(log_in.status_code)
        self._cookie = log_in.cookies[COOKIE]

    def arguments(self, case: Case) -> dict[str, Any]:
        """Of `Case.call`."""
        name = case.operation.definition.raw["operationId"]
        reads = (case.method == "GET" and name not in ADMIN) or name in READ
        role = Role.INGEST if name in INGEST else Role.READ if reads else Role.ADMIN
        # Another client each time, for the limit of log-ins.
        headers = {"X-Forwarded-For": str(ipaddress.IPv4Address(next(ADDRESSES)))}
        if name == "get_auth_session":
            return {"base_url": self.base_url, "headers": headers, "cookies": {COOKIE: self._cookie}}
        if name in PERSON:
            return {"base_url": self.base_url, "headers": {**headers, **OURS}, "cookies": {COOKIE: self._browser(name)}}
        if name == "post_sendgrid_events":
            return {"base_url": self.base_url, "headers": headers, "auth": signed_as_sendgrid_does}
        return {"base_url": self.base_url, "headers": {**headers, "X-API-Key": self.keys[role]}}

    def _browser(self, operation: str) -> str:
        """A person's cookie, another one for each operation: some of them end what others have opened."""
        if operation not in self._browsers:
            with logged_in(self._served) as browser:
                self._browsers[operation] = browser.cookies[COOKIE]
        return self._browsers[operation]


@pytest.fixture(scope="module")
def names_lead_somewhere() -> Iterator[None]:
    """Of webhooks, at once: asking for names that are made up takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhook_commands, "resolve", lambda host, port, *, allow_private: [SOMEWHERE])
        patch.setenv("TUTORQ_CONNECTOR_CAL_WEBHOOK_KEY", BOOKING_KEY)
        yield


@pytest.fixture(scope="module")
def api(
    schema: BaseSchema,
    postgres: Postgres,
    people: str,
    names_lead_somewhere: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    """All of the API, with something to be found at every address."""
    known = {name: [entry.value for entry in one.entries] for name, one in schema.config.dictionaries.items()}
    home = tmp_path_factory.mktemp("api")
    database = postgres.new_database(home, people)
    with database.connect() as connection:
        connection.cursor().executemany(
            "insert into app.email_reports (report_id, unsubscribe_token, kind, unique_key, topic, recipient, subject, "
            "payload, state, body_html) "
            "values (%s, %s, 'daily_digest', %s, 'digest', 'Ann@Example.org', 'Digest', '{}', 'sent', '<p>')",
            [(report, report, report) for report in known["reports"]],
        )
        connection.cursor().executemany(
            "insert into app.webhook_endpoints (endpoint_id, host, sealed_url, kinds, sealed_secret, created_by) "
            "values (%s, 'example.org', 'sealed', '{case.changed}', 'sealed', 'test')",
            [(endpoint,) for endpoint in known["webhooks"] + known["spare_webhooks"]],
        )
        connection.cursor().executemany(
            "insert into app.email_reports (report_id, channel, kind, topic, unique_key, recipient, subject, payload, "
            "endpoint_id, state) values (%s, 'webhook', 'webhook.test', 'event:' || %s::text, "
            "'webhook:' || %s::text || ':' || %s::text, 'example.org', 'webhook.test', '{}', %s::uuid, 'sent')",
            [(each, each, each, endpoint, endpoint) for endpoint in known["webhooks"] for each in known["deliveries"]],
        )
        connection.cursor().executemany(
            "insert into app.what_ifs (what_if_id, settings, weeks, asked_by, state, error) "
            "values (%s, '{}', 26, 'test', 'failed', 'nobody answered')",
            [(each,) for each in known["what_ifs"]],
        )
    scramble(database)
    (home / "connectors.yml").write_text("cal: {kind: calcom, since: 2026-01-01}\n")
    changes = {
        "erasure_key": "of these tests",
        "sendgrid_webhook_key": test_webhooks.public(test_webhooks.PRIVATE),
        "ingest_rate_per_second": 1_000_000,
        "daemon_silent_seconds": 86_400,
        "unprocessed_minutes": 1_440,
        "trusted_proxies": ["127.0.0.1"],
    }
    with dagster_server() as dagster, served(database, home, dagster_url=dagster.url, **changes) as running:
        [day] = known["days"]
        # One of each tutor on the known day, and those that are known by name on another one.
        moved = [
            {
                "session_id": name, "tutor_id": tutor, "student_id": "S-1", "scheduled_time": f"{on}T10:00:00Z",
                "status": "rescheduled", "reschedule_info": {"initiator": "tutor"},
            }
            for name, tutor, on in [
                *((name, "T-1", "2026-01-06") for name in known["sessions"]),
                *((f"of {tutor}", tutor, day) for tutor in known["tutors"]),
            ]
        ]  # fmt: skip
        planned = [
            {"session_id": name, "tutor_id": "T-1", "student_id": "S-1", "scheduled_time": f"{day}T10:00:00Z",
             "status": "scheduled"}
            for name, day in zip(known["planned"], ("2026-02-10", "2026-02-11"), strict=True)
        ]  # fmt: skip
        deleted = [
            {"session_id": name, "tutor_id": "T-1", "student_id": "S-1", "scheduled_time": f"{day}T10:00:00Z",
             "status": "completed"}
            for name in known["deletable"]
        ]  # fmt: skip
        missed = [
            {"session_id": name, "tutor_id": "T-1", "student_id": "S-1", "scheduled_time": f"{day}T10:00:00Z",
             "status": "no_show", "initiator": "tutor"}
            for name in known["appealed"]
        ]  # fmt: skip
        refused = [{"session_id": name} for name in known["sessions"]]
        excused = [
            *(f"/api/sessions/{name}/excuse" for name in known["sessions"][:2]),
            *(f"/api/tutors/{tutor}/days/{day}/excuse" for tutor in known["tutors"]),
        ]
        with running.client(running.key) as client:
            assert client.post("/api/sessions/batch", json=moved).json()["queued"] == len(moved)
            assert client.post("/api/sessions/batch", json=planned).json()["queued"] == len(planned)
            assert client.post("/api/sessions/batch", json=deleted).json()["queued"] == len(deleted)
            assert client.post("/api/sessions/batch", json=missed).json()["queued"] == len(missed)
            assert client.post("/api/sessions/batch", json=refused).json()["rejected"] == len(refused)
            given = client.post(excused[0], json={"reason": "ill"})
            schema["/api/sessions/{session_id}/excuse"]["POST"].validate_response(given)
            answers["post_excuse"].add(given.status_code)
            for path in excused[1:]:
                assert client.post(path, json={"reason": "ill"}).status_code == 201, path
            # Below, it may have been deleted before.
            found = client.get(excused[0])
            schema["/api/sessions/{session_id}/excuse"]["GET"].validate_response(found)
            answers["get_excuse"].add(found.status_code)
            change_a_case(client, schema, known["planned"][0])
            send_and_decide_appeals(running, client, schema, known["appealed"])
            send_a_test_to_a_chat(running, schema)
            offer_and_accept(client, schema)
            let_somebody_in_again(running, client, schema)
            tell_of_a_booking(client, schema)
        yield Client(running, schema, known["log_ins"])


def change_a_case(client: httpx2.Client, schema: BaseSchema, planned: str) -> None:
    """One of the planned session's tutor: what is made up below names no contact and no such session, and seldom the
    version that the case has by then."""
    client.post("/api/cases", json={"tutor_id": "T-1"})
    (case,) = client.get("/api/cases", params={"tutor_id": "T-1"}).json()["data"]
    path, template = f"/api/cases/{case['case_id']}", "/api/cases/{case_id}"
    asked = {"session_id": planned, "tutor_id": "T-2", "answer": "asked"}
    noted = client.post(f"{path}/stand-ins", json=asked)
    schema[f"{template}/stand-ins"]["POST"].validate_response(noted)
    answers["post_case_stand_in"].add(noted.status_code)
    contacted = client.post(f"{path}/contacts", json={"version": case["version"], "channel": "call"})
    schema[f"{template}/contacts"]["POST"].validate_response(contacted)
    answers["post_case_contact"].add(contacted.status_code)
    version = contacted.json()["data"]["version"]
    event_id = client.get(f"{path}/events").json()["data"][0]["event_id"]
    changed = client.patch(path, json={"version": version, "priority": "high"})
    schema[template]["PATCH"].validate_response(changed)
    answers["patch_case"].add(changed.status_code)
    version = changed.json()["data"]["version"]
    withdrawn = client.post(f"{path}/contacts/{event_id}/withdrawal", json={"version": version})
    schema[f"{template}/contacts/{{event_id}}/withdrawal"]["POST"].validate_response(withdrawn)
    answers["post_case_contact_withdrawal"].add(withdrawn.status_code)


def send_and_decide_appeals(running: Served, client: httpx2.Client, schema: BaseSchema, sessions: list[str]) -> None:
    """What is made up below names no session that counts against its tutor, and an appeal is decided only once."""
    template = "/api/appeals/{appeal_id}"
    appeals = []
    for session_id in sessions:
        body = {"tutor_id": "T-1", "session_ids": [session_id], "reason": "technical", "text": "The app was down."}
        sent = client.post("/api/appeals", json=body)
        schema["/api/appeals"]["POST"].validate_response(sent)
        answers["post_appeal"].add(sent.status_code)
        appeals.append(f"/api/appeals/{sent.json()['data']['appeal_id']}")
    withdrawn = client.post(f"{appeals[0]}/withdrawal")
    schema[f"{template}/withdrawal"]["POST"].validate_response(withdrawn)
    answers["post_appeal_withdrawal"].add(withdrawn.status_code)
    [about] = client.get(appeals[1]).json()["data"]["appealed"]
    excused = {"session_id": about["session_id"], "remedy": "excused"}
    decision = {"decision": "granted", "answer": "You are right.", "sessions": [excused]}
    with at_browser(running, Role.ADMIN, "Lea") as browser:
        for path in ("decision/preview", "decision"):
            told = browser.post(f"{appeals[1]}/{path}", json=decision)
            schema[f"{template}/{path}"]["POST"].validate_response(told)
            answers[f"post_appeal_{path.replace('/', '_')}"].add(told.status_code)


def tell_of_a_booking(client: httpx2.Client, schema: BaseSchema) -> None:
    """What is made up below is not signed."""
    body = b'{"triggerEvent": "PING", "payload": {}}'
    signature = hmac.new(BOOKING_KEY.encode(), body, "sha256").hexdigest()
    headers = {"X-Cal-Signature-256": signature, "Content-Type": "application/json"}
    told = client.post("/api/connectors/cal/webhook", content=body, headers=headers)
    schema["/api/connectors/{name}/webhook"]["POST"].validate_response(told)
    answers["post_connector_event"].add(told.status_code)


def offer_and_accept(client: httpx2.Client, schema: BaseSchema) -> None:
    """What is made up below names no slate, and seldom somebody who is there."""
    offered = client.post("/api/matching/students/S-12/offers", json={})
    schema["/api/matching/students/{student_id}/offers"]["POST"].validate_response(offered)
    answers["post_offers"].add(offered.status_code)
    slate = offered.json()
    chosen = slate["offers"][0]
    path = f"/api/matching/offers/{slate['slate_id']}/accept"
    accepted = client.post(path, json={"tutor_id": chosen["tutor_id"]})
    schema["/api/matching/offers/{slate_id}/accept"]["POST"].validate_response(accepted)
    answers["post_offer_acceptance"].add(accepted.status_code)
    pair = {"student_id": "S-1", "tutor_id": "T-8", "churn_probability": 0.2}
    plan = {"plan_id": slate["slate_id"], "model_version": "rules-v1", "pairs": [pair], "default_capacity": 9}
    assigned = client.post("/api/matching/assignments/accept", json=plan)
    schema["/api/matching/assignments/accept"]["POST"].validate_response(assigned)
    answers["post_assignment_acceptance"].add(assigned.status_code)


def let_somebody_in_again(running: Served, client: httpx2.Client, schema: BaseSchema) -> None:
    """Nobody is erased below."""
    erased = erased_ids(running.settings)
    student = erased.hash("student", entity_uuid("S-gone"))
    with running.database.connect() as connection:
        connection.cursor().executemany(
            "insert into raw.erased_ids (id_hash, kind, person_hash) values (%s, %s, %s)",
            [(erased.check, "key", erased.check), (student, "student", student)],
        )
    template = "/api/persons/{kind}/{person_id}/allow"
    allowed = client.post(template.format(kind="students", person_id="S-gone"))
    schema[template]["POST"].validate_response(allowed)
    answers["post_person_allowed"].add(allowed.status_code)


def send_a_test_to_a_chat(running: Served, schema: BaseSchema) -> None:
    """What is made up below is seldom the URL of a chat."""
    template = "/api/me/notifications"
    wanted = {"kinds": [], "told_by": "chat", "time_zone": "UTC", "chat_url": "ntfys://ntfy.example.org/topic"}
    with at_browser(running, Role.COACH, "Cora") as browser:
        assert browser.put(template, json=wanted).status_code == 200
        tested = browser.post(f"{template}/test")
        schema[f"{template}/test"]["POST"].validate_response(tested)
        answers["post_my_notifications_test"].add(tested.status_code)


def some_of(examples: list[Any]) -> list[Any]:
    """The first and the last of those that should succeed, and of those that should not: there are up to 1,000 of one
    operation, and 10,000 of all."""
    by_kind = defaultdict(list)
    for example in examples:
        by_kind[example.kwargs["case"].meta.generation.mode.is_positive].append(example)
    return [example for kind in by_kind.values() for example in (kind[0], *kind[1:][-1:])]


def test_every_answer_is_described(schema: BaseSchema, api: Client, subtests: pytest.Subtests) -> None:
    # What `schema.parametrize` does, which makes up some of the requests whenever tests are collected.
    from schemathesis.checks import load_all_checks
    from schemathesis.pytest.lazy import get_all_tests

    def is_described(case: Case) -> None:
        answer = case.call_and_validate(**api.arguments(case))
        answers[case.operation.definition.raw["operationId"]].add(answer.status_code)

    load_all_checks()
    for made in get_all_tests(schema=schema, test_func=is_described, settings=None, given_kwargs=None):
        operation, test = made.ok()
        if not EXAMPLES:
            test.hypothesis_explicit_examples = some_of(test.hypothesis_explicit_examples)
        with subtests.test(operation.label):
            test()


def test_answers_that_follow_from_others_are_described(api: Client, tmp_path: Path) -> None:
    """What one answer names is asked for next. Left to the command, which stands answers that change."""
    command = [
        *("schemathesis.cli", "--config-file", str(CONFIG), "run", str(openapi.PATH), "--url", api.base_url),
        *("--header", f"X-API-Key: {api.keys[Role.ADMIN]}", "--phases", "stateful", "--continue-on-failure"),
        # All from one address, which is refused after so many keys that do not work.
        *("--exclude-checks", "ignored_auth"),
        *("--max-examples", str(EXAMPLES or FEW), "--report-json-path", str(tmp_path / "report.json")),
        *([] if EXAMPLES else ["--generation-deterministic", "--seed", str(SEED)]),
    ]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert json.loads((tmp_path / "report.json").read_bytes())["test_cases"]["generated"] > FEW


def test_every_operation_has_succeeded() -> None:
    """Or little would have been tested above."""
    succeeded = {name for name, statuses in answers.items() if any(200 <= status < 300 for status in statuses)}
    assert succeeded ^ OPERATIONS == set()
