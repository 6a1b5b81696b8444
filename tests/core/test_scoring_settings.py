"""Settings that can be turned: within which limits, and what becomes of those that are applied."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core import audit, scoring_settings
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.scoring_settings import TURNABLE, ScoringSettings
from core.settings import Settings


def test_what_is_configured_is_within_the_limits_of_the_form() -> None:
    configured = scoring_settings.configured(Settings())
    assert ScoringSettings.model_validate(configured).changes() == configured
    assert {turnable.name for turnable in TURNABLE} == set(configured)
    for turnable in TURNABLE:
        if turnable.unit != "causes":
            assert turnable.least is not None
            assert turnable.most is not None
            assert turnable.least <= configured[turnable.name] <= turnable.most


def test_an_edit_of_the_project_counts_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that run for weeks compare with what dbt, which reads the file, publishes."""
    edited = tmp_path / "dbt_project.yml"
    edited.write_text(scoring_settings.VARS.read_text())
    monkeypatch.setattr(scoring_settings, "VARS", edited)
    assert scoring_settings.configured(Settings())["evidence_cap"] == 60
    edited.write_text(edited.read_text().replace("evidence_cap: 60", "evidence_cap: 70"))
    assert scoring_settings.configured(Settings())["evidence_cap"] == 70


@pytest.mark.parametrize(
    "changes",
    [
        {"risk_threshold": 0.7},
        {"risk_threshold": "0.2"},
        # The square of the oldest day's weight would be 0, and there would be no effective trials.
        {"evidence_half_life_days": 9},
        {"evidence_half_life_days": 30.5},
        {"reliability_counts": []},
        {"reliability_counts": ["moves"]},
        {"broad_share": 0.2},
        {"risk_threshold": float("nan")},
        # Two of these would multiply to less than a double precision number holds, and fail every score.
        {"rating_weight": 1e-200},
    ],
)
def test_what_is_none_of_these_settings_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ScoringSettings.model_validate(changes)


def test_causes_have_one_order_and_whole_numbers_no_point() -> None:
    given = {"reliability_counts": ["no_shows", "reschedules", "no_shows"], "evidence_cap": 40.0}
    assert ScoringSettings.model_validate(given).changes() == {
        "reliability_counts": ["reschedules", "no_shows"],
        "evidence_cap": 40,
    }


def test_applied_settings_win_until_they_are_reverted(database: Database, tmp_path: Path) -> None:
    # As an operator has configured it.
    settings = Settings(home=tmp_path, database_url=database.url, risk_threshold=0.12)
    with database.connect() as connection:

        def apply(changes: dict[str, Any] | None, note: str | None = None) -> dict[str, Any]:
            return scoring_settings.apply(connection, settings, changes, actor="Ann (person 7)", note=note)

        assert scoring_settings.dbt_vars(settings, connection)["risk_threshold"] == 0.12
        assert apply({"risk_threshold": 0.2, "evidence_cap": 80}, "agreed") == {
            "risk_threshold": {"from": 0.12, "to": 0.2},
            "evidence_cap": {"from": 60, "to": 80},
        }
        assert apply({"risk_threshold": 0.2}) == {}
        # Others stay, and one that is turned back to what is configured is none any more.
        assert apply({"risk_threshold": 0.12, "min_sessions": 8}) == {
            "risk_threshold": {"from": 0.2, "to": 0.12},
            "min_sessions": {"from": 5, "to": 8},
        }
        newest = scoring_settings.newest(connection)
        assert newest is not None
        assert newest.settings == {"evidence_cap": 80, "min_sessions": 8}
        known = scoring_settings.dbt_vars(settings, connection)
        assert (known["risk_threshold"], known["evidence_cap"], known["min_sessions"]) == (0.12, 80, 8)

        assert apply(None) == {"evidence_cap": {"from": 80, "to": 60}, "min_sessions": {"from": 8, "to": 5}}
        assert scoring_settings.in_force(settings, connection) == scoring_settings.configured(settings)
        entries = audit.find(connection, actions=[audit.Action.SCORING_APPLY], limit=10)
    assert entries[-1].details == {
        "risk_threshold": {"from": 0.12, "to": 0.2},
        "evidence_cap": {"from": 60, "to": 80},
        "note": "agreed",
    }
    assert len(entries) == 3
    assert {entry.actor for entry in entries} == {"Ann (person 7)"}
    # What runs of dbt connect as sees them, too.
    with database.as_role(DatabaseRole.TRANSFORM).connect() as connection:
        assert scoring_settings.newest(connection) is not None


def test_what_this_version_does_not_allow_is_left_out(database: Database, tmp_path: Path) -> None:
    """Rows of another version; and whoever may write rows cannot put SQL of theirs into what dbt runs."""
    settings = Settings(home=tmp_path, database_url=database.url)
    row = {
        "evidence_cap": 80,
        "of_a_later_version": 1,
        "metrics": [{"condition": "pg_sleep(9) is null"}],
        "models_version": "'; drop table raw.tutors; --",
        "risk_threshold": "0.1; drop table raw.tutors",
        "no_show_limit": 0.9,
        "min_sessions": None,
    }
    with database.connect() as connection:
        insert = "insert into app.scoring_settings (settings, applied_by) values (%s, 'somebody')"
        connection.execute(insert, [json.dumps(row)])
        assert scoring_settings.dbt_vars(settings, connection) == {**settings.dbt_vars(), "evidence_cap": 80}
        in_force = scoring_settings.in_force(settings, connection)
        assert in_force == {**scoring_settings.configured(settings), "evidence_cap": 80}
        # Nor does such a row keep others from being applied.
        assert scoring_settings.apply(connection, settings, {"min_sessions": 8}, actor="Ann", note=None)
        newest = scoring_settings.newest(connection)
    assert newest is not None
    assert newest.settings == {"evidence_cap": 80, "min_sessions": 8}


def test_what_contradicts_itself_is_not_applied(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=database.url)
    with database.connect() as connection:
        for changes in (
            {"watch_probability": 0.85},
            {"reliability_weight": 0, "attendance_weight": 0, "first_session_weight": 0, "rating_weight": 0},
        ):
            with pytest.raises(TutorqError):
                scoring_settings.apply(connection, settings, changes, actor="Ann", note=None)
        assert scoring_settings.newest(connection) is None
