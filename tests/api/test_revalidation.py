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
