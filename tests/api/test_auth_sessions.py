"""Log-in at a browser: cookies instead of keys."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from threading import Barrier, Thread
from typing import Any

import httpx2
import pytest

from api.limits import FAILED_LOG_INS_AT_ONCE, MemoryBuckets, failed_log_in_limit
from api.problems import TooManyLogInsError
from core import keys, logins, people
from core.errors import TutorqError
from core.people import Person
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.test_problems import problem
from tests.conftest import Postgres

PATH = "/api/auth/session"
OURS = {"X-Requested-With": "tutorq"}


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API with no more rights than `tutorq_api` has."""
    home = tmp_path_factory.mktemp("auth")
    database = postgres.new_database(home)
    with served(database, home) as platform:
        yield platform


def execute(platform: Served, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with platform.database.connect() as connection:
        cursor = connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def person(platform: Served, role: Role = Role.ADMIN, name: str = "Ann") -> Person:
    """Known under this name, with this role."""
    email = f"{name.replace(' ', '.')}@example.org"
    with platform.database.connect() as connection:
        try:
            return people.change(connection, email, name=name, role=role)
        except TutorqError:
            return people.add(connection, email, name, role)


def token(platform: Served, role: Role = Role.ADMIN, name: str = "Ann") -> str:
    who = person(platform, role, name)
    with platform.database.connect() as connection:
        link = logins.create_link(connection, platform.settings, who)
    assert link.startswith(f"http://localhost:{platform.settings.api_port}/login#token=")
    return link.partition("#token=")[2]


def new_key(platform: Served, name: str, role: Role) -> str:
    with platform.database.connect() as connection:
        return keys.create(connection, name, role).secret or ""


@contextmanager
def logged_in(platform: Served, role: Role = Role.ADMIN, name: str = "Ann") -> Iterator[httpx2.Client]:
    with platform.client(None) as client:
        assert client.post(PATH, json={"token": token(platform, role, name)}).status_code == 201
        yield client


def test_a_link_logs_in_once(platform: Served) -> None:
    secret = token(platform)
    with platform.client(None) as client:
        problem(client.get(PATH), 401)
        answer = client.post(PATH, json={"token": secret})
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        assert (answer.json()["name"], answer.json()["role"]) == ("Ann", "admin")
        assert client.get(PATH).json() == answer.json()
    with platform.client(None) as other:
        problem(other.post(PATH, json={"token": secret}), 401)
        problem(other.get(PATH), 401)


def test_many_at_once_with_one_link_are_one(platform: Served) -> None:
    secret, together, statuses = token(platform), Barrier(6), []

    def log_in() -> None:
        with platform.client(None) as client:
            together.wait()
            statuses.append(client.post(PATH, json={"token": secret}).status_code)

    threads = [Thread(target=log_in) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [401] * 5


def test_an_old_link_is_refused(platform: Served) -> None:
    secret = token(platform)
    execute(platform, "update app.login_tokens set expires_at = now() where token_hash = %s", keys.digest(secret))
    with platform.client(None) as client:
        problem(client.post(PATH, json={"token": secret}), 401)


@pytest.mark.parametrize(("scheme", "is_secure"), [("http", False), ("https", True)])
def test_the_cookie_is_for_this_site_alone(platform: Served, scheme: str, is_secure: bool) -> None:
    with platform.client(None) as client:
        answer = client.post(PATH, json={"token": token(platform)}, headers={"X-Forwarded-Proto": scheme})
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("strict", "/api", "")
    assert bool(cookie["secure"]) is is_secure
    stored = execute(platform, "select string_agg(s::text, ' ') from app.browser_sessions as s")[0][0]
    assert cookie.value not in stored
    assert keys.digest(cookie.value).hex() in stored


def test_a_key_logs_in_and_its_end_is_the_end(platform: Served) -> None:
    with platform.client(None) as client:
        answer = client.post(PATH, json={"api_key": new_key(platform, "head-of-quality", Role.READ)})
        assert answer.status_code == 201
        assert (answer.json()["name"], answer.json()["role"]) == ("head-of-quality", "read")
        with platform.database.connect() as connection:
            keys.revoke(connection, "head-of-quality")
        problem(client.get(PATH), 401)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"token": "A" * 43}, 401),
        ({"api_key": f"tq_00000000_{'A' * 43}"}, 401),
        ({"api_key": "nonsense"}, 401),
        ({}, 400),
        ({"api_key": "x", "token": "y"}, 400),
        ({"token": "x", "role": "admin"}, 400),
        ({"token": 7}, 400),
    ],
)
def test_what_does_not_log_in(platform: Served, body: dict[str, Any], status: int) -> None:
    with served(platform.database, platform.settings.home) as fresh, fresh.client(None) as client:
        answer = client.post(PATH, json=body)
        problem(answer, status)
        assert "set-cookie" not in answer.headers
        assert "nonsense" not in answer.text


def test_a_key_that_only_posts_sessions_does_not_log_in(platform: Served) -> None:
    with platform.client(None) as client:
        problem(client.post(PATH, json={"api_key": new_key(platform, "robot", Role.INGEST)}), 403)
        problem(client.post(PATH, data={"token": token(platform)}), 415)


@pytest.mark.parametrize(
    ("column", "age", "status"),
    [
        ("last_seen_at", "11 hours 59 minutes", 200),
        ("last_seen_at", "12 hours 1 minute", 401),
        ("created_at", "6 days 23 hours", 200),
        ("created_at", "7 days 1 minute", 401),
    ],
)
def test_a_session_ends_when_unused_and_after_a_week(platform: Served, column: str, age: str, status: int) -> None:
    with logged_in(platform, name=f"{column} {age}") as client:
        execute(
            platform,
            f"update app.browser_sessions set {column} = now() - %s::interval where person_id = %s",
            age,
            client.get(PATH).json()["person_id"],
        )
        assert client.get(PATH).status_code == status


