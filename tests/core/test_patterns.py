"""Patterns in words."""

import pytest

from core.patterns import Pattern, in_short, question, sentence

ALL = ["reschedules", "cancellations", "no_shows"]


def pattern(dimension: str, level: str) -> Pattern:
    figures = {"sessions": 40, "let_downs": 14, "rate": 0.35, "other_sessions": 160, "other_let_downs": 18}
    more = {"other_rate": 0.1125, "rate_expected": 0.312, "q_value": 0.01}
    return Pattern.model_validate({"dimension": dimension, "level": level, **figures, **more})


def test_a_sentence_says_what_was_counted_and_what_to_expect() -> None:
    assert sentence(pattern("weekday", "5"), ALL) == (
        "On Fridays, the tutor moved, cancelled or missed 14 of 40 sessions in 180 days, 35%; otherwise 11%. "
        "About 31% is to be expected there."
    )


@pytest.mark.parametrize(
    ("dimension", "level", "where", "short"),
    [
        ("weekday", "1", "On Mondays", "Mondays"),
        ("daypart", "0-9", "Before 9:00", "Before 9:00"),
        ("daypart", "14-18", "From 14:00 to 18:00", "14:00 to 18:00"),
        ("daypart", "18-24", "After 18:00", "After 18:00"),
        ("subject", "Maths", "In Maths", "Maths"),
        ("lesson", "first", "In first sessions with a student", "First sessions"),
        ("lesson", "repeated", "In later sessions with a student", "Later sessions"),
    ],
)
def test_each_slot_has_its_words(dimension: str, level: str, where: str, short: str) -> None:
    known = pattern(dimension, level)
    assert sentence(known, ["no_shows"], "tutors").startswith(f"{where}, tutors missed 14 of 40 sessions")
    assert in_short(known) == f"{short}: 35% let down, otherwise 11%"
    assert question(known) == f"What makes sessions {where[:1].lower()}{where[1:]} harder to keep than others?"
