"""Answers that go past FastAPI are those of the way through it: to clients, in the metrics and in the log."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from api.limits import FAILED_KEYS_AT_ONCE
from api.revalidation import Revalidation
from core import keys
from core.roles import Role
from tests.api.conftest import DASHBOARD_ORIGIN, Served, served
from tests.api.processes import started
from tests.api.test_metrics import read
from tests.api.test_oidc import AUDIENCE, logging_in_at, signing
from tests.api.test_problems import problem
from tests.conftest import PUBLISHED, Postgres

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

COUNTED = ("tutorq_http_requests_total", "tutorq_http_request_duration_seconds_count")
# Of each answer alone.
OWN_HEADERS = ("date",)

Apis = tuple[Served, Served]
# What is asked for, and how, by the status of the answer; each case has addresses that no other one has asked for.
CASES: list[tuple[int, str | None, dict[str, str]]] = [
    (200, "reader", {"Accept-Encoding": "identity"}),
    (200, "reader", {"Accept-Encoding": "gzip"}),
    (200, "reader", {"Accept-Encoding": "gzip", "Origin": DASHBOARD_ORIGIN}),
    (200, "reader", {"If-None-Match": '"another"'}),
    (304, "reader", {}),
    (304, "reader", {"Origin": DASHBOARD_ORIGIN}),
    (401, None, {}),
    (401, "nobody", {}),
    (403, "poster", {}),
]


@pytest.fixture(scope="module")
def reached() -> Iterator[list[str]]:
    """Paths of the requests that were not answered early, of all APIs."""
    paths: list[str] = []
    set_up = Revalidation.__init__

    def noting(self: Revalidation, app: "ASGIApp") -> None:
        async def noted(scope: "Scope", receive: "Receive", send: "Send") -> None:
            if scope["type"] == "http":
                paths.append(scope["path"])
            await app(scope, receive, send)

        set_up(self, noted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Revalidation, "__init__", noting)
        yield paths


@pytest.fixture(scope="module")
def apis(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory, reached: list[str]) -> Iterator[Apis]:
    """Two APIs on one published database: what the one has answered, the other has not heard of."""
    home = tmp_path_factory.mktemp("revalidation")
    database = postgres.new_database(home, PUBLISHED)
    origins = [DASHBOARD_ORIGIN]
    with (
        served(database, home, cors_origins=origins) as one,
        served(database, tmp_path_factory.mktemp("other"), cors_origins=origins) as other,
    ):
        yield one, other


def made(served: Served, name: str, role: Role) -> str:
    with served.database.connect() as connection:
        return str(keys.create(connection, name, role).secret)


@pytest.mark.parametrize("path", ["/api/tutors?limit={}", "/api/tutors/T-1/history?limit={}"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_both_ways_have_the_same_answers_and_are_counted_alike(
    apis: Apis, reached: list[str], path: str, case: int
) -> None:
    """Of a database, of memory (the list), and refusals."""
    status, who, headers = CASES[case]
    path, name = path.format(case + 10), f"{path} {case}"
    secrets = {
        "reader": made(apis[0], f"reader {name}", Role.READ),
        "poster": made(apis[0], f"poster {name}", Role.INGEST),
        "nobody": "tq_unknown_key",
    }
    known, unknown = apis
    with known.client(secrets["reader"]) as client:
        [tag, *_] = [client.get(path).headers["etag"] for _ in range(3)]
    sent = {"X-Request-ID": "both", **headers, **({"If-None-Match": tag} if status == 304 else {})}
    seen = []
    for api in (known, unknown):
        before = read(api)
        reached.clear()
        with api.client(secrets[who] if who else None) as client:
            answer = client.get(path, headers=sent)
        assert reached == ([] if api is known else [path.partition("?")[0]])
        after = read(api)
        assert answer.status_code == status
        told = sorted((name, value) for name, value in answer.headers.multi_items() if name not in OWN_HEADERS)
        counted = {key: after[key] - before.get(key, 0) for key in after if key[0] in COUNTED}
        seen.append((told, answer.content, {key: number for key, number in counted.items() if number}))
    assert seen[0] == seen[1]
    headers_seen = dict(seen[0][0])
    assert headers_seen["x-request-id"] == "both"
    assert headers_seen["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers_seen["content-security-policy"]


@pytest.mark.slow
def test_both_ways_have_the_same_line_in_the_log(apis: Apis, tmp_path: Path) -> None:
    log = tmp_path / "log"
    headers = {"X-API-Key": apis[0].key, "X-Request-ID": "both"}
    with started(apis[0], log) as (_, port):
        url = f"http://127.0.0.1:{port}/api/tutors/T-2"
        tags = [httpx2.get(url, headers=headers).headers["etag"] for _ in range(3)]
        assert httpx2.get(url, headers={**headers, "If-None-Match": tags[0]}).status_code == 304
        # Its line is written before another request is read.
        httpx2.get(url)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [
        {name: value for name, value in line.items() if name not in ("duration_ms", "timestamp")}
        for line in lines
        if line.get("request_id") == "both"
    ]
    assert [line["status"] for line in told] == [200, 200, 200, 304]
    assert told[0] == told[1] == told[2] == {**told[3], "status": 200}
    assert (told[0]["route"], told[0]["key"][:6]) == ("/api/tutors/{tutor_id}", "local-")


def test_keys_that_fail_are_limited_where_the_answer_is_known(apis: Apis) -> None:
    path = "/api/tutors?limit=9"
    with served(apis[0].database, apis[0].settings.home) as own, own.client(own.key) as client:
        tag = {"If-None-Match": client.get(path).headers["etag"]}
        with own.client("tq_unknown_key") as other:
            for _ in range(10 * FAILED_KEYS_AT_ONCE):
                answer = other.get(path, headers=tag)
                if answer.status_code == 429:
                    break
        problem(answer, 429)
        assert client.get(path, headers=tag).status_code == 304


def told(answer: httpx2.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All that a client gets, but for what each answer has of its own."""
    headers = [(name, value) for name, value in answer.headers.multi_items() if name not in OWN_HEADERS]
    return answer.status_code, answer.content, sorted(headers)


