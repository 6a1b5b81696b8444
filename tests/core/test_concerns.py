"""Concerns in words."""

from datetime import date

import pytest

from core.concerns import Concern, ConcernName, ConcernStatus, Recently, Rules, ending, listed, plainly, sentence

RULES = Rules(
    reliability_counts=["reschedules", "cancellations", "no_shows"],
    high_risk_probability=0.8,
    watch_probability=0.5,
    late_start_minutes=5,
    first_session_follow_up_days=30,
    first_session_window_days=365,
)


def concern(name: ConcernName, **changes: object) -> Concern:
    """A raised one."""
    values: dict[str, object] = {
        "concern": name,
        "status": ConcernStatus.RAISED,
        "superseded": False,
        "probability": 0.93,
        "threshold": 0.15,
        "trials": 45,
        "events": 12,
        "raw_rate": 12 / 45,
        "expected": 0.24,
        "low": 0.18,
        "high": 0.31,
        "raised_on": date(2026, 1, 10),
        "last_high_on": date(2026, 1, 31),
        "clears_on": None,
    }
    return Concern.model_validate(values | changes)


LIKELY = "18% to 31% is likely"
ABOVE = "the chance that it is above the limit of 15% is 93%."
WEIGHED = f"From now on, {LIKELY}, because the last weeks weigh more; {ABOVE}"


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (
            concern(ConcernName.UNRELIABLE),
            f"The tutor moved, cancelled or missed 12 of 45 sessions in 90 days, 27%. {WEIGHED}",
        ),
        (
            concern(ConcernName.GETTING_WORSE),
            f"The tutor moved, cancelled or missed 12 of 45 sessions in 90 days, 27%. Right now, {LIKELY}; {ABOVE}",
        ),
        (
            concern(ConcernName.NO_SHOWS, trials=1, events=1, raw_rate=1.0),
            f"The tutor missed 1 of 1 session in 90 days, 100%. {WEIGHED}",
        ),
        (
            concern(ConcernName.LATE_STARTS),
            f"The tutor began 12 of 45 sessions more than 5 minutes late in 90 days, 27%. {WEIGHED}",
        ),
        (
            concern(ConcernName.LOSES_NEW_STUDENTS),
            f"12 of 45 new students in 365 days did not come back within 30 days, 27%. From now on, {LIKELY}; {ABOVE}",
        ),
        (
            concern(ConcernName.LOW_RATINGS, events=None, raw_rate=3.54, threshold=4.13, low=3.2, high=3.75),
            "45 ratings in 180 days, 3.5 on average. From now on, 3.2 to 3.8 is likely, because the last weeks weigh "
            "more; the chance that it is below the limit of 4.1 is 93%.",
        ),
        (
            concern(ConcernName.NO_SHOWS, status="insufficient_data", trials=3, events=0),
            "The tutor missed 0 of 3 sessions in 90 days: too few to judge.",
        ),
    ],
)
def test_a_sentence_says_what_was_counted_and_how_sure_it_is(known: Concern, words: str) -> None:
    assert sentence(known, RULES) == words


@pytest.mark.parametrize(
    ("known", "trend", "begins"),
    [
        (concern(ConcernName.GETTING_WORSE), 0.12, "14% → 26% in the last 30 days. The tutor moved, "),
        (concern(ConcernName.GETTING_WORSE, superseded=True), 0.12, "14% → 26% in the last 30 days. The tutor moved, "),
        (concern(ConcernName.GETTING_WORSE), -0.01, "The tutor moved, "),
        (concern(ConcernName.GETTING_WORSE), None, "The tutor moved, "),
        (concern(ConcernName.GETTING_WORSE, status="watch"), 0.12, "The tutor moved, "),
        (concern(ConcernName.UNRELIABLE), 0.12, "The tutor moved, "),
    ],
)
def test_a_sudden_change_begins_with_the_change(known: Concern, trend: float | None, begins: str) -> None:
    recently = Recently(let_down_rate_30d=0.26, trend_30d=trend)
    assert sentence(known, RULES, recently=recently).startswith(begins)


def test_only_what_counts_is_named_and_nothing_is_certain() -> None:
    moved_only = RULES.model_copy(update={"reliability_counts": ["reschedules"]})
    words = sentence(concern(ConcernName.UNRELIABLE, probability=1.0), moved_only, who="You")
    assert words.startswith("You moved 12 of 45 sessions in 90 days, 27%. ")
    assert words.endswith("is more than 99%.")


def test_only_what_is_raised_ends_and_on_a_day_if_one_is_known() -> None:
    ends = ending(concern(ConcernName.NO_SHOWS, clears_on=date(2026, 3, 4)), RULES)
    assert ends == "Ends on 4 March 2026 if no session is missed until then."
    ends = ending(concern(ConcernName.NO_SHOWS), RULES)
    assert ends == "Ends when this chance falls below 50%, or stays below 80% for 30 days."
    # Below 80% a reader asks why it is raised.
    lower = concern(ConcernName.UNRELIABLE, probability=0.62, clears_on=date(2026, 3, 4))
    assert ending(lower, RULES) == (
        "The chance last reached 80% on 31 January 2026. Ends on 4 March 2026 if every session is held until then."
    )
    for status in ("watch", "ok", "insufficient_data"):
        assert ending(concern(ConcernName.NO_SHOWS, status=status), RULES) is None


def test_what_is_superseded_says_by_what() -> None:
    words = ending(concern(ConcernName.GETTING_WORSE, superseded=True), RULES)
    assert words == "Counted under Unreliable."


def test_names_are_listed_in_words() -> None:
    assert listed(["unreliable", "getting_worse", "no_shows"]) == "unreliable, suddenly worse, no-shows"


def test_a_tutor_reads_no_probability() -> None:
    words = plainly(concern(ConcernName.UNRELIABLE), RULES)
    assert words == (
        "You moved, cancelled or missed 12 of 45 sessions in 90 days, 27%. From now on, 18% to 31% is likely, because "
        "the last weeks weigh more. The limit is 15%."
    )
