"""Whose word is taken for where a request comes from."""

import asyncio
import json
from typing import Any

import pytest

from api.proxies import AGAIN_AFTER_SECONDS, MOST_NOTICED, Proxies, UndeclaredProxies
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import execute, token
from tests.api.test_keys import Clock
from tests.api.test_refusals import SECONDS
from tests.e2e.processes import wait_for

CLIENT = "203.0.113.9"


def client_seen(peer: str, trusted: list[str], undeclared: UndeclaredProxies, **headers: str) -> str:
    """The client's address as the application sees it."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "client": (peer, 5000), "headers": raw}
    asyncio.run(Proxies(app, trusted, undeclared)(scope, None, None))  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize(
    ("peer", "trusted", "forwarded", "expected"),
    [
        ("10.0.0.5", ["10.0.0.0/8"], CLIENT, CLIENT),
        # What a client made up stands before what the proxy adds.
        ("10.0.0.5", ["10.0.0.0/8"], f"1.2.3.4, {CLIENT}", CLIENT),
        ("10.0.0.5", ["10.0.0.0/8"], f"{CLIENT}, 10.0.0.6", CLIENT),
        ("10.0.0.5", [], CLIENT, "10.0.0.5"),
        ("10.0.0.5", ["192.168.0.0/16"], CLIENT, "10.0.0.5"),
    ],
)
def test_only_declared_proxies_are_believed(peer: str, trusted: list[str], forwarded: str, expected: str) -> None:
    undeclared = UndeclaredProxies()
    assert client_seen(peer, trusted, undeclared, x_forwarded_for=forwarded) == expected
    assert bool(undeclared._noticed) is (expected == peer)


def test_each_is_told_once_and_only_so_many(capsys: pytest.CaptureFixture[str]) -> None:
    undeclared = UndeclaredProxies()
    assert client_seen("192.0.2.1", [], undeclared) == "192.0.2.1"
    assert not undeclared._noticed
    for number in (*range(MOST_NOTICED + 50), *range(MOST_NOTICED + 50)):
        client_seen(f"192.0.2.{number}", [], undeclared, x_forwarded_for=CLIENT)
    told = [line for line in capsys.readouterr().out.splitlines() if "TUTORQ_TRUSTED_PROXIES" in line]
    assert len(told) == MOST_NOTICED


def test_one_that_still_comes_is_told_again_after_hours() -> None:
    clock = Clock()
    undeclared = UndeclaredProxies(clock)
    for hours_later in (0, AGAIN_AFTER_SECONDS - 1, AGAIN_AFTER_SECONDS, AGAIN_AFTER_SECONDS + 1):
        clock.now = hours_later
        client_seen("192.0.2.1", [], undeclared, x_forwarded_for=CLIENT)
    assert undeclared._new.qsize() == 2


def test_an_undeclared_proxy_is_noted_for_doctor(intake: Served) -> None:
    def noted() -> list[Any]:
        return execute(intake, "select address from app.undeclared_proxies")

    with served(intake.database, intake.settings.home) as fresh, fresh.client(fresh.key) as client:
        for _ in range(3):
            assert client.get("/api/auth/session", headers={"X-Forwarded-For": CLIENT}).status_code == 401
        wait_for(lambda: bool(noted()), SECONDS, lambda: str(noted()))
    assert noted() == [("127.0.0.1",)]


def test_the_log_in_is_from_the_address_that_the_proxy_tells(intake: Served) -> None:
    with (
        served(intake.database, intake.settings.home, trusted_proxies=["127.0.0.1"]) as fresh,
        fresh.client(None) as client,
    ):
        body = {"token": token(fresh, name="Far away")}
        assert client.post("/api/auth/session", json=body, headers={"X-Forwarded-For": CLIENT}).status_code == 201
    ((details,),) = execute(intake, "select details from app.audit_log where actor like 'Far away%%'")
    assert json.dumps(details, sort_keys=True) == f'{{"address": "{CLIENT}", "by": "link", "role": "admin"}}'
