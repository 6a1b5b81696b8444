"""The rules: what they say, and that they say it is them."""

import numpy as np
import pytest

from ml.features import MATCH, SESSION, risk_level
from ml.rules import rules_for


def row(task, **values):
    matrix = np.full((1, len(task.names)), np.nan, dtype=np.float32)
    for name, value in values.items():
        matrix[0, task.names.index(name)] = value
    return matrix


def test_they_say_that_they_are_rules():
    for task in (MATCH, SESSION):
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
