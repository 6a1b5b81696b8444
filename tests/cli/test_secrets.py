"""A canary in every secret: whatever goes wrong, it is in no output, log, row or argument list."""

import os
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from cli.app import app
from core.database import Database
from core.postgres_urls import parse, render
from tests.conftest import PUBLISHED, Postgres

CANARY = "c4n4ry"
PASSWORD = f"{CANARY} db%/@#?"
SECRETS = {
    "TUTORQ_OPENAI_API_KEY": f"sk-{CANARY}-openai",
    "TUTORQ_OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
    "TUTORQ_SENDGRID_API_KEY": f"SG.{CANARY}-sendgrid\n",
    "TUTORQ_SENDGRID_BASE_URL": "http://127.0.0.1:1",
    "TUTORQ_SMTP_URL": f"smtp://mailer:{CANARY}%20smtp@127.0.0.1:1",
    "TUTORQ_SES_SMTP_USERNAME": "mailer",
    "TUTORQ_SES_SMTP_PASSWORD": f"{CANARY}+ses",
    "TUTORQ_OIDC_CLIENT_SECRET": f"{CANARY}-oidc",
    "TUTORQ_MCP_KEY": f"tq_{CANARY}_mcp",
    "TUTORQ_SES_ENDPOINT_URL": "127.0.0.1:1",
    "TUTORQ_MAIL_FROM": "tutorq@example.org",
    "TUTORQ_STAFF_EMAILS": "staff@example.org",
}
NOWHERE = f"postgresql://u:{CANARY} db%25@127.0.0.1:1/tutorq"
PROBLEMS = {
    "no server": {"TUTORQ_DATABASE_URL": NOWHERE},
    "no server for a role": {f"TUTORQ_{role}_DATABASE_URL": NOWHERE for role in ("INGEST", "TRANSFORM", "API")},
    "a URL with a bad escape": {"TUTORQ_DATABASE_URL": f"postgresql://u:{CANARY}%@h/d"},
    "a URL with a slash": {"TUTORQ_API_DATABASE_URL": f"postgresql://u:1/{CANARY}@h/d"},
    "a URL with its driver": {"TUTORQ_DAGSTER_DATABASE_URL": f"postgresql+psycopg2://u:{CANARY}@h/d"},
    "a key with a blank": {"TUTORQ_SENDGRID_API_KEY": f"SG {CANARY}"},
    "another setting": {"TUTORQ_TIMEZONE": "Nowhere"},
    "two settings that do not fit": {"TUTORQ_WATCH_PROBABILITY": "0.9"},
}
# One of each kind; all forms of URLs are in core/test_postgres_urls.py.
IN_THE_GATE = ("no server", "a URL with a bad escape", "a key with a blank", "another setting")
assert set(IN_THE_GATE) <= PROBLEMS.keys()
# What a verb needs to get to work.
ARGUMENTS: dict[tuple[str, ...], list[str]] = {
    ("load",): ["{home}"],
    ("demo",): ["{home}/demo", "--tutors=2", "--students=4", "--days=20"],
    ("db", "shell"): ["-c", "select 1"],
    ("db", "migrate"): ["--logins"],
    ("db", "backup"): ["{home}/backup.zip"],
    ("db", "restore"): ["{home}/backup.zip"],
    ("db", "export"): ["{home}/marts"],
    # Nobody is made: roles belong to the server, which other tests use.
    ("db", "analyst"): ["nobody_of_this_name", "--remove"],
    ("keys", "create"): ["--name=x"],
    ("keys", "rotate"): ["x"],
    ("login-link",): ["ann@example.org"],
    ("settings", "apply"): ["risk_threshold=0.2"],
    ("what-if",): ["--threshold=0.2"],
    ("people", "add"): ["ann@example.org", "--name=Ann"],
    ("people", "change"): ["ann@example.org"],
    ("people", "remove"): ["ann@example.org"],
    ("people", "team"): ["ann@example.org"],
    ("person", "export"): ["x", "--out={home}/person"],
    ("person", "erase"): ["x", "--yes"],
    ("person", "allow"): ["x"],
    ("keys", "revoke"): ["x"],
    ("reports", "preview"): ["daily_digest"],
    ("evaluate-matching",): [f"--{part}={{home}}/sessions.csv" for part in ("ratings", "students", "tutors")],
    ("watch",): ["--once"],
    ("worker",): ["--queue=steps"],
    ("sync",): ["cal"],
}


