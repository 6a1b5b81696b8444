"""A tutor who has something to object to, for tests of appeals and of the tutor's own page."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from tests.api.test_auth_sessions import execute

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from tests.api.conftest import Served

# On the day that the scores are for.
DAY = "2026-01-30"


def uuid_of(number: int) -> UUID:
    """A tutor of tests/marketplace.sql; every sixth one moves a third of all sessions."""
    import hashlib

    return UUID(hashlib.md5(f"tutor{number}".encode(), usedforsecurity=False).hexdigest())


def let_down(platform: Served, tutor: UUID, status: str = "no_show", **changes: Any) -> UUID:
    """A session of yesterday that counts against the tutor, scored live."""
    session_id = uuid4()
    body = {
        "session_id": str(session_id),
        "tutor_id": str(tutor),
        "student_id": f"student of {session_id}",
        "scheduled_time": f"{DAY}T10:00:00Z",
        "status": status,
        "initiator": "tutor" if status in ("no_show", "cancelled") else None,
        "subject": "maths",
        **changes,
    }
    with platform.client(platform.key) as client:
        response = client.post("/api/sessions", json=body)
        assert response.status_code == 202, response.text
    return session_id


def counts(platform: Served, tutor: UUID) -> tuple[int, int]:
    """No-shows and let-downs of 90 days, as they are published."""
    [found] = execute(
        platform, "select tutor_no_shows_90d, let_downs_90d from marts.tutor_scores where tutor_id = %s", tutor
    )
    return found[0], found[1]


def mails(platform: Served, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Recipient, subject and payload, in the order in which they were queued."""
    query = "select recipient, subject, payload from app.email_reports where kind = %s order by created_at, topic"
    return [(row[0], row[1], row[2]) for row in execute(platform, query, kind)]


def new_link(client: httpx2.Client, tutor: object) -> str:
    response = client.post(f"/api/tutors/{tutor}/page-link")
    assert response.status_code == 201, response.text
    url: str = response.json()["data"]["url"]
    return url


def token_of(url: str) -> str:
    return url.partition("#token=")[2]


@contextmanager
def own_page(platform: Served, tutor: object) -> Iterator[httpx2.Client]:
    """A browser that has opened the tutor's own page."""
    with platform.client(platform.key) as admin:
        token = token_of(new_link(admin, tutor))
    with platform.client(None) as client:
        assert client.post("/my/open", data={"token": token}).status_code == 303
        yield client


def proof_in(page: str) -> str:
    found = re.search(r'name="proof" value="([0-9a-f]{64})"', page)
    assert found, page
    return found.group(1)
