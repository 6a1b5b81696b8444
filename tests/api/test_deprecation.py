"""Operations that will end say so: in every answer, and in the description."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

import httpx2
import pytest
from fastapi import Depends

from api.auth import Require
from api.caching import RevalidatedRoute
from api.routing import Deprecation
from core.roles import Role
from tests.api.conftest import Served

OLD, NEW = "/api/reschedules/{session_id}/excuse", "/api/sessions/{session_id}/excuse"


@pytest.fixture(scope="module")
def client(intake: Served) -> Iterator[httpx2.Client]:
    with intake.client(intake.key) as client:
        yield client


def test_every_answer_tells_when_and_what_instead(client: httpx2.Client) -> None:
    path = OLD.format(session_id="x")
    for response in (client.post(path, json={"reason": "ill"}), client.post(path, json={}), client.delete(path)):
        assert response.status_code in (400, 404)
        since = int(response.headers["Deprecation"].removeprefix("@"))
        sunset = parsedate_to_datetime(response.headers["Sunset"])
        assert (sunset - datetime.fromtimestamp(since, UTC)).days >= 365, "as docs/api.md promises"
        assert response.headers["Link"] == f'<{NEW}>; rel="successor-version"'
    assert "Deprecation" not in client.delete(NEW.format(session_id="x")).headers


def test_the_description_tells_it_too(client: httpx2.Client) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    for method in ("post", "delete"):
        assert paths[OLD][method]["deprecated"] is True
        assert f"Deprecated: use `{NEW}`." in paths[OLD][method]["description"]
        assert "deprecated" not in paths[NEW][method]
    deprecated = {path for path, methods in paths.items() for each in methods.values() if each.get("deprecated", False)}
    assert deprecated == {OLD}


def test_headers_are_those_of_the_standards() -> None:
    headers = dict(Deprecation(date(2026, 1, 2), date(2027, 3, 4), "/new").headers)
    assert headers == {
        b"deprecation": b"@1767312000",
        b"sunset": b"Thu, 04 Mar 2027 00:00:00 GMT",
        b"link": b'</new>; rel="successor-version"',
    }


def test_no_known_address_is_answered_without_these_headers() -> None:
    """Addresses that are remembered are answered before the route is reached that adds them."""

    async def read(caller: Annotated[None, Depends(Require(Role.READ))]) -> None: ...

    for is_deprecated in (True, False):
        handler = RevalidatedRoute("/old", read, deprecated=is_deprecated).get_route_handler()
        assert (handler.__module__ == "api.caching") is not is_deprecated
