"""Errors, and the API beside a database that is not as it should be."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest

from api.health.schemas import Health
from api.problems import Problem
from core.settings import Settings
from tests.api.conftest import DASHBOARD_ORIGIN, Served, serve, served
from tests.conftest import PUBLISHED, Postgres


def swap(connection: psycopg.Connection, table: str, column: str | None = None) -> None:
    """What a run of dbt does, perhaps with another type of a column."""
    find = "select case relkind when 'v' then 'view' else 'table' end from pg_class where oid = %s::regclass"
    (kind,) = connection.execute(find, [f"marts.{table}"]).fetchone() or (None,)
    connection.execute(
        f"""
        create table marts.{table}__dbt_tmp as select * from marts.{table};
        {f"alter table marts.{table}__dbt_tmp alter column {column};" if column else ""}
        grant select on marts.{table}__dbt_tmp to tutorq_api;
        alter table marts.{table} rename to {table}__dbt_backup;
        alter table marts.{table}__dbt_tmp rename to {table};
        drop {kind} marts.{table}__dbt_backup cascade
        """.encode()
    )


@pytest.fixture
def sessions_view(published: Served) -> Iterator[None]:
    """Afterwards marts.fct_sessions is a view again, and so are those that read it and went with it."""
    # In the order in which they were made: some read others.
    known = (
        "select relname, pg_get_viewdef(oid) from pg_class "
        "where relkind = 'v' and relnamespace = 'marts'::regnamespace order by oid"
    )
    with published.database.connect(autocommit=True) as connection:
        views = connection.execute(known).fetchall()
        yield
        connection.execute("drop table marts.fct_sessions cascade")
        left = {name for name, _ in connection.execute(known)}
        for name, sql in views:
            if name not in left:
                connection.execute(f"create view marts.{name} as {sql}".encode())
                connection.execute(f"grant select on marts.{name} to tutorq_api".encode())


def problem(response: httpx2.Response, status: int) -> Problem:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    parsed = Problem.model_validate_json(response.content)
    assert parsed.status == status
    assert parsed.request_id == response.headers["x-request-id"]
    return parsed


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/matching/students"),
        ("PATCH", "/api/matching/students/s"),
        ("PATCH", "/api/matching/tutors/t"),
        ("POST", "/api/matching/generate-all"),
        ("POST", "/api/matching/assignments"),
        ("POST", "/api/sessions/s/excuse"),
        ("DELETE", "/api/sessions/s/excuse"),
        ("POST", "/api/audit/exports"),
    ],
)
def test_what_changes_something_ignores_no_parameter(client: httpx2.Client, method: str, path: str) -> None:
    refused = problem(client.request(method, f"{path}?dry_run=true"), 400)
    assert [(error.field, error.message) for error in refused.errors or []] == [
        ("dry_run", "There is no such parameter")
    ]


def test_every_error_is_a_problem(client: httpx2.Client) -> None:
    assert problem(client.get("/api/nothing"), 404).title == "Not Found"
    assert problem(client.get("/api/tutors/"), 404).type == "about:blank"
    response = client.post("/api/overview", json={})
    assert problem(response, 405).detail == "POST is not possible at this address."
    assert response.headers["allow"] == "GET"
    # Two routes share the address.
    assert client.put("/api/matching/students").headers["allow"] == "GET, POST"
    assert problem(client.get("/api/tutors?limit=x"), 400).errors
    assert problem(client.get("/api/overview", headers={"X-API-Key": "x"}), 401).errors is None


def test_an_unexpected_error_gives_nothing_away(published: Served, client: httpx2.Client) -> None:
    rename = "update marts.tutor_concerns set concern = %s where concern = %s"
    with published.database.connect(autocommit=True) as connection:
        connection.execute(rename, ["trend", "unreliable"])
        try:
            response = client.get("/api/tutors/T-1", headers={"Origin": DASHBOARD_ORIGIN})
        finally:
            connection.execute(rename, ["unreliable", "trend"])
    assert problem(response, 500).title == "Something went wrong here"
    assert "trend" not in response.text
    # Without these a browser could not even see that it was a 500.
    assert response.headers["access-control-allow-origin"] == DASHBOARD_ORIGIN
    assert client.get("/api/tutors").status_code == 200


def test_before_the_first_publication(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path, PUBLISHED)
    with database.connect() as connection:
        connection.execute("alter schema marts rename to to_come; create schema marts")
        connection.execute("grant usage on schema marts to tutorq_api")
    with served(database, tmp_path) as unpublished, unpublished.client(unpublished.key) as client:
        for path in ("/api/tutors", "/api/tutors/T-1", "/api/overview"):
            found = problem(client.get(path), 503)
            assert (found.type, found.title) == (
                "urn:tutorq:problem:not-published",
                "Scores have not been published yet",
            )
        health = client.get("/api/health")
        assert (health.status_code, health.json()["status"]) == (503, "starting")
        with database.connect() as connection:
            connection.execute("drop schema marts; alter schema to_come rename to marts")
            connection.execute("create table marts.kept as table marts.publication")
            connection.execute("delete from marts.publication")
        problem(client.get("/api/overview"), 503)
        problem(client.get("/api/overview", headers={"If-None-Match": '"x-y"'}), 503)
        with database.connect() as connection:
            connection.execute("insert into marts.publication table marts.kept")
        assert client.get("/api/overview").status_code == 200


def test_scores_of_the_version_before(published: Served, client: httpx2.Client) -> None:
    """Until the first run after an upgrade the marts lack what is new; what does not need it is answered."""
    paths = ("/api/tutors?sort_by=attention", "/api/tutors/T-1", "/api/tutors/T-1/explanation", "/api/overview")
    missing = [
        ("marts.{} rename to {}", "tutor_concerns", paths[1:]),
        ("intermediate.{} rename to {}", "tutor_rows", paths[:1]),
        ("marts.platform_baseline rename column {} to {}", "rating_share", paths[2:3]),
        ("marts.tutor_scores rename column {} to {}", "concerns", paths[3:]),
    ]
    with published.database.connect(autocommit=True) as connection:
        for rename, name, outdated in missing:
            connection.execute(f"alter table {rename.format(name, 'away')}".encode())
            try:
                for path in outdated:
                    response = client.get(path)
                    found = problem(response, 503)
                    assert found.type == "urn:tutorq:problem:outdated-scores", path
                    assert found.title == "This version has not made its scores yet"
                    assert response.headers["retry-after"] == "30"
                assert client.get("/api/tutors/T-1/history").status_code == 200
            finally:
                connection.execute(f"alter table {rename.format('away', name)}".encode())
    assert client.get(paths[0]).status_code == 200


def test_without_a_database() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with serve(Settings(database_url=f"postgresql://nobody@127.0.0.1:{port}/nothing")) as base_url:
        response = httpx2.get(f"{base_url}/api/tutors", headers={"X-API-Key": f"tq_00000000_{'A' * 43}"})
        assert problem(response, 503).type == "urn:tutorq:problem:database-unavailable"
        assert response.headers["retry-after"] == "5"
        assert str(port) not in response.text
        health = httpx2.get(f"{base_url}/api/health")
    assert health.status_code == 503
    assert Health.model_validate_json(health.content).checks.database.status == "failed"


def test_a_restarted_server_is_not_noticed(published: Served, client: httpx2.Client) -> None:
    assert client.get("/api/overview").status_code == 200
    with published.database.connect() as connection:
        row = connection.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where application_name = 'tutorq-api' and datname = current_database()"
        ).fetchone()
    assert row is not None
    assert row[0] > 0
    assert [client.get("/api/overview").status_code for _ in range(12)] == [200] * 12


@pytest.mark.usefixtures("sessions_view")
def test_a_table_of_other_types_under_a_prepared_statement(published: Served, client: httpx2.Client) -> None:
    # Statements are prepared at first use, and planned for good after some uses.
    before = [client.get("/api/tutors/T-6/history").json() for _ in range(7)][-1]
    with published.database.connect(autocommit=True) as connection:
        swap(connection, "fct_sessions", "rating type double precision")
        try:
            after = client.get("/api/tutors/T-6/history")
        finally:
            swap(connection, "fct_sessions", "rating type numeric")
    assert after.status_code == 200
    assert [event["rating"] for event in after.json()["data"]["events"]] == [
        event["rating"] for event in before["data"]["events"]
    ]


@pytest.mark.usefixtures("sessions_view")
def test_readers_do_not_notice_tables_being_swapped(published: Served, client: httpx2.Client) -> None:
    over = threading.Event()
    statuses: list[int] = []

    def read() -> None:
        with published.client(published.key) as reader:
            while not over.is_set():
                statuses.extend(reader.get(path).status_code for path in ("/api/tutors", "/api/tutors/T-6/history"))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    with published.database.connect(autocommit=True) as connection:
        swaps = 0
        deadline = time.monotonic() + 60
        while (swaps <= 40 or len(statuses) <= 50) and time.monotonic() < deadline:
            for table in ("tutor_scores", "fct_sessions", "score_history", "publication"):
                with connection.transaction():
                    swap(connection, table)
                swaps += 1
    over.set()
    for reader in readers:
        reader.join()
    assert swaps > 40
    assert len(statuses) > 50
    assert set(statuses) == {200}


@pytest.mark.parametrize("given", ["abc-123", "A.b_c", "x" * 128])
def test_a_sane_request_id_is_kept(client: httpx2.Client, given: str) -> None:
    assert client.get("/api/health", headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, '{"a":1}'])
def test_another_request_id_is_replaced(client: httpx2.Client, given: str) -> None:
    ids = {client.get("/api/health", headers={"X-Request-ID": given}).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
    assert given not in ids


def test_browsers_are_told_to_be_strict(published: Served, client: httpx2.Client) -> None:
    response = client.get("/api/tutors", headers={"Origin": DASHBOARD_ORIGIN})
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert response.headers["access-control-allow-origin"] == DASHBOARD_ORIGIN
    assert "etag" in response.headers["access-control-expose-headers"].lower()
    stranger = client.get("/api/tutors", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in stranger.headers
    preflight = httpx2.options(
        f"{published.base_url}/api/tutors",
        headers={
            "Origin": DASHBOARD_ORIGIN,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "X-API-Key",
        },
    )
    assert preflight.status_code == 200
