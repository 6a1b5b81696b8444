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
from verify.frames import load_raw, load_scores
from verify.recompute import recompute

pytestmark = pytest.mark.slow

SETTINGS = {
    "timezone": "Asia/Tokyo",
    "risk_threshold": 0.36,
    "high_risk_probability": 0.55,
    "watch_probability": 0.1,
    "min_sessions": 33,
    "rating_prior_sessions": 2.5,
    "reliability_weight": 0.1,
    "attendance_weight": 0.2,
    "first_session_weight": 0.3,
    "rating_weight": 0.6,
    "reliability_worst_rate": 0.8,
    "attendance_worst_rate": 0.35,
    "first_session_follow_up_days": 14,
    "first_session_window_days": 100,
    "short_notice_hours": 36.5,
    "most_sessions_to_clear": 20,
}
# No prior can be estimated from one tutor.
FALLBACKS = {
    "let_down_fallback_prior": [2, 5],
    "no_show_fallback_prior": [1.5, 20],
    "first_session_fallback_prior": [3, 4],
}
ONE_TUTOR = (
    "delete from raw.sessions where tutor_id <> (select mode() within group (order by tutor_id) from raw.sessions)"
)


@pytest.mark.parametrize(
    ("variables", "preparation"),
    [pytest.param(SETTINGS, "", id="many tutors"), pytest.param(FALLBACKS, ONE_TUTOR, id="one tutor")],
)
def test_scores_are_confirmed_with_the_settings_they_were_made_with(
    variables: dict[str, object],
    preparation: str,
    environment: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with database.connect() as connection:
        connection.execute(f"{DATA}{preparation}".encode())
    monkeypatch.setattr(Settings, "dbt_vars", lambda _: {"as_of": AS_OF, **variables})

    dbt_runner.build(environment, database)

    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=environment)
    assert report.ok, report.errors()
    with database.connect() as connection:
        frames, published = load_raw(connection), load_scores(connection)
    for name in variables:
        default = replace(report.basis, **{name: getattr(BASIS, name)})
        assert not compare(recompute(frames, default), published, default).ok, f"{name} does not matter"
