"""Mismatches, compatibility and risk levels, by hand-made cases and by properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.features import (
    ATTRITION,
    MATCH,
    SESSION,
    STUDENT_NO_SHOW,
    TASKS,
    Preferences,
    compatibility,
    feature_matrix,
    mismatches,
    risk_codes,
    risk_level,
    style_codes,
)

NAN = float("nan")


def person(pace=NAN, style=None, communication=NAN, age=NAN):
    return Preferences(np.array([pace]), style_codes([style]), np.array([communication]), np.array([age]))


def test_tasks_name_every_feature_of_their_tables():
    assert len(MATCH.names) == 20
    assert MATCH.names[:4] == ("pace_mismatch", "style_mismatch", "communication_mismatch", "age_mismatch")
    assert MATCH.names[-1] == "lead_hours"
    assert len(SESSION.names) == 11
    assert len(STUDENT_NO_SHOW.names) == 10
    assert len(ATTRITION.names) == 11
    assert [task.kind for task in TASKS.values()] == ["match", "session", "student_no_show", "attrition"]
    assert all(task.kind == kind for kind, task in TASKS.items())


@pytest.mark.parametrize(
    ("one", "other", "mismatch"),
    [
        ("structured", "structured", 0.0),
        ("flexible", "flexible", 0.0),
        ("structured", "flexible", 0.5),
        ("flexible", "interactive", 0.5),
        ("structured", "interactive", 1.0),
        ("structured", None, NAN),
        ("jazzy", "flexible", NAN),
        ("jazzy", "jazzy", NAN),
    ],
)
def test_styles(one, other, mismatch):
    for student, tutor in ((one, other), (other, one)):
        found = mismatches(person(style=student), person(style=tutor))["style_mismatch"]
        assert found == pytest.approx([mismatch], nan_ok=True)


def test_compatibility_by_hand():
    student = person(pace=1, style="structured", communication=2, age=12)
    tutor = person(pace=3, style="flexible", communication=2, age=82)
    found = mismatches(student, tutor)
    assert {name: value[0] for name, value in found.items()} == {
        "pace_mismatch": 2.0, "style_mismatch": 0.5, "communication_mismatch": 0.0, "age_mismatch": 70.0,
    }  # fmt: skip
    assert compatibility(found) == pytest.approx([1 - (0.35 * 2 / 4 + 0.30 * 0.5 + 0.10)])


def test_weights_of_unknown_preferences_go_to_the_known():
    only_pace = compatibility(mismatches(person(pace=1), person(pace=3, style="flexible")))
    assert only_pace == pytest.approx([0.5])
    two = compatibility(mismatches(person(pace=5, communication=1), person(pace=5, communication=5)))
    assert two == pytest.approx([1 - 0.25 / 0.60])
    assert compatibility(mismatches(person(), person(pace=3))) == pytest.approx([0.5])


def test_people_broadcast_to_all_pairs():
    students = Preferences(*(np.array([[1.0], [5.0]]) for _ in range(4)))
    tutors = Preferences(*(np.array([1.0, 2.0, NAN]) for _ in range(4)))
    found = mismatches(students, tutors)
    assert found["pace_mismatch"].shape == (2, 3)
    assert found["pace_mismatch"][1].tolist()[:2] == [4.0, 3.0]
    assert compatibility(found)[:, 2].tolist() == [0.5, 0.5]


scale = st.one_of(st.just(NAN), st.integers(1, 5).map(float))
people = st.builds(
    person,
    pace=scale,
    style=st.sampled_from([None, "structured", "flexible", "interactive", "other"]),
    communication=scale,
    age=st.one_of(st.just(NAN), st.integers(4, 99).map(float)),
)


@given(people, people)
def test_compatibility_is_a_fraction_the_same_for_both_sides(student, tutor):
    score = compatibility(mismatches(student, tutor))[0]
    assert 0 <= score <= 1
    assert score == compatibility(mismatches(tutor, student))[0]


@given(people, people, st.integers(0, 4), st.integers(0, 4))
def test_more_mismatch_is_never_more_compatible(student, tutor, one, other):
    found = mismatches(student, tutor)
    less = compatibility({**found, "pace_mismatch": np.array([float(min(one, other))])})
    more = compatibility({**found, "pace_mismatch": np.array([float(max(one, other))])})
    assert more[0] <= less[0]


def test_risk_levels_begin_at_their_limits():
    assert [risk_level(p) for p in (0.0, 0.2999, 0.3, 0.6999, 0.7, 1.0)] == [
        "low", "low", "medium", "medium", "high", "high",
    ]  # fmt: skip
    assert risk_level(0.2, low=0.1, high=0.2) == "high"
    stored = np.array([0.3, 0.7], dtype=np.float32)
    assert risk_codes(stored).tolist() == [1, 2]


def test_a_matrix_takes_what_databases_give():
    frame = pd.DataFrame(
        {
            "a": pd.array([1, None], dtype="Int64"),
            "b": [True, False],
            "c": [None, None],
            "d": [np.float64(0.5), None],
        }
    )
    matrix = feature_matrix(["d", "a", "b", "c"], frame)
    assert matrix.dtype == np.float32
    assert matrix[0].tolist()[:3] == [0.5, 1.0, 1.0]
    assert np.isnan(matrix[1, [0, 1, 3]]).all()
    assert feature_matrix(["a"], frame.head(0)).shape == (0, 1)
