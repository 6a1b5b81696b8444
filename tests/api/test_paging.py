"""Cursors: every list from its first page to its last, while rows come and go, and cursors that are none."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx2
import hypothesis.strategies as st
import pytest
from hypothesis import given

from api.paging import Order, SortKey
from api.tutors.schemas import SORTABLE
from core.database import Database
from tests.api.conftest import Served, served
from tests.api.lists import fill
from tests.api.test_problems import problem
from tests.conftest import Postgres
from tests.examples import examples

LISTS = {
    "/api/tutors": [{"sort_by": name, "sort_order": order} for name in SORTABLE for order in ("asc", "desc")],
    "/api/sessions/upcoming": [
        {"sort_by": name} for name in ("tutor_disruption_probability", "scheduled_time", "student_name")
    ],
    "/api/sessions/U-1/stand-ins": [{}],
    "/api/cases": [
        {"sort_by": name, "sort_order": order}
        for name in ("urgency", "due_on", "opened_at", "harm_sessions", "name", "changed_at")
        for order in ("asc", "desc")
    ],
    "/api/reports": [{}],
    "/api/students": [{}],
    "/api/audit": [{}],
    "/api/matching/students": [{}, {"sort_by": "age", "sort_order": "desc"}, {"sort_by": "last_session_on"}],
    "/api/matching/tutors": [{}, {"sort_by": "free_capacity"}, {"sort_by": "tutor_rating", "sort_order": "desc"}],
    "/api/matching/students/S-1/matches": [{}, {"sort_by": "name"}, {"sort_by": "compatibility_score"}],
    "/api/matching/tutors/T-1/matches": [{}, {"sort_by": "name", "sort_order": "desc"}],
}


@pytest.fixture(scope="module")
def platform(postgres: Postgres, people: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With several rows in every list."""
    home = tmp_path_factory.mktemp("paging")
    with served(postgres.new_database(home, people), home) as platform:
        fill(platform)
        yield platform


@pytest.fixture(scope="module")
def client(platform: Served) -> Iterator[httpx2.Client]:
    with platform.client(platform.key) as client:
        yield client


