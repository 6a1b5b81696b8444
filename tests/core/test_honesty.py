"""What is said of forecasts."""

from typing import Any

import pytest

from core.honesty import Honesty, sentences


def known(**values: Any) -> Honesty:
    counts: dict[str, Any] = {name: 0 for name, field in Honesty.model_fields.items() if field.is_required()}
    shares = [name for name in counts if name.endswith(("share", "expected")) or name.startswith("coverage")]
    return Honesty.model_validate(
        counts | dict.fromkeys(shares) | {"let_downs_expected": 0, "days_to_flag": None} | values
    )


def test_what_is_counted_without_a_flag_are_checks_and_not_tutors() -> None:
    assert sentences(known(judged=500, above=60, missed=60, missed_share=0.12), 0.15) == [
        "Of weekly checks of tutors without a flag, 12% found the tutor above 15% in the next 30 days."
    ]


@pytest.mark.parametrize(("flagged", "says"), [(0, "0 were"), (1, "1 was"), (2, "2 were")])
def test_a_tutor_may_rise_more_than_once(flagged: int, says: str) -> None:
    assert sentences(known(rises=3, rises_flagged=flagged), 0.15) == [
        f"Of 3 rises above 15%, {says} flagged within 30 days."
    ]
