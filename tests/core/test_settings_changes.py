"""Changed settings are told by name, and secrets never."""

from pathlib import Path
from typing import Any

import pytest

from core.database import Database, DatabaseRole
from core.settings import MADE_UP, Settings
from core.settings_changes import note_changes

CANARY = "canary-4711"
SECRETS = {
    "database_url": f"postgresql://owner:{CANARY}@host/tutorq",
    "smtp_url": f"smtp://user:{CANARY}@host:587",
    "openai_api_key": CANARY,
    "openai_base_url": f"https://user:{CANARY}@host/v1",
    "sendgrid_webhook_key": CANARY,
    "ses_smtp_password": CANARY,
    "oidc_client_secret": CANARY,
    "model_store_endpoint_url": f"https://{CANARY}@host",
    "staff_emails": [f"{CANARY}@example.org"],
}


def start(database: Database, home: Path, **changes: Any) -> list[str]:
    """A start of the API with these settings, with no more rights than it has."""
    with database.as_role(DatabaseRole.API).connect() as connection:
        return note_changes(connection, Settings(home=home, **changes), "api")


def entries(database: Database) -> list[tuple[Any, ...]]:
    query = "select subject_id, details from app.audit_log where action = 'setting.change' order by entry_id"
    with database.connect() as connection:
        return connection.execute(query).fetchall()


def test_a_changed_setting_is_told_once_with_both_values(database: Database, tmp_path: Path) -> None:
    start(database, tmp_path)
    before = len(entries(database))
    assert start(database, tmp_path) == []
    assert start(database, tmp_path, timezone="Europe/Vienna") == ["TUTORQ_TIMEZONE"]
    assert start(database, tmp_path, timezone="Europe/Vienna") == []
    assert start(database, tmp_path, risk_threshold=0.2, cors_origins=["https://a.example"]) == [
        "TUTORQ_CORS_ORIGINS",
        "TUTORQ_RISK_THRESHOLD",
        "TUTORQ_TIMEZONE",
    ]
    assert entries(database)[before:] == [
        ("TUTORQ_TIMEZONE", {"from": "default", "to": "Europe/Vienna"}),
        ("TUTORQ_CORS_ORIGINS", {"from": "default", "to": "https://a.example"}),
        ("TUTORQ_RISK_THRESHOLD", {"from": "default", "to": "0.2"}),
        ("TUTORQ_TIMEZONE", {"from": "Europe/Vienna", "to": "default"}),
    ]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_compared_and_never_kept(database: Database, tmp_path: Path, name: str) -> None:
    variable = f"TUTORQ_{name.upper()}"
    value = SECRETS[name]
    other = [f"other-{each}" for each in value] if isinstance(value, list) else value.replace(CANARY, "other")
    start(database, tmp_path)
    assert start(database, tmp_path, **{name: value}) == [variable]
    assert start(database, tmp_path, **{name: value}) == []
    assert start(database, tmp_path, **{name: other}) == [variable]
    assert start(database, tmp_path) == [variable]
    assert [details for subject, details in entries(database) if subject == variable] == [
        {"from": "default", "to": "hidden"},
        {"from": "hidden", "to": "hidden"},
        {"from": "hidden", "to": "default"},
    ]
    start(database, tmp_path, **{name: value})
    with database.connect() as connection:
        kept = str(connection.execute("table app.known_settings").fetchall()) + str(entries(database))
    assert CANARY not in kept


def test_a_token_that_each_start_makes_up_is_no_change(database: Database, tmp_path: Path) -> None:
    start(database, tmp_path)
    for number in range(2):
        assert start(database, tmp_path, dagster_token=f"{MADE_UP}{number}") == []
    assert start(database, tmp_path, dagster_token=CANARY) == ["TUTORQ_DAGSTER_TOKEN"]


def test_services_are_told_apart(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, timezone="Europe/Vienna")
    with database.connect() as connection:
        assert "TUTORQ_TIMEZONE" in note_changes(connection, settings, "api")
        assert "TUTORQ_TIMEZONE" in note_changes(connection, settings, "another")
