"""Marts that dbt built with other vars than the default ones are confirmed, and by each of these vars."""

from dataclasses import replace

import pytest

from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from tests.marts import AS_OF, DATA
from tests.verify.rows import BASIS
from verify import verify
from verify.compare import compare
from verify.frames import load_kept, load_raw, load_scores
from verify.recompute import recompute

pytestmark = pytest.mark.slow

SETTINGS = {
    "timezone": "Asia/Tokyo",
    "risk_threshold": 0.36,
    "high_risk_probability": 0.55,
    "watch_probability": 0.1,
    "min_sessions": 33,
    "reliability_weight": 0.1,
    "attendance_weight": 0.2,
    "first_session_weight": 0.3,
    "rating_weight": 0.6,
    "first_session_follow_up_days": 14,
    "first_session_window_days": 100,
    "short_notice_hours": 36.5,
}


def test_scores_are_confirmed_with_the_settings_they_were_made_with(
    environment: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with database.connect() as connection:
        connection.execute(DATA)
    monkeypatch.setattr(Settings, "dbt_vars", lambda _: {"as_of": AS_OF, **SETTINGS})

    dbt_runner.build(environment, database)

    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=environment)
    assert report.ok, report.errors()
    with database.connect() as connection:
        frames, published, kept = load_raw(connection), load_scores(connection), load_kept(connection)
    for name in SETTINGS:
        default = replace(report.basis, **{name: getattr(BASIS, name)})
        assert not compare(recompute(frames, default, kept, published).scores, published, default).ok, (
            f"{name} does not matter"
        )
