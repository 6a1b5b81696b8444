"""Addresses of Postgres: whatever is in a password arrives, and is in no error."""

import asyncio

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError
from sqlalchemy.dialects.postgresql.psycopg2 import dialect
from sqlalchemy.engine import make_url

from api.database import open_pool
from core.database import Database, DatabaseRole
from core.postgres_urls import for_asyncpg, for_session, parse, render
from core.settings import Settings, settings_problem

CANARY = "s3cr3t"
# Postgres has no NUL in its texts, and a lone surrogate is no character.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(user=TEXTS, password=TEXTS, database=TEXTS, name=TEXTS)
def test_what_is_written_is_read_by_every_driver(user: str, password: str, database: str, name: str) -> None:
    parameters = {"user": user, "password": password, "dbname": database, "host": "h.example", "port": "5433"}
    url = render({**parameters, "application_name": name})
    assert conninfo_to_dict(url) == {**parameters, "application_name": name}
    assert parse(url) == {**parameters, "application_name": name}
    # Dagster's connections are SQLAlchemy's.
    _, connected = dialect().create_connect_args(make_url(url))
    assert connected == {**parameters, "port": 5433, "application_name": name}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:pa ss@h/d", {"user": "u", "password": "pa ss", "host": "h", "dbname": "d"}),
        ("  postgres://u:p%25@[::1]:5/d\n", {"user": "u", "password": "p%", "host": "::1", "port": "5", "dbname": "d"}),
        ("host=h user=u password='a b' dbname=d", {"host": "h", "user": "u", "password": "a b", "dbname": "d"}),
        ("postgresql://u:p#[?&=:]@h/d", {"user": "u", "password": "p#[?&=:]", "host": "h", "dbname": "d"}),
        ("postgresql://u@/d?host=/run/my%20sockets", {"user": "u", "host": "/run/my sockets", "dbname": "d"}),
        ("postgresql:///d", {"dbname": "d"}),
        (
            "postgresql://u:p@a:1,[::2]:2/d?target_session_attrs=read-write",
            {"user": "u", "password": "p", "host": "a,::2", "port": "1,2", "dbname": "d",
             "target_session_attrs": "read-write"},
        ),
        ("host=a,b dbname=d", {"host": "a,b", "port": "5432,5432", "dbname": "d"}),
        ("postgresql://a,b/d?port=6432", {"host": "a,b", "port": "6432,6432", "dbname": "d"}),
    ],
)  # fmt: skip
def test_forms_that_people_write(text: str, expected: dict[str, str]) -> None:
    assert parse(text) == expected
    url = render(expected)
    assert parse(url) == expected
    assert conninfo_to_dict(url) == expected
    _, sqlalchemys = dialect().create_connect_args(make_url(url))
    assert {name: str(value) for name, value in sqlalchemys.items()} == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (f"'postgresql://u:{CANARY}@h/d'", "quotation marks"),
        (f"postgresql+psycopg://u:{CANARY}@h/d", "write postgresql://"),
        (f"mysql://u:{CANARY}@h/d", "write postgresql://"),
        (f"postgresql://u:{CANARY}%@h/d", "%25"),
        (f"postgresql://u:{CANARY}@{CANARY}@h/d", "%40"),
        (f"postgresql://u:/{CANARY}@h/d", "%2F"),
        (f"postgresql://u:12/{CANARY}@h/d", "%2F"),
        (f"postgresql://u:@?{CANARY}=1@h/d", "%40"),
        (f"postgresql://u:@?{CANARY}=1", "%40"),
        (f"postgresql://u:{CANARY}@h", "names no database"),
        (f"postgresql://u:{CANARY}@h/d?sslmod=require", "did you mean sslmode"),
        (f"postgresql://u:{CANARY}@h/d?service=ours", "names a service"),
        (f"postgresql://u:{CANARY}@h,i,j/d?port=1,2", "3 hosts and 2 ports"),
        (f"host=h password=two {CANARY} dbname=d", "single quotes"),
        (f"u:{CANARY}@h", "postgresql://user:password@host"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line_without_the_password(text: str, hint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(database_url=text)
    for said in (settings_problem(caught.value), str(caught.value)):
        assert hint in said
        assert CANARY not in said
    assert settings_problem(caught.value).startswith("TUTORQ_DATABASE_URL: ")
    assert "\n" not in settings_problem(caught.value)


def test_settings_do_not_show_their_urls() -> None:
    urls = {
        f"{name}database_url": f"postgresql://u:{CANARY}@h/d"
        for name in ("", "ingest_", "transform_", "api_", "dagster_")
    }
    settings = Settings.model_validate(urls)
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings)


def test_asyncpg_gets_what_it_understands_and_the_rest_is_named() -> None:
    address, dropped = for_asyncpg(
        "postgresql://u:p%20q@a:1,[::2]:2/d?channel_binding=require&connect_timeout=3&keepalives_idle=9"
        "&gssencmode=disable&sslmode=require&require_auth=scram-sha-256&options=-c%20search_path%3Draw"
    )
    assert address == {
        "user": "u",
        "password": "p q",
        "host": ["a", "::2"],
        "port": [1, 2],
        "database": "d",
        "dsn": "postgresql:///?options=-c%20search_path%3Draw&sslmode=require",
    }
    assert dropped == ["channel_binding", "gssencmode", "keepalives_idle", "require_auth"]


@pytest.mark.parametrize(("sslmode", "host"), [("require", "10.0.0.1"), ("verify-full", "h")])
def test_asyncpg_connects_to_an_address_unless_a_certificate_names_the_host(sslmode: str, host: str) -> None:
    address, dropped = for_asyncpg(f"postgresql://u@h/d?hostaddr=10.0.0.1&sslmode={sslmode}")
    assert address["host"] == [host]
    assert dropped == (["hostaddr"] if host == "h" else [])


def test_asyncpg_trusts_what_the_system_trusts() -> None:
    address, _ = for_asyncpg("postgresql://u@h/d?sslrootcert=system")
    assert "sslmode=verify-full" in address["dsn"]
    assert "system" not in address["dsn"]


def hosts_of(database: Database) -> str:
    """URL of the database, behind a first host where nobody listens."""
    parameters = parse(database.login_url)
    return render({**parameters, "host": f"/nowhere,{parameters['host']}", "port": "5432"})


def test_the_first_host_that_answers_is_taken_by_psycopg_and_asyncpg(database: Database) -> None:
    several = Database(Settings(database_url=hosts_of(database)), DatabaseRole.API)
    with several.connect() as connection:
        assert connection.execute("select current_user").fetchone() == ("tutorq_api",)

    async def who() -> object:
        async with open_pool(several.url, size=1) as pool:
            return await pool.fetchval("select current_user || current_setting('intervalstyle')")

    assert asyncio.run(who()) == "tutorq_apipostgres"


def test_dbt_gets_one_host_and_the_defaults_of_libpq(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = parse(database.login_url)
    given = Database(Settings(database_url=hosts_of(database))).libpq_environment()
    assert (given["PGHOST"], given["PGPORT"]) == (parameters["host"], "5432")
    monkeypatch.setenv("PGHOST", parameters["host"])
    monkeypatch.setenv("PGUSER", "postgres")
    given = Database(Settings(database_url=f"postgresql:///{parameters['dbname']}")).libpq_environment()
    assert (given["PGHOST"], given["PGUSER"]) == (parameters["host"], "postgres")


@pytest.mark.parametrize("role", [None, DatabaseRole.TRANSFORM])
def test_connections_read_and_write_alike_whatever_the_server_is_set_to(
    database: Database, role: DatabaseRole | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database.login_url, autocommit=True) as connection:
        name = connection.info.dbname
        for setting, value in (
            ("datestyle", "SQL, DMY"), ("intervalstyle", "iso_8601"), ("timezone", "Asia/Tokyo"),
            ("client_encoding", "LATIN1"),
        ):  # fmt: skip
            connection.execute(f"alter database {name} set {setting} = '{value}'".encode())
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with (database.as_role(role) if role else database).connect() as connection:
        row = connection.execute(
            "select date '2026-02-01'::text, interval '90 minutes'::text, timestamptz '2026-02-01 00:00+00'::text, "
            "'Zoë ✓', current_user::text"
        ).fetchone()
    assert row == ("2026-02-01", "01:30:00", "2026-02-01 00:00:00+00", "Zoë ✓", role or row[4])


def test_ours_counts_after_one_that_begins_like_it() -> None:
    theirs = "-c timezone=UTC+3 -c datestyle=ISO,MDY -c datestyle=German"
    options = for_session({"dbname": "d", "options": theirs})["options"]
    assert options == f"{theirs} -c datestyle=ISO,MDY -c intervalstyle=postgres -c timezone=UTC"


def test_own_options_stay() -> None:
    parameters = for_session({"dbname": "d", "options": "-c search_path=raw"}, "tutorq_api")
    assert parameters["options"].startswith("-c search_path=raw -c datestyle=ISO,MDY")
    assert parameters["options"].endswith("--role=tutorq_api")