def verbs(command: Any = None, name: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every verb there is, so that no new one is left out."""
    command = command or typer.main.get_command(app)
    if not hasattr(command, "commands"):
        yield name
        return
    for part, inner in command.commands.items():
        yield from verbs(inner, (*name, part))


def said(home: Path, *arguments: str) -> str:
    """All that a verb puts out, and whatever it failed with; it may fail, but in words."""
    result = CliRunner().invoke(app, [argument.format(home=home) for argument in arguments])
    text = result.output
    if result.exception:
        text += "".join(traceback.format_exception(result.exception))
        assert isinstance(result.exception, SystemExit), (arguments, text)
    assert result.exit_code != 2, (arguments, text)
    return text


def files(home: Path) -> str:
    """What is in all files under a home."""
    return "\n".join(
        path.read_bytes().decode(errors="replace")
        for path in home.rglob("*")
        if path.is_file() and not path.is_symlink()
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "sessions.csv").write_text(
        "session_id,tutor_id,student_id,scheduled_time,status\ns,t,p,2026-01-05T10:00:00Z,completed\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUTORQ_HOME", str(home))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return home


@pytest.mark.slow
@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(problem, id=name, marks=[] if name in IN_THE_GATE else pytest.mark.soak)
        for name, problem in PROBLEMS.items()
    ],
)
def test_no_verb_tells_a_secret_when_something_is_wrong(
    home: Path, monkeypatch: pytest.MonkeyPatch, problem: dict[str, str]
) -> None:
    for name, value in problem.items():
        monkeypatch.setenv(name, value)
    for verb in verbs():
        text = said(home, *verb, *ARGUMENTS.get(verb, []))
        assert CANARY not in text, (verb, text)
    assert CANARY not in files(home)


# A program that says how it was called, in the place of psql.
TELLTALE = "#!/bin/sh\necho called with: $0 $*\n"
# `up` stays; `db url` and `db env` are there to tell the password.
APART = {("up",), ("db", "url"), ("db", "env")}


@pytest.mark.slow
def test_no_verb_tells_a_secret_when_all_is_well(
    home: Path,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    database = postgres.new_database(home, PUBLISHED)
    parameters = {**parse(database.login_url), "password": PASSWORD}
    monkeypatch.setenv("TUTORQ_DATABASE_URL", render(parameters))
    psql = home / "bin" / "psql"
    psql.parent.mkdir()
    psql.write_text(TELLTALE)
    psql.chmod(0o755)
    monkeypatch.setenv("PATH", f"{psql.parent}:{os.environ['PATH']}")

    text = ""
    for verb in verbs():
        if verb not in APART:
            # `db migrate --logins` is of URLs that name other logins.
            text += said(home, *verb, *(ARGUMENTS.get(verb, []) if verb != ("db", "migrate") else []))
    text += "".join(capfd.readouterr())
    assert "called with" in text
    assert CANARY not in text

    for provider in ("smtp", "ses", "sendgrid"):
        monkeypatch.setenv("TUTORQ_MAIL_PROVIDER", provider)
        queue_mail(database)
        assert CANARY not in said(home, "reports", "send")
    assert CANARY not in "".join(everything_stored(database))
    assert CANARY not in files(home)


def queue_mail(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("delete from app.email_reports")
        connection.execute(
            "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload) "
            "values ('alert', 't', 'k', 'staff@example.org', 's', '{}')"
        )


def everything_stored(database: Database) -> Sequence[str]:
    """The rows that say how mail and loads went."""
    with database.connect() as connection, connection.cursor(row_factory=psycopg.rows.scalar_row) as cursor:
        return [
            text
            for table in ("app.email_reports", "raw.loads", "app.audit_log")
            for text in cursor.execute(f"select t::text from {table} as t".encode()).fetchall()
        ]