def test_use_keeps_a_session_alive(platform: Served) -> None:
    with logged_in(platform, name="keen") as client:
        execute(platform, "update app.browser_sessions set last_seen_at = now() - interval '11 hours'")
        client.get(PATH)
        query = """
            select now() - session.last_seen_at, now() - person.last_seen_at
            from app.browser_sessions as session inner join app.people as person using (person_id)
            where person.name = 'keen'
        """
        assert max(execute(platform, query)[0]).total_seconds() < 60


def test_log_out_ends_it_at_once_and_needs_our_page(platform: Served) -> None:
    with logged_in(platform) as client:
        cookie = {"Cookie": f"tutorq_session={client.cookies['tutorq_session']}"}
        problem(client.delete(PATH), 403)
        assert client.get(PATH).status_code == 200
        assert client.delete(PATH, headers=OURS).status_code == 204
        assert "tutorq_session" not in client.cookies
    with platform.client(None) as thief:
        problem(thief.get(PATH, headers=cookie), 401)
        assert thief.delete(PATH).status_code == 204


@pytest.fixture
def session_id(platform: Served) -> str:
    """A session that was rescheduled."""
    rows = execute(
        platform,
        "insert into raw.reschedules (session_id, initiator) values (gen_random_uuid(), 'tutor') returning session_id",
    )
    return str(rows[0][0])


def test_changes_under_a_cookie_need_proof_that_the_page_is_ours(platform: Served, session_id: str) -> None:
    url = f"/api/sessions/{session_id}/excuse"
    with logged_in(platform, name="Ann") as client:
        problem(client.post(url, json={"reason": "Storm"}), 403)
        problem(client.post(url, json={"reason": "Storm"}, headers={"X-Requested-With": "x"}), 403)
        answer = client.post(url, json={"reason": "Storm"}, headers=OURS)
        assert answer.status_code == 201, answer.text
        problem(client.delete(url), 403)
    audit = execute(platform, "select actor from app.audit_log where subject_id = %s", session_id)
    assert audit == [(answer.json()["created_by"],)]
    assert audit[0][0] == f"Ann (person {person(platform).person_id})"


def test_roles_decide_for_browsers_too(platform: Served, session_id: str) -> None:
    with logged_in(platform, Role.READ) as client:
        problem(client.post(f"/api/sessions/{session_id}/excuse", json={"reason": "x"}, headers=OURS), 403)
        assert client.get("/api/overview").json()["type"].endswith("not-published")


def test_sessions_are_posted_with_keys_only(platform: Served) -> None:
    with logged_in(platform) as client:
        problem(client.post("/api/sessions", json={}, headers=OURS), 401)


def test_a_wrong_key_is_not_made_up_for_by_a_cookie(platform: Served) -> None:
    with logged_in(platform) as client:
        problem(client.get("/api/overview", headers={"X-API-Key": "nonsense"}), 401)


def test_a_browser_reads_what_a_key_reads(published: Served) -> None:
    with logged_in(published, Role.READ) as client, published.client(published.key) as robot:
        page = client.get("/api/tutors")
        assert page.status_code == 200
        assert page.content == robot.get("/api/tutors").content
        assert "Cookie" in page.headers["vary"]
        assert client.get("/api/tutors", headers={"If-None-Match": page.headers["etag"]}).status_code == 304


def test_log_in_and_out_are_in_the_audit_log(platform: Served) -> None:
    with logged_in(platform, name="Audrey") as client:
        client.delete(PATH, headers=OURS)
    actions = execute(platform, "select action from app.audit_log where actor like 'Audrey (%%' order by entry_id")
    assert actions == [("log_in",), ("log_out",)]


def test_another_origin_is_not_let_in_by_the_browser(published: Served) -> None:
    """A page of another origin must ask before it sends the header, and is told no."""
    with published.client(None) as client:
        answer = client.options(
            "/api/sessions/x/excuse",
            headers={
                "Origin": published.settings.cors_origins[0],
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "x-requested-with",
            },
        )
    assert answer.status_code == 400
    assert "access-control-allow-credentials" not in answer.headers


def test_failures_are_limited_over_http(platform: Served) -> None:
    with served(platform.database, platform.settings.home) as fresh, fresh.client(None) as client:
        for _ in range(10 * FAILED_LOG_INS_AT_ONCE):
            answer = client.post(PATH, json={"token": "A" * 43})
            if answer.status_code == 429:
                break
        problem(answer, 429)
        assert int(answer.headers["retry-after"]) >= 1
        # Strangers at one's address, be it that of a proxy, keep nobody out.
        assert client.post(PATH, json={"token": token(fresh)}).status_code == 201
        assert client.post(PATH, json={"api_key": fresh.key}).status_code == 201


def test_each_address_and_each_ipv6_network_has_its_own_limit() -> None:
    now = 0.0
    limit = failed_log_in_limit(MemoryBuckets(lambda: now))

    def note(address: str) -> None:
        asyncio.run(limit.note(address))

    for _ in range(FAILED_LOG_INS_AT_ONCE):
        note("192.0.2.1")
    for address in ("192.0.2.1", "::ffff:192.0.2.1"):
        with pytest.raises(TooManyLogInsError):
            note(address)
    note("192.0.2.2")
    # Whoever has one address of IPv6 has all of its network.
    for last in range(FAILED_LOG_INS_AT_ONCE):
        note(f"2001:db8:0:1::{last:x}")
    with pytest.raises(TooManyLogInsError):
        note("2001:db8:0:1:ffff::1")
    note("2001:db8:0:2::1")
    now = 2.0
    note("192.0.2.1")
