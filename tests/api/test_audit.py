"""Reading the audit log, and what the API writes to it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from core import audit
from core.audit import Action, Entry
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.test_auth import new_key
from tests.api.test_auth_sessions import OURS, PATH, logged_in
from tests.api.test_problems import problem
from tests.conftest import Postgres


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("audit")
    database = postgres.new_database(home)
    with served(database, home) as platform:
        with database.connect() as connection:
            for number in range(5):
                audit.record(
                    connection,
                    Entry(
                        f"Ann (browser session {number})", Action.EXCUSE_ADD, "session", f"s-{number}", {"reason": "x"}
                    ),
                )
            audit.record(connection, Entry("100%_robot", Action.STUDENT_ADD, "student", "p-1"))
        yield platform


@pytest.fixture
def admin(platform: Served) -> Iterator[httpx2.Client]:
    with platform.client(platform.key) as client:
        yield client


def found(client: httpx2.Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/api/audit?{query}")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def test_the_newest_come_first_on_pages_without_gaps(admin: httpx2.Client) -> None:
    query = "action=excuse.add"
    assert [row["subject_id"] for row in found(admin, query)] == ["s-4", "s-3", "s-2", "s-1", "s-0"]
    assert [row["subject_id"] for row in found(admin, f"{query}&limit=2&offset=2")] == ["s-2", "s-1"]
    meta = admin.get(f"/api/audit?{query}&limit=2&offset=2").json()["meta"]
    assert meta.pop("next_cursor")
    assert meta == {"total": 5, "limit": 2, "offset": 2}
    row = found(admin, query)[0]
    assert (row["actor"], row["subject_kind"], row["details"]) == (
        "Ann (browser session 4)",
        "session",
        {"reason": "x"},
    )


def test_filters(admin: httpx2.Client) -> None:
    assert {row["actor"] for row in found(admin, "actor=ANN%20(browser")} == {
        f"Ann (browser session {n})" for n in range(5)
    }
    assert [row["actor"] for row in found(admin, "actor=100%25_")] == ["100%_robot"]
    assert found(admin, "actor=%25%25") == []
    assert {row["action"] for row in found(admin, "action=excuse.add&action=student.add")} == {
        "excuse.add",
        "student.add",
    }
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert found(admin, f"since={later}") == []
    assert len(found(admin, f"until={later}&actor=ann")) == 5
    assert found(admin, "until=2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "query",
    ["actor=", "actor=%20", "action=x", "since=yesterday", "since=1769853600", "limit=0", "limit=501", "page=2"],
)
def test_filters_that_make_no_sense(admin: httpx2.Client, query: str) -> None:
    problem(admin.get(f"/api/audit?{query}"), 400)


@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.READ, 403), (Role.INGEST, 403)])
def test_it_is_for_admins(platform: Served, role: Role | None, status: int) -> None:
    key = new_key(platform, f"audit-{role}", role) if role else None
    with platform.client(key) as client:
        problem(client.get("/api/audit"), status)


def test_nothing_changed_is_a_304(admin: httpx2.Client) -> None:
    tag = admin.get("/api/audit?actor=ann").headers["etag"]
    assert admin.get("/api/audit?actor=ann", headers={"If-None-Match": tag}).status_code == 304


def test_an_export_is_noted(platform: Served, admin: httpx2.Client) -> None:
    with logged_in(platform, Role.READ, name="Exporter") as client:
        note = {"what": "tutors", "rows": 80}
        problem(client.post("/api/audit/exports", json=note), 403)
        assert client.post("/api/audit/exports", json=note, headers=OURS).status_code == 204
        problem(client.post("/api/audit/exports", json={**note, "what": "secrets"}, headers=OURS), 400)
        problem(client.post("/api/audit/exports", json={**note, "rows": -1}, headers=OURS), 400)
    (row,) = found(admin, "action=export")
    assert row["actor"].startswith("Exporter (person ")
    assert (row["subject_id"], row["details"]) == ("tutors", {"rows": 80})


def test_log_out_has_the_browser_forget(platform: Served) -> None:
    with logged_in(platform) as client:
        answer = client.delete(PATH, headers=OURS)
    assert answer.headers["clear-site-data"] == '"cache"'


def test_a_log_in_says_how_and_from_where(platform: Served, admin: httpx2.Client) -> None:
    with platform.client(None) as client:
        assert client.post(PATH, json={"api_key": new_key(platform, "by-key", Role.READ)}).status_code == 201
    (row,) = found(admin, "action=log_in&actor=by-key")
    assert row["details"] == {"role": "read", "by": "key", "address": "127.0.0.1"}


def test_an_entry_says_from_which_address(platform: Served, admin: httpx2.Client) -> None:
    noted = admin.post(
        "/api/audit/exports", json={"what": "tutors", "rows": 3}, headers={"X-Forwarded-For": "192.0.2.9"}
    )
    assert noted.status_code == 204
    entry, *_ = found(admin, "action=export")
    assert entry["address"] == "127.0.0.1"
    with platform.database.connect() as connection:
        audit.verify(connection)
