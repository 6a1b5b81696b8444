"""Bodies as they come: packed, with a byte order mark, or made to burst."""

import gzip
import json
import random
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.bodies import BOM, NDJSON, _Gzip
from api.people.batches import MOST_BYTES as MOST_BATCH_BYTES
from tests.api.conftest import Served
from tests.api.test_problems import problem
from tests.api.test_sessions import session

JSON = {"Content-Type": "application/json"}
PACKED = {**JSON, "Content-Encoding": "gzip"}


@pytest.fixture(scope="module")
def client(intake: Served) -> Iterator[httpx2.Client]:
    with intake.client(intake.key) as client:
        yield client


def packed(body: object) -> bytes:
    return gzip.compress(json.dumps(body).encode())


def test_every_kind_of_post_and_patch_takes_gzip(client: httpx2.Client) -> None:
    assert client.post("/api/sessions", content=packed(session("zip 1")), headers=PACKED).status_code == 202
    batch = client.post("/api/sessions/batch", content=packed([session("zip 2")]), headers=PACKED)
    assert batch.json()["queued"] == 1
    lines = gzip.compress(b"".join(json.dumps(session(f"zip {n}")).encode() + b"\n" for n in range(3, 6)))
    batch = client.post(
        "/api/sessions/batch", content=lines, headers={"Content-Type": NDJSON, "Content-Encoding": "gzip"}
    )
    assert batch.json()["queued"] == 3
    assert client.post("/api/tutors", content=packed({"tutor_id": "zip"}), headers=PACKED).status_code in (201, 409)
    changed = client.patch("/api/tutors/zip", content=packed({"name": "Packed"}), headers=PACKED)
    assert changed.json()["data"]["name"] == "Packed"
    assert client.post("/api/tutors/batch", content=packed([{"tutor_id": "z"}]), headers=PACKED).status_code == 200
    excused = client.post("/api/sessions/zip 1/excuse", content=packed({"reason": "x"}), headers=PACKED)
    assert excused.status_code == 404, "read, and nothing to excuse"


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"rest"],
    ids=["no gzip", "cut short", "with a rest"],
)
def test_what_is_not_gzip_is_refused(client: httpx2.Client, body: bytes) -> None:
    refused = problem(client.post("/api/sessions", content=body, headers=PACKED), 400)
    assert [error.field for error in refused.errors or []] == ["body"]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused_and_told_which_is_taken(client: httpx2.Client, encoding: str) -> None:
    response = client.post("/api/sessions", content=b"x", headers={**JSON, "Content-Encoding": encoding})
    problem(response, 415)
    assert response.headers["Accept-Encoding"] == "gzip"


def test_what_bursts_is_refused(client: httpx2.Client) -> None:
    """A thousandfold, and a thousandfold again by many members."""
    bomb = gzip.compress(b" " * (MOST_BATCH_BYTES + 1))
    assert len(bomb) < MOST_BATCH_BYTES / 900
    for path in ("/api/sessions", "/api/sessions/batch", "/api/tutors", "/api/tutors/batch", "/api/cases"):
        problem(client.post(path, content=bomb, headers=PACKED), 413)
    many = gzip.compress(b" " * 1000) * 21_000
    problem(client.post("/api/sessions/batch", content=many, headers=PACKED), 413)
    with_key = {**PACKED, "Idempotency-Key": "bomb"}
    problem(client.post("/api/tutors/batch", content=bomb, headers=with_key), 413)


@given(
    data=st.binary(max_size=5_000), sizes=st.lists(st.integers(1, 700), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 5_000), max_size=4), most=st.integers(0, 6_000),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_unpacking_gives_what_was_packed_and_never_much_more_than_allowed(
    data: bytes, sizes: list[int], cuts: list[int], most: int
) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    stream = b"".join(gzip.compress(data[a:b]) for a, b in pairwise(edges))
    unpack, found, at = _Gzip(), b"", 0
    chance = random.Random(len(data))
    while at < len(stream) and len(found) <= most:
        size = chance.choice(sizes)
        for part in unpack.parts(stream[at : at + size], most - len(found)):
            found += part
        at += size
    assert len(found) <= most + 1
    if len(data) <= most:
        unpack.end()
        assert found == data
    else:
        assert data.startswith(found)
    assert zlib.crc32(found) == zlib.crc32(data[: len(found)])


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_byte_order_mark_is_ignored(client: httpx2.Client, pack: Any) -> None:
    headers = JSON if pack is bytes else PACKED
    body = BOM + json.dumps(session("marked")).encode()
    assert client.post("/api/sessions", content=pack(body), headers=headers).status_code == 202
    lines = BOM + json.dumps(session("marked")).encode() + b"\n"
    receipt = client.post("/api/sessions/batch", content=pack(lines), headers=headers | {"Content-Type": NDJSON}).json()
    assert receipt["duplicate"] == 1
    problem(client.post("/api/tutors/batch", content=pack(BOM), headers=headers), 400)
