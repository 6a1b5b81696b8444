"""Which Mondays are replayed."""

from datetime import date, timedelta

from what_if.replay import WARM_UP_WEEKS, replayed_mondays

MONDAY = date(2026, 1, 26)


def test_a_monday_is_told_of_when_the_one_before_is_known() -> None:
    """Else all who are raised on the first one would count as newly raised."""
    mondays, told = replayed_mondays(date(2026, 1, 31), date(2025, 12, 1), 26)
    assert mondays == [date(2026, 1, 5), date(2026, 1, 12), date(2026, 1, 19), MONDAY]
    assert told == mondays[1:]

    mondays, told = replayed_mondays(date(2026, 1, 31), date(2020, 1, 1), 4)
    assert told == [MONDAY - timedelta(weeks=back) for back in (3, 2, 1, 0)]
    assert mondays[-4:] == told
    assert len(mondays) == 4 + WARM_UP_WEEKS


def test_a_platform_of_a_month_has_no_mondays() -> None:
    assert replayed_mondays(date(2026, 1, 31), date(2026, 1, 10), 26) == ([], [])
    # The as-of day is not over, so a Monday is not its own last one.
    assert replayed_mondays(MONDAY, date(2020, 1, 1), 1)[1] == [date(2026, 1, 19)]
