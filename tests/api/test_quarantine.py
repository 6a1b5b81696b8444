"""The quarantine: listed with filters, and dismissed on record."""

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import pytest
from cryptography.fernet import Fernet

from api.database import open_pool
from api.quarantine.schemas import QuarantineList
from api.quarantine.sealing import seal_some
from core import keys
from core.database import DatabaseRole
from core.roles import Role
from core.sealing import MARK, Sealer
from tests.api.conftest import Served
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.api.test_sessions import rows

PATH = "/api/quarantine"


@pytest.fixture(scope="module")
def client(intake: Served) -> Iterator[httpx2.Client]:
    with intake.database.connect() as connection:
        key = keys.create(connection, f"quarantine {uuid4()}", Role.INGEST).secret
    with intake.client(key) as client:
        yield client


@pytest.fixture
def source(intake: Served) -> str:
    """A file of which three rows were refused."""
    source = f"file {uuid4()}.csv"
    with intake.database.connect() as connection:
        connection.cursor().executemany(
            "insert into raw.quarantine (entity, source, line, reason, content, last_seen_at) "
            "values (%s, %s, %s, %s, %s, now() - %s * interval '1 day')",
            [
                ("sessions", source, 2, "rating: 9 is not between 1 and 5", '{"Session ID": "S-1", "rating": 9}', 1),
                ("tutors", source, 3, "age: old", '{"tutorId": " T-1 ", "name": "Ödön"}', 2),
                ("sessions", source, 4, "has no fields", "not, json", 3),
            ],
        )
    return source


def lines(client: httpx2.Client, **filters: object) -> list[int]:
    response = client.get(PATH, params=filters)
    assert response.status_code == 200, response.text
    assert_is(QuarantineList, response.content)
    body = response.json()
    assert body["meta"]["total"] >= len(body["data"])
    return [row["line"] for row in body["data"]]


def test_rows_are_listed_those_seen_last_first(client: httpx2.Client, source: str) -> None:
    assert lines(client, source=source) == [2, 3, 4]
    assert lines(client, source=source, limit=1, offset=1) == [3]
    assert lines(client, source=source, entity="sessions") == [2, 4]
    assert lines(client, source=source, search="RATING") == [2]
    assert lines(client, source=source, search="ödön") == [3]
    assert lines(client, source=source, id="T-1") == [3]
    assert lines(client, source=source, id="S-1") == [2]
    day = (datetime.now(UTC) - timedelta(days=1.5)).isoformat()
    assert lines(client, source=source, since=day) == [2]
    assert lines(client, source=source, until=day) == [3, 4]
    delivered = [row["delivered_id"] for row in client.get(PATH, params={"source": source}).json()["data"]]
    assert delivered == ["S-1", "T-1", None]


def test_rows_that_were_taken_are_told_apart(intake: Served, client: httpx2.Client, source: str) -> None:
    with intake.database.connect() as connection:
        connection.execute(
            "insert into raw.quarantine (entity, source, line, reason, content, is_remark) "
            "values ('sessions', %s, 5, 'rating: x', '{}', true)",
            [source],
        )
    assert lines(client, source=source, is_remark=True) == [5]
    assert lines(client, source=source, is_remark=False) == [2, 3, 4]
    found = client.get(PATH, params={"source": source}).json()["data"]
    assert [(row["line"], row["is_remark"]) for row in found] == [(5, True), (2, False), (3, False), (4, False)]
    assert client.delete(PATH, params={"source": source, "is_remark": True}).json() == {"dismissed": 1}