def ids(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("session_id", "case_id", "report_id", "entry_id", "tutor_id", "student_id")
    return [tuple(row.get(name) for name in names) for row in rows]


def page(client: httpx2.Client, path: str, **query: Any) -> dict[str, Any]:
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


@pytest.mark.parametrize("path", LISTS)
def test_pages_follow_one_another_to_the_end(client: httpx2.Client, path: str) -> None:
    for query in LISTS[path]:
        whole = page(client, path, limit=500, **query)
        assert whole["meta"]["next_cursor"] is None
        assert len(whole["data"]) == whole["meta"]["total"] >= 3
        seen, address = [], f"{path}?{urlencode({'limit': 2, **query})}"
        while True:
            response = client.get(address)
            assert response.status_code == 200, response.text
            body = response.json()
            assert 0 < len(body["data"]) <= 2
            assert (body["meta"]["total"], body["meta"]["offset"]) == (whole["meta"]["total"], 0)
            seen += body["data"]
            if "next" not in response.links:
                assert body["meta"]["next_cursor"] is None
                break
            address = response.links["next"]["url"]
            assert address.startswith(f"{path}?")
            assert httpx2.QueryParams(address.partition("?")[2])["cursor"] == body["meta"]["next_cursor"]
        assert ids(seen) == ids(whole["data"]), query


def test_a_page_that_ends_the_list_has_no_next_one(client: httpx2.Client) -> None:
    total = page(client, "/api/reports")["meta"]["total"]
    assert page(client, "/api/reports", limit=total)["meta"]["next_cursor"] is None
    assert page(client, "/api/reports", limit=total - 1)["meta"]["next_cursor"] is not None
    # A cursor works behind an offset, too.
    second = page(client, "/api/reports", limit=1, offset=1)
    third = page(client, "/api/reports", limit=1, cursor=second["meta"]["next_cursor"])
    assert ids(third["data"]) == ids(page(client, "/api/reports", limit=1, offset=2)["data"])


def test_rows_that_come_and_go_move_no_others(platform: Served, client: httpx2.Client) -> None:
    """By offset, the second page would begin with a row of the first one, or leave one out."""
    whole = page(client, "/api/reports")["data"]
    assert len(whole) > 6
    first = page(client, "/api/reports", limit=3)
    with platform.database.connect() as connection:
        # The last row comes before the first page; and the very row on which the cursor stands goes.
        connection.execute(
            "update app.email_reports set created_at = %s::timestamptz + interval '1 day' where report_id = %s",
            [whole[0]["created_at"], whole[-1]["report_id"]],
        )
        connection.execute("delete from app.email_reports where report_id = %s", [first["data"][-1]["report_id"]])
    second = page(client, "/api/reports", limit=3, cursor=first["meta"]["next_cursor"])
    assert ids(second["data"]) == ids(whole[3:6])


@pytest.mark.parametrize(
    "change", [{"sort_order": "asc"}, {"sort_by": "name"}, {"is_active": "true"}, {"search": "Ibsen"}]
)
def test_a_cursor_of_another_list_is_refused(client: httpx2.Client, change: dict[str, str]) -> None:
    cursor = page(client, "/api/tutors", limit=2)["meta"]["next_cursor"]
    assert page(client, "/api/tutors", limit=3, cursor=cursor)["data"]
    assert page(client, "/api/tutors", cursor=cursor, sort_order="desc")["data"]
    refused(client, "/api/tutors", "other filters", cursor=cursor, **change)
    refused(client, "/api/matching/tutors", "other filters", cursor=cursor)
    theirs = page(client, "/api/matching/tutors/T-1/matches", limit=2)["meta"]["next_cursor"]
    refused(client, "/api/matching/tutors/T-2/matches", "other filters", cursor=theirs)


def refused(client: httpx2.Client, path: str, why: str, **query: Any) -> None:
    told = problem(client.get(path, params=query), 400)
    assert [(error.field, why in error.message) for error in told.errors or []] == [("cursor", True)], told


@pytest.mark.parametrize("path", ["/api/tutors", "/api/reports", "/api/audit", "/api/cases"])
def test_what_is_no_cursor_is_refused(client: httpx2.Client, path: str) -> None:
    cursor = page(client, path, limit=2)["meta"]["next_cursor"]
    digest, *values = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    refused(client, path, "either cursor or offset", cursor=cursor, offset=2)
    for wrong in ("a", "abcd", cursor[:-4], made(values), made({}), made([digest, 1])):
        refused(client, path, "cursor", cursor=wrong)
    for crafted in ([digest, *["x"] * len(values)], [digest, *["\0"] * len(values)]):
        refused(client, path, "no cursor", cursor=made(crafted))
    refused(client, path, "pattern", cursor="a b")


def made(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(
    st.lists(st.tuples(st.none() | st.sampled_from([-1.5, 0.1, 0.3, 1e300]), st.none() | st.sampled_from("aBä'🙂"))),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
)
@examples(60)
def test_any_rows_are_on_one_page_each(
    database: Database,
    rows: list[tuple[float | None, str | None]],
    numbers_fall: bool,
    texts_fall: bool,
    limit: int,
) -> None:
    keys = (SortKey("number", "double precision", numbers_fall), SortKey("text", "text", texts_fall))
    order = Order(*keys, SortKey("id", "bigint"))
    source = "(select * from jsonb_to_recordset(%(rows)s::text::jsonb) as r (id bigint, number float8, text text))"
    pages = order.pages(source, limit="%(limit)s", offset="0", place="%(place)s")
    sql = f"with {pages} select array(select id from page order by {order.sql}), cursor from following".encode()
    whole = json.dumps([{"id": i, "number": number, "text": text} for i, (number, text) in enumerate(rows)])
    with database.connect() as connection:
        values: dict[str, Any] = {"rows": whole, "limit": len(rows) + 1, "place": ["d"]}
        expected = connection.execute(sql, values).fetchall()[0][0]
        assert len(expected) == len(rows)
        seen = []
        values["limit"] = limit
        while True:
            [(found, cursor)] = connection.execute(sql, values).fetchall()
            seen += found
            if cursor is None:
                break
            assert len(found) == limit
            values["place"] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    assert seen == expected