def test_answers_to_one_address_are_those_to_each_request(apis: Apis) -> None:
    """What one request asks for besides is nothing to the next one."""
    origin = {"Origin": DASHBOARD_ORIGIN}
    packed, plain = {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}
    with apis[0].client(apis[0].key) as client:
        first = client.get("/api/tutors?limit=30", headers=plain)
        assert first.status_code == 200
        tag = {"If-None-Match": first.headers["etag"]}
        for sent in (
            *(plain, origin | plain, plain),
            *(packed, plain, packed),
            *(origin | packed, packed),
            *(tag | origin, tag),
            *(plain, tag | origin, plain),
        ):
            answer = client.get("/api/tutors?limit=30", headers=sent)
            expected = (304, b"") if "If-None-Match" in sent else (200, first.content)
            assert (answer.status_code, answer.content) == expected
            assert answer.headers["etag"] == first.headers["etag"]
            assert answer.headers.get("access-control-allow-origin") == sent.get("Origin")
            is_packed = answer.status_code == 200 and sent["Accept-Encoding"] == "gzip"
            assert answer.headers.get("content-encoding") == ("gzip" if is_packed else None)


def test_head_is_answered_alike_where_the_answer_is_known(apis: Apis) -> None:
    path = "/api/tutors?limit=31"
    seen = []
    for api in apis:
        with api.client(api.key) as client:
            if api is apis[0]:
                assert {client.get(path).status_code for _ in range(3)} == {200}
            seen.append(told(client.head(path, headers={"X-Request-ID": "both"})))
    assert seen[0] == seen[1]
    assert seen[0][1] == b""


def test_a_browser_reads_what_is_known_until_its_key_ends(apis: Apis) -> None:
    path, api = "/api/tutors?limit=32", apis[0]
    with api.client(None) as browser, api.client(api.key) as robot:
        answers = [robot.get(path) for _ in range(3)]
        assert browser.get(path).status_code == 401
        secret = made(api, "of a browser", Role.READ)
        assert browser.post("/api/auth/session", json={"api_key": secret}).status_code == 201
        for tag, status in (({}, 200), ({"If-None-Match": answers[0].headers["etag"]}, 304), ({}, 200)):
            assert browser.get(path, headers=tag).status_code == status
        assert browser.get(path).content == answers[0].content
        with api.database.connect() as connection:
            keys.revoke(connection, "of a browser")
        problem(browser.get(path), 401)
        assert robot.get(path).status_code == 200


def test_a_program_reads_what_is_known_by_its_token(apis: Apis, tmp_path: Path) -> None:
    path = "/api/tutors?limit=33"
    changes = {"oidc_audience": AUDIENCE, "oidc_role_claim": "roles", "trusted_proxies": ["127.0.0.1"]}
    with signing() as signer, logging_in_at(signer.issuer, apis[0].database, tmp_path, **changes) as api:
        with api.client(api.key) as client:
            answers = [client.get(path) for _ in range(3)]
        tag = {"If-None-Match": answers[0].headers["etag"]}
        reader, poster = signer.token(), signer.token(roles=["tutorq-program-ingest"])
        with api.client(None) as client:
            for token, sent, status in (
                (reader, {}, 200),
                (reader, tag, 304),
                (poster, {}, 403),
                (poster, tag, 403),
                ("x.y.z", tag, 401),
                (reader, tag, 304),
            ):
                answer = client.get(path, headers={"Authorization": f"Bearer {token}", **sent})
                assert answer.status_code == status
                assert status != 200 or answer.content == answers[0].content


def test_what_is_gone_is_not_found_where_the_answer_was_known(apis: Apis) -> None:
    path = "/api/tutors/T-5"
    seen = []
    with apis[0].client(apis[0].key) as known, apis[1].client(apis[1].key) as unknown:
        [tag, *_] = [{"If-None-Match": known.get(path).headers["etag"]} for _ in range(3)]
        with apis[0].database.connect() as connection:
            connection.execute("delete from marts.tutor_scores where external_id = 'T-5'")
            connection.execute("select marts.note_refresh()")
        for client in (known, unknown):
            for sent in ({}, tag, {}):
                answer = client.get(path, headers={"X-Request-ID": "both", **sent})
                problem(answer, 404)
                seen.append(told(answer))
    assert seen == seen[:1] * 6
