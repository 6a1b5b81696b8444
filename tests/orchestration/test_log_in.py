"""Log-in to Dagster's pages, with a real API; behind the guard stands a page that says that one got there."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from core import keys, logins, people
from core.roles import Role
from orchestration import log_in
from orchestration.guard import Guard
from orchestration.log_in import API_COOKIE, COOKIE, PATH, VIEWER_COOKIE, ApiLogIn
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import execute
from tests.conftest import Postgres
from tests.e2e.processes import wait_for

TOKEN = "a-token-of-programs"
HTML = {"Accept": "text/html"}
START_SECONDS = 30


@pytest.fixture(scope="module")
def api(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("api")
    with served(postgres.new_database(home), home) as api:
        yield api


@contextmanager
def dagster(api_url: str, *, read_only: bool = False) -> Iterator[str]:
    """What stands for Dagster, behind guard and log-in; yields its address."""

    async def page(_: object) -> PlainTextResponse:
        return PlainTextResponse("Dagster")

    async def socket(connection: WebSocket) -> None:
        await connection.accept()
        await connection.send_text("Dagster")
        await connection.close()

    methods = ["GET", "POST"]
    app = Starlette(routes=[WebSocketRoute("/graphql", socket), Route("/{path:path}", page, methods=methods)])
    settings = api_settings(api_url)
    guard = Guard(app, log_in=ApiLogIn(settings, read_only=read_only))
    server = uvicorn.Server(uvicorn.Config(guard, port=0, log_config=None, http="h11"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def api_settings(api_url: str) -> "log_in.Settings":
    return log_in.Settings(api_url=api_url, dagster_log_in=True, dagster_token=SecretStr(TOKEN))


def new_key(api: Served, name: str, role: Role) -> str:
    with api.database.connect() as connection:
        return str(keys.create(connection, name, role).secret)


def reaches_dagster(browser: httpx2.Client) -> bool:
    return browser.get("/runs", headers=HTML).text == "Dagster"


def test_nobody_gets_in_without_and_programs_are_told_so(api: Served) -> None:
    with dagster(api.base_url) as address, httpx2.Client(base_url=address) as browser:
        page = browser.get("/runs", headers=HTML)
        assert page.status_code == 401
        assert "Log in to Dagster" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        for cookie in ("", "made-up", 'a"b', "x" * 4000):
            answer = browser.post("/graphql", json={}, headers={"Cookie": f"{COOKIE}={cookie}"})
            assert (answer.status_code, answer.text) == (401, "Log in first.\n")
        with pytest.raises(InvalidStatus, match="403"):
            connect(f"{address.replace('http', 'ws')}/graphql")
        assert browser.get("/server_info").text == "Dagster"


def test_an_admin_logs_in_and_out(api: Served) -> None:
    with dagster(api.base_url) as address, httpx2.Client(base_url=address) as browser:
        assert browser.post(PATH, json={"api_key": "tq_wrong"}).status_code == 401
        answer = browser.post(PATH, json={"api_key": api.key})
        assert (answer.status_code, answer.json()) == (201, {"role": "admin"})
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(answer.headers["set-cookie"].split("; "))
        assert reaches_dagster(browser)
        cookie = f"{COOKIE}={browser.cookies[COOKIE]}"
        with connect(f"{address.replace('http', 'ws')}/graphql", additional_headers={"Cookie": cookie}) as socket:
            assert socket.recv(10) == "Dagster"

        assert browser.post(PATH, json={}).status_code == 204
        assert not reaches_dagster(browser)
        assert httpx2.get(f"{address}/runs", headers={**HTML, "Cookie": cookie}).status_code == 401


def test_the_cookie_of_a_browser_means_nothing_to_the_api(api: Served) -> None:
    with dagster(api.base_url) as address, httpx2.Client(base_url=address) as browser:
        assert browser.post(PATH, json={"api_key": api.key}).status_code == 201
        answer = httpx2.get(f"{api.base_url}/api/overview", cookies={API_COOKIE: browser.cookies[COOKIE]})
        assert answer.status_code == 401


def test_two_servers_at_one_host_name_do_not_log_each_other_out(api: Served) -> None:
    with (
        dagster(api.base_url) as address,
        dagster(api.base_url, read_only=True) as viewer,
        httpx2.Client() as browser,
    ):
        for each in (address, viewer):
            assert browser.post(f"{each}{PATH}", json={"api_key": api.key}).status_code == 201
        assert {COOKIE, VIEWER_COOKIE} <= set(browser.cookies)
        assert browser.get(f"{address}/runs", headers=HTML).text == "Dagster"


def test_the_api_finds_no_undeclared_proxy_in_a_log_in(api: Served) -> None:
    with dagster(api.base_url) as address:
        assert httpx2.post(f"{address}{PATH}", json={"api_key": api.key}).status_code == 201
    # They are noted in the order in which they come.
    with httpx2.Client(transport=httpx2.HTTPTransport(local_address="127.0.0.2")) as proxy:
        proxy.get(f"{api.base_url}/api/health", headers={"X-Forwarded-For": "192.0.2.1"})
    query = "select address from app.undeclared_proxies"
    wait_for(lambda: bool(execute(api, query)), START_SECONDS, lambda: "nothing noted")
    assert execute(api, query) == [("127.0.0.2",)]


def test_a_one_time_link_logs_in_once(api: Served) -> None:
    with api.database.connect() as connection:
        person = people.add(connection, "ann@example.org", "Ann", Role.ADMIN)
        token = logins.create_link(connection, api.settings, person).partition("#token=")[2]
    with dagster(api.base_url) as address:
        for status in (201, 401):
            with httpx2.Client(base_url=address, headers={"User-Agent": b"Firefox \xe9"}) as browser:
                assert browser.post(PATH, json={"token": token}).status_code == status
                assert reaches_dagster(browser) == (status == 201)
    browsers = execute(api, "select user_agent from app.browser_sessions where person_id = %s", person.person_id)
    assert browsers == [("Firefox",)]


def test_the_role_read_may_only_look_where_nothing_can_be_changed(api: Served) -> None:
    key = new_key(api, "looks", Role.READ)
    for read_only in (False, True):
        with dagster(api.base_url, read_only=read_only) as address, httpx2.Client(base_url=address) as browser:
            assert browser.post(PATH, json={"api_key": key}).status_code == 201
            assert reaches_dagster(browser) == read_only
            assert browser.get("/graphql.js").status_code == (200 if read_only else 403)


def test_a_session_ends_with_its_key(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_in, "KNOWN_SECONDS", 0)
    with dagster(api.base_url) as address, httpx2.Client(base_url=address) as browser:
        browser.post(PATH, json={"api_key": new_key(api, "leaves", Role.ADMIN)})
        assert reaches_dagster(browser)
        with api.database.connect() as connection:
            keys.revoke(connection, "leaves")
        assert not reaches_dagster(browser)


def test_sessions_are_not_mixed_up(api: Served) -> None:
    """The client that asks the API is one for all."""
    with dagster(api.base_url) as address, httpx2.Client(base_url=address) as admin:
        admin.post(PATH, json={"api_key": api.key})
        assert httpx2.get(f"{address}/runs", headers=HTML).status_code == 401
        with httpx2.Client(base_url=address) as reader:
            reader.post(PATH, json={"api_key": new_key(api, "reads", Role.READ)})
            assert not reaches_dagster(reader)
        assert reaches_dagster(admin)


def test_programs_have_a_token(api: Served) -> None:
    with dagster(api.base_url) as address:
        headers = api_settings(api.base_url).dagster_headers
        assert httpx2.post(f"{address}/graphql", json={}, headers=headers).text == "Dagster"
        for wrong in ("Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer é"):
            answer = httpx2.post(f"{address}/graphql", json={}, headers={"Authorization": wrong.encode()})
            assert answer.status_code == 401


def test_another_page_cannot_log_anybody_in(api: Served) -> None:
    with dagster(api.base_url) as address:
        answer = httpx2.post(f"{address}{PATH}", json={"api_key": api.key}, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
        assert httpx2.post(f"{address}{PATH}", content=b"{" + b" " * 5000).status_code == 415
        assert httpx2.post(f"{address}{PATH}", json={"api_key": "x" * 5000}).status_code == 413


def test_without_the_api_nobody_gets_in(tmp_path: Path) -> None:
    with dagster("http://127.0.0.1:9") as address:
        assert httpx2.get(f"{address}/runs", headers={"Cookie": f"{COOKIE}=some-session"}).status_code == 401
        answer = httpx2.post(f"{address}{PATH}", json={"api_key": "tq_any"})
        assert (answer.status_code, answer.text) == (503, "The API, which knows who is logged in, does not answer.\n")
        assert httpx2.get(f"{address}/server_info").text == "Dagster"