def test_the_list_has_cursors_and_files(client: httpx2.Client, source: str) -> None:
    found, cursor = [], None
    while True:
        page = client.get(PATH, params={"source": source, "limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        found += [row["line"] for row in page["data"]]
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            break
    assert found == [2, 3, 4]
    file = client.get(PATH, params={"source": source, "format": "csv"}).text
    assert len(list(csv.DictReader(io.StringIO(file)))) == 3


def test_one_row_is_dismissed(intake: Served, client: httpx2.Client, source: str) -> None:
    row = client.get(PATH, params={"source": source}).json()["data"][0]
    assert client.delete(f"{PATH}/{row['quarantine_id']}").status_code == 204
    assert lines(client, source=source) == [3, 4]
    problem(client.delete(f"{PATH}/{row['quarantine_id']}"), 404)
    noted = rows(
        intake.database,
        "select details from app.audit_log where action = 'quarantine.dismiss' and subject_id = %s",
        str(row["quarantine_id"]),
    )
    assert noted == [({"entity": "sessions", "source": source, "line": 2},)]


def test_rows_that_match_are_dismissed_together(intake: Served, client: httpx2.Client, source: str) -> None:
    assert client.delete(PATH, params={"source": source, "entity": "sessions"}).json() == {"dismissed": 2}
    assert lines(client, source=source) == [3]
    assert client.delete(PATH, params={"source": source, "entity": "sessions"}).json() == {"dismissed": 0}
    noted = rows(
        intake.database, "select details from app.audit_log where details -> 'where' ->> 'source' = %s", source
    )
    assert noted == [({"rows": 2, "where": {"source": source, "entity": "sessions"}},)]


def test_nothing_is_dismissed_by_accident(client: httpx2.Client, source: str) -> None:
    refused = problem(client.delete(PATH), 400)
    assert [error.field for error in refused.errors or []] == ["query"]
    problem(client.delete(PATH, params={"sauce": source}), 400)
    assert lines(client, source=source) == [2, 3, 4]


def test_readers_do_not_see_it(intake: Served) -> None:
    with intake.database.connect() as connection:
        key = keys.create(connection, f"reader {uuid4()}", Role.READ).secret
    with intake.client(key) as reader:
        problem(reader.get(PATH), 403)


def seal(intake: Served) -> int:
    """As the API does beside its requests, under the rights that it has."""

    async def run() -> int:
        async with open_pool(intake.database.url, size=1) as pool, pool.acquire() as connection:
            await connection.execute(f"set role {DatabaseRole.API.value}")
            done = 0
            while some := await seal_some(connection, intake.settings):
                done += some
            return done

    return asyncio.run(run())


def test_sealed_rows_are_shown_found_and_dismissed_as_before(
    intake: Served, client: httpx2.Client, source: str
) -> None:
    before = client.get(PATH, params={"source": source}).json()["data"]
    assert seal(intake) >= 3
    assert seal(intake) == 0
    stored = rows(
        intake.database, "select content, delivered_id from raw.quarantine where source = %s order by line", source
    )
    assert all(content.startswith(MARK) for content, _ in stored)
    assert [delivered for _, delivered in stored] == ["S-1", "T-1", None]
    assert client.get(PATH, params={"source": source}).json()["data"] == before
    assert lines(client, source=source, search="ÖDÖN") == [3]
    assert lines(client, source=source, search="NOT, JSON") == [4]
    assert lines(client, source=source, search="rating") == [2]
    assert lines(client, source=source, search="sealed:") == []
    # The same row again is the same row.
    again = (
        "insert into raw.quarantine (entity, source, line, reason, content) "
        "values ('sessions', %s, 4, 'has none', 'not, json') "
        "on conflict (entity, source, line, content_md5) do update set reason = excluded.reason returning content"
    )
    [(content,)] = rows(intake.database, again, source)
    assert content.startswith(MARK)
    gone = client.delete(PATH, params={"source": source, "search": "ödön"})
    assert gone.json() == {"dismissed": 1}
    assert lines(client, source=source) == [2, 4]


def test_a_row_whose_key_is_lost_is_still_listed(intake: Served, client: httpx2.Client, source: str) -> None:
    lost = Sealer([Fernet.generate_key().decode()])
    rows(
        intake.database,
        "update raw.quarantine set content = %s where source = %s and line = 3 returning 1",
        lost.seal_text("Ödön"), source,
    )  # fmt: skip
    listed = {row["line"]: row["content"] for row in client.get(PATH, params={"source": source}).json()["data"]}
    assert "TUTORQ_SECRETS_KEY" in listed[3]
    assert listed[4] == "not, json"
