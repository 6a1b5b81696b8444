"""`tutorq what-if` and `tutorq settings`."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from cli.doctor import data as doctor
from core import audit
from core.database import Database
from core.settings import Settings
from tests.conftest import PUBLISHED, Postgres
from tests.marts import DAY

# It needs marts.
pytestmark = pytest.mark.slow


@pytest.fixture
def database(postgres: Postgres, tmp_path: Path) -> Database:
    return postgres.new_database(tmp_path, PUBLISHED)


@pytest.fixture(autouse=True)
def _day(environment: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORQ_AS_OF", DAY.isoformat())


def tutorq(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == exit_code, result.output
    return result


def answer(*arguments: str) -> Any:
    return json.loads(tutorq(*arguments, "--json").stdout)


@pytest.mark.soak
def test_a_what_if_is_answered(database: Database) -> None:
    words = ("what-if", "--threshold", "0.04", "--half-life", "20", "--set", "min_sessions=3", "--weeks", "4")
    said = tutorq(*words).stdout
    assert "risk_threshold: 0.15 → 0.04" in said
    assert "evidence_half_life_days: 30 → 20" in said
    assert "let-down flags that were right" in said
    assert "No settings were changed." in said
    result = answer(*words)
    assert set(result["changed"]) == {"risk_threshold", "evidence_half_life_days", "min_sessions"}
    assert result["today"]["raised_then"] > result["today"]["raised_now"]
    assert len(result["history"]["changed"]["weeks"]) == 4
    with database.connect() as connection:
        assert connection.execute("select count(*) from app.scoring_settings").fetchone() == (0,)


def test_settings_are_applied_and_reverted(database: Database) -> None:
    said = tutorq("settings", "apply", "risk_threshold=0.2", "reliability_counts=no_shows", "--note", "agreed").stdout
    assert "risk_threshold: 0.15 → 0.2" in said
    assert "reliability_counts: reschedules,cancellations,no_shows → no_shows" in said
    shown = answer("settings", "show")
    values = {row["name"]: (row["configured"], row["value"]) for row in shown["settings"]}
    assert values["risk_threshold"] == (0.15, 0.2)
    assert shown["applied"]["note"] == "agreed"
    assert "Applied by command line" in tutorq("settings", "show").stdout
    assert answer("settings", "revert")["changed"]["risk_threshold"] == {"from": 0.2, "to": 0.15}
    assert "No changes." in tutorq("settings", "revert").stdout
    with database.connect() as connection:
        entries = audit.find(connection, actions=[audit.Action.SCORING_APPLY], limit=10)
    assert [sorted(entry.details) for entry in entries] == [
        ["reliability_counts", "risk_threshold"],
        ["note", "reliability_counts", "risk_threshold"],
    ]


def test_doctor_says_when_what_is_configured_contradicts_what_is_applied(database: Database) -> None:
    settings = Settings()
    assert doctor.scoring(settings, database).ok
    tutorq("settings", "apply", "high_risk_probability=0.6")
    found = doctor.scoring(settings, database)
    assert not found.ok
    assert "high_risk_probability 0.6 instead of 0.8; applied by command line" in found.found
    assert "the published scores use other settings" in found.found

    changed = settings.model_copy(update={"watch_probability": 0.7})
    found = doctor.scoring(changed, database)
    assert not found.ok
    assert "watch_probability must not be above high_risk_probability" in found.found
    assert "tutorq settings revert" in str(found.advice)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("what-if",), "name a setting to change"),
        (("what-if", "--threshold", "0.9"), "risk_threshold: Input should be less than or equal to 0.5"),
        (("what-if", "--set", "broad_share=0.2"), "'broad_share=0.2' is not NAME=VALUE with one of risk_threshold"),
        (("what-if", "--set", "evidence_cap=much"), "'much' is not a number"),
        (("what-if", "--set", "rating_weight=1e-9"), "rating_weight: must be 0 or at least 0.001"),
        (("what-if", "--counts", "moves"), "reliability_counts.0: Input should be 'reschedules'"),
        (("what-if", "--threshold", "0.15"), "these are the settings in force"),
        (("settings", "apply", "watch_probability=0.9"), "watch_probability must not be above"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words: tuple[str, ...], reason: str) -> None:
    said = tutorq(*words, exit_code=1).output
    assert said.startswith("error: ")
    assert reason in said
    assert said.count("\n") == 1
