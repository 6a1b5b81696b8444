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
CONCERN_RULES = {
    "concern_days": 21,
    "pace_days": 14,
    "evidence_days": 120,
    "evidence_half_life_days": 20,
    "evidence_cap": 8,
    "no_show_half_life_days": 45,
    "no_show_evidence_cap": 20,
    "broad_share": 0.3,
    "starts_needed": 25,
    "first_meetings_needed": 20,
    "ratings_needed": 12,
    "no_show_limit": 0.06,
    "late_start_limit": 0.3,
    "first_meeting_margin": 0.01,
    "rating_margin": 0.1,
    "rating_broad_variance": 1.5,
    "filter_days_between_jumps": 60,
}


def test_scores_are_confirmed_with_the_settings_they_were_made_with(
    environment: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with database.connect() as connection:
        connection.execute(DATA)
    with monkeypatch.context() as patch:
        patch.setattr(Settings, "dbt_vars", lambda _: {"as_of": AS_OF, **SETTINGS, **CONCERN_RULES})
        dbt_runner.build(environment, database)

    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=environment)
    assert report.ok, report.errors()

    # As many sessions as half of the tutors have: they are confirmed by themselves, with the priors of all.
    few = environment.model_copy(update={"verify_sessions": 1000})
    sample = verify(database.as_role(DatabaseRole.TRANSFORM), settings=few)
    assert sample.ok, sample.errors()
    assert (report.sample_of, sample.sample_of) == (None, report.tutors)
    assert 5 < sample.tutors < 25
    assert f"{sample.tutors} of {report.tutors}" in str(sample.to_table().title)
    assert (report.limits(), len(sample.limits())) == ([], 1)
    with database.connect() as connection:
        connection.execute("update marts.tutor_scores set sessions_90d = sessions_90d + 1")
        connection.commit()
        (wrong,) = [
            column
            for column in verify(database.as_role(DatabaseRole.TRANSFORM), settings=few).columns
            if column.differences
        ]
        assert (wrong.column, wrong.differences) == ("sessions_90d", sample.tutors)
        connection.execute("update marts.tutor_scores set sessions_90d = sessions_90d - 1")

    with database.connect() as connection:
        frames, published, kept = load_raw(connection), load_scores(connection), load_kept(connection)
    bases = {name: replace(report.basis, **{name: getattr(BASIS, name)}) for name in SETTINGS}
    # One at a time would take half a minute more.
    bases["concern_rules"] = replace(report.basis, concern_rules=BASIS.concern_rules)
    for name, default in bases.items():
        assert not compare(recompute(frames, default, kept, published).scores, published, default).ok, (
            f"{name} does not matter"
        )
