"""Addresses of Postgres: whatever is in a password arrives, and is in no error."""

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError
from sqlalchemy.engine import make_url

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
    read = make_url(url)
    assert (read.username, read.password, read.database, read.host, read.port) == (
        user, password, database, "h.example", 5433,
    )  # fmt: skip
    assert read.query == {"application_name": name}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:pa ss@h/d", {"user": "u", "password": "pa ss", "host": "h", "dbname": "d"}),
        ("  postgres://u:p%25@[::1]:5/d\n", {"user": "u", "password": "p%", "host": "::1", "port": "5", "dbname": "d"}),
        ("host=h user=u password='a b' dbname=d", {"host": "h", "user": "u", "password": "a b", "dbname": "d"}),
        (
            "postgresql://u:p@a:1,b:2/d?target_session_attrs=read-write",
            {"user": "u", "password": "p", "host": "a,b", "port": "1,2", "dbname": "d",
             "target_session_attrs": "read-write"},
        ),
        ("postgresql://u@/d?host=/run/my%20sockets", {"user": "u", "host": "/run/my sockets", "dbname": "d"}),
    ],
)  # fmt: skip
def test_forms_that_people_write(text: str, expected: dict[str, str]) -> None:
    assert parse(text) == expected
    assert parse(render(parse(text))) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (f"'postgresql://u:{CANARY}@h/d'", "quotation marks"),
        (f"postgresql+psycopg://u:{CANARY}@h/d", "write postgresql://"),
        (f"mysql://u:{CANARY}@h/d", "write postgresql://"),
        (f"postgresql://u:{CANARY}%@h/d", "%25"),
        (f"postgresql://u:{CANARY}@{CANARY}@h/d", "%40"),
        (f"postgresql://u:/{CANARY}@h/d", "%2F"),
        (f"postgresql://u:{CANARY}@h", "names no database"),
        (f"postgresql://u:{CANARY}@h/d?sslmod=require", "unknown parameter sslmod"),
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
    url, dropped = for_asyncpg(
        "postgresql://u:p@h/d?channel_binding=require&connect_timeout=3&keepalives_idle=9&gssencmode=disable"
        "&sslmode=require&require_auth=scram-sha-256&options=-c%20search_path%3Draw"
    )
    assert parse(url) == {
        "user": "u",
        "password": "p",
        "host": "h",
        "dbname": "d",
        "sslmode": "require",
        "options": "-c search_path=raw",
    }
    assert dropped == ["channel_binding", "gssencmode", "keepalives_idle", "require_auth"]


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


def test_own_options_stay() -> None:
    parameters = for_session({"dbname": "d", "options": "-c search_path=raw"}, "tutorq_api")
    assert parameters["options"].startswith("-c search_path=raw -c datestyle=ISO,MDY")
    assert parameters["options"].endswith("--role=tutorq_api")
