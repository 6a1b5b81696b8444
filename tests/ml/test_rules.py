"""The rules: what they say, and that they say it is them."""

import numpy as np
import pytest

from ml.features import ATTRITION, MATCH, SESSION, STUDENT_NO_SHOW, TASKS, risk_level
from ml.rules import rules_for


def row(task, **values):
    matrix = np.full((1, len(task.names)), np.nan, dtype=np.float32)
    for name, value in values.items():
        matrix[0, task.names.index(name)] = value
    return matrix


def test_they_say_that_they_are_rules():
    for task in TASKS.values():
        rules = rules_for(task)
        assert (rules.version, rules.source, rules.kind) == ("rules-v1", "rules", task.kind)
        assert rules.features == task.names
        assert dict(rules.fill) == {}


def test_churn_follows_compatibility():
    perfect = {"pace_mismatch": 0, "style_mismatch": 0, "communication_mismatch": 0, "age_mismatch": 0}
    worst = {"pace_mismatch": 4, "style_mismatch": 1, "communication_mismatch": 4, "age_mismatch": 60}
    rules = rules_for(MATCH)
    churn = [rules.predict(row(MATCH, **values))[0] for values in (perfect, {}, worst)]
    assert churn == pytest.approx([1 / (1 + np.exp(2)), 1 / (1 + np.exp(0.5)), 1 / (1 + np.exp(-1))])
    assert [risk_level(value) for value in churn] == ["low", "medium", "high"]


def test_a_session_fails_as_often_as_the_tutor():
    rules = rules_for(SESSION)
    known = row(SESSION, tutor_reschedule_rate=0.25, tutor_no_show_rate=0.05)
    assert rules.predict(known) == pytest.approx([0.30])
    assert rules.predict(row(SESSION)) == pytest.approx([0.12])
    assert rules.predict(row(SESSION, tutor_reschedule_rate=1, tutor_no_show_rate=1)) == pytest.approx([0.95])
    parts = rules.contributions(known)[0]
    assert parts[SESSION.names.index("tutor_reschedule_rate")] > 0
    assert 1 / (1 + np.exp(-parts.sum())) == pytest.approx(0.30)


def test_a_session_is_missed_as_often_as_the_student_misses_sessions():
    rules = rules_for(STUDENT_NO_SHOW)
    known = row(STUDENT_NO_SHOW, student_no_show_rate=0.3, subject_no_show_rate=0.9)
    assert rules.predict(known) == pytest.approx([0.3])
    assert rules.predict(row(STUDENT_NO_SHOW)) == pytest.approx([0.05])
    parts = rules.contributions(known)[0]
    assert np.flatnonzero(parts[:-1]).tolist() == [STUDENT_NO_SHOW.names.index("student_no_show_rate")]


def test_a_tutor_stops_who_is_silent_and_teaches_less():
    rules = rules_for(ATTRITION)
    busy = rules.predict(row(ATTRITION, days_since_session=6, sessions_change=0.4))
    assert busy == pytest.approx([0.05], abs=0.001)
    assert rules.predict(row(ATTRITION)) == pytest.approx(busy)
    fading = row(ATTRITION, days_since_session=20, sessions_change=np.log(0.5))
    odds = 1 / 19 * 2 * np.exp(0.08 * 13)
    assert rules.predict(fading) == pytest.approx([odds / (1 + odds)], abs=0.001)
    parts = rules.contributions(fading)[0]
    assert {ATTRITION.names[i] for i in np.flatnonzero(parts[:-1])} == {"days_since_session", "sessions_change"}
