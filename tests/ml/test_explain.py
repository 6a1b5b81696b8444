"""Contributions, texts by rules, the prompt, and what is taken of a language model's answer."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import explain
from ml.explain import Contribution, MatchFacts, StatedPreferences, Texts
from ml.features import MATCH, STYLES
from ml.model import log_odds
from ml.rules import MatchRules
from ml.texts import UnusableTextError

RANGES: dict[str, tuple[float, float]] = {
    "pace_mismatch": (0, 4),
    "style_mismatch": (0, 1),
    "communication_mismatch": (0, 4),
    "age_mismatch": (0, 60),
    "student_age": (4, 70),
    "student_urgency": (1, 5),
    "student_first_meetings": (0, 40),
    "student_pending_meetings": (0, 40),
    "student_continuation_rate": (0, 1),
    "student_sessions_per_pair": (0, 100),
    "student_rating_given": (1, 5),
    "tutor_experience_years": (0, 50),
    "tutor_sessions_90d": (0, 400),
    "tutor_let_down_rate": (0, 1),
    "tutor_reschedule_rate": (0, 1),
    "tutor_no_show_rate": (0, 1),
    "tutor_continuation_rate": (0, 1),
    "tutor_rating": (1, 5),
    "tutor_rating_all_time": (1, 5),
    "lead_hours": (0, 2000),
}


def contribution(feature: str, value: float | None, amount: float) -> Contribution:
    return Contribution(feature, explain.LABELS[feature], value, amount)


def facts(found: Sequence[Contribution] = (), **changes: object) -> MatchFacts:
    base = MatchFacts(
        churn_probability=0.41,
        risk_level="medium",
        medium_from=0.3,
        high_from=0.7,
        compatibility_score=0.62,
        student=StatedPreferences(pace=2, communication=3, style="structured", urgency=5),
        tutor=StatedPreferences(pace=4, communication=3, style="interactive"),
        contributions=found,
        model_version="m1",
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


one_to_five = st.none() | st.integers(1, 5)
styles = st.none() | st.sampled_from(STYLES)
shares = st.floats(0, 1)


@st.composite
def any_facts(draw: st.DrawFn) -> MatchFacts:
    found = [
        contribution(name, draw(st.none() | st.floats(low, high, width=32)), draw(st.floats(-2, 2)))
        for name, (low, high) in RANGES.items()
        if draw(st.booleans())
    ]
    return MatchFacts(
        draw(shares),
        draw(st.sampled_from(("low", "medium", "high"))),
        draw(shares),
        draw(shares),
        draw(st.none() | shares),
        StatedPreferences(draw(one_to_five), draw(one_to_five), draw(styles), draw(one_to_five)),
        StatedPreferences(draw(one_to_five), draw(one_to_five), draw(styles)),
        sorted(found, key=lambda item: -abs(item.contribution)),
        "m1",
    )


def test_the_ranges_here_cover_every_feature() -> None:
    assert tuple(RANGES) == MATCH.names


def test_contributions_come_strongest_first_and_sum_to_the_prediction() -> None:
    model = MatchRules()
    row = np.full((1, len(MATCH.names)), np.nan, dtype=np.float32)
    row[0, :4] = 1, 1, 0, 20
    [found] = explain.contributions(model, row)
    # That they communicate alike moves nothing under these rules, and is worth telling all the same.
    assert [item.feature for item in found] == [
        *("style_mismatch", "pace_mismatch", "age_mismatch"),
        "communication_mismatch",
    ]
    assert [item.value for item in found] == [1, 1, 20, 0]
    assert explain.reasons(found) == ["They prefer the same way of communicating", "But their teaching styles differ"]
    total = sum(item.contribution for item in found) + model.contributions(row)[0, -1]
    assert total == pytest.approx(log_odds(model.predict(row))[0])


def test_severity_of_mismatches() -> None:
    values = {"pace_mismatch": 1.0, "style_mismatch": 0.5, "communication_mismatch": None, "age_mismatch": 80.0}
    assert [(item.name, item.severity) for item in explain.mismatches(values)] == [
        ("pace_mismatch", "low"),
        ("style_mismatch", "medium"),
        ("communication_mismatch", None),
        ("age_mismatch", "high"),
    ]
    assert explain.mismatches({**values, "pace_mismatch": 0})[0].severity == "none"


@given(any_facts())
def test_texts_by_rules_would_pass_as_texts_of_a_model(anything: MatchFacts) -> None:
    texts = explain.rule_texts(anything)
    assert explain.check(texts, explain.prompt(anything)) == texts
    for text in dataclasses.astuple(texts):
        assert text[0].isupper()
        assert "None" not in text
        assert "nan" not in text.split()


def test_texts_by_rules_say_what_is_for_and_against() -> None:
    found = [
        contribution("tutor_reschedule_rate", 0.18, 0.6),
        contribution("tutor_continuation_rate", 0.81, -0.4),
        contribution("lead_hours", 70, 0.3),
    ]
    texts = explain.rule_texts(facts(found))
    assert texts.for_student == (
        "It is open whether this tutor suits the student: the risk of leaving after the first session is 41%. "
        "In its favour, an estimated 81% of new students stay with the tutor. "
        "On the other hand, the tutor reschedules an estimated 18% of sessions."
    )
    assert texts.for_tutor == (
        "The match can go well if the first session does. "
        "The student prefers a structured style and yours is interactive: plan the first session to suit the student. "
        "The student prefers a slower pace than you do (2 against 4 out of 5): "
        "ask early whether you are going too fast."
    )
    assert explain.reasons(found) == [
        "An estimated 81% of new students stay with the tutor",
        "But the tutor reschedules an estimated 18% of sessions",
    ]


@given(any_facts())
def test_of_two_who_have_met_no_first_session_is_to_come(pair: MatchFacts) -> None:
    texts = explain.rule_texts(dataclasses.replace(pair, sessions_together=14))
    assert texts.for_student.startswith("They have had 14 sessions together.")
    assert "first session" not in texts.for_tutor
    assert "first session" in texts.for_student  # what the figure is of
    assert "Sessions together so far: 14" in explain.prompt(dataclasses.replace(pair, sessions_together=14))
    assert "together" not in explain.prompt(dataclasses.replace(pair, sessions_together=0))


def test_a_small_difference_can_speak_for_a_pair() -> None:
    for amount, words in ((-0.2, "differs by only 1 of 4 steps"), (0.2, "differs by 1 of 4 steps")):
        assert words in explain.rule_texts(facts([contribution("pace_mismatch", 1, amount)])).for_student


def test_with_nothing_known_the_texts_say_so() -> None:
    nothing = StatedPreferences(None, None, None)
    texts = explain.rule_texts(facts(student=nothing, tutor=nothing, risk_level="high"))
    assert "Little is known about this pair yet" in texts.for_student
    assert "Ask the student how they like to work" in texts.for_tutor


GIVEN = "Risk: 41% (medium from 30%)\nratings of the tutor are around 4.2 out of 5"
FINE = "The risk is 41%. Take your time."


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ("The risk is 42%. Take your time.", "number"),
        ("The risk is 41 out of 100. Take your time.", "number"),
        ("The risk is 4.2%. Take your time.", "number"),
        ("The risk is 0.41. Take your time.", "number"),
        ("The rating is 4.3. Take your time.", "number"),
        ("The two met seven times. Take your time.", "number"),
        ("Half of them leave. Take your time.", "number"),
        ("The risk is 41%.", "sentences"),
        ("The risk is 41%. A. B. C.", "sentences"),
        ("The risk is 41%. " + "x" * 700 + ".", "too long"),
    ],
)
@pytest.mark.parametrize("side", ["for_student", "for_tutor"])
def test_a_text_that_is_not_to_be_shown(text: str, fault: str, side: str) -> None:
    with pytest.raises(UnusableTextError, match=fault):
        explain.check(dataclasses.replace(Texts(FINE, FINE), **{side: text}), GIVEN)


@pytest.mark.parametrize(
    "text",
    [
        FINE,
        "The risk is 41 %. Ratings are around 4.2 out of 5, e.g. from one-to-one sessions.",
        "A risk of 41 per cent, above the 30 percent for medium? Yes! Take your time.",
        "No number at all. That is fine, too.",
    ],
)
def test_a_text_with_the_given_numbers_is_taken(text: str) -> None:
    assert explain.check(Texts(text, f"  {FINE}\n"), GIVEN) == Texts(text, FINE)


def test_what_is_cached_depends_on_what_is_told_and_who_tells_it() -> None:
    key = explain.task(facts()).key("server model")
    assert explain.task(facts(churn_probability=0.4124)).key("server model") == key
    others = (
        (facts(churn_probability=0.42), "server model"),
        (facts(model_version="m2"), "server model"),
        (facts(student=StatedPreferences(1, 3, "structured", 5)), "server model"),
        (facts(), "server other"),
    )
    assert len({explain.task(about).key(writer) for about, writer in others} | {key}) == 5
