"""Facts about sessions, and counts of tutors, against cases worked out by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.verify.rows import (
    ANN,
    AS_OF,
    BASIS,
    BOB,
    KEPT,
    at,
    busy_frames,
    cell,
    days_ago,
    raw_frames,
    reschedule,
    session,
)  # fmt: skip
from verify.recompute import recompute
from verify.recompute.counts import (
    COUNTS,
    episodes,
    first_meetings,
    last_sessions,
    ratings,
    session_facts,
    window_counts,
)


def facts_of(*args: Any, **kwargs: Any) -> pd.DataFrame:
    return session_facts(raw_frames(*args, **kwargs), BASIS)


def test_the_reporting_zone_decides_the_date() -> None:
    late = [session("1", at("2026-01-31 23:30"))]
    for timezone, day in (("UTC", 31), ("Europe/Vienna", 1), ("America/New_York", 31)):
        facts = session_facts(raw_frames(late), replace(BASIS, timezone=timezone))
        assert facts.loc[0, "counted_on"].day == day


def test_summer_time_shifts_the_date_by_its_own_offset() -> None:
    """22:30 UTC is 23:30 in Vienna in winter and 00:30 of the next day in summer."""
    frames = raw_frames([session("w", at("2026-03-28 22:30")), session("s", at("2026-03-29 22:30"))])
    facts = session_facts(frames, replace(BASIS, timezone="Europe/Vienna"))
    assert list(facts["scheduled_on"]) == [pd.Timestamp("2026-03-28"), pd.Timestamp("2026-03-30")]


def test_a_session_counts_on_the_earlier_of_request_and_schedule() -> None:
    facts = facts_of(
        [session(key, at("2026-06-10 10:00"), "rescheduled") for key in ("before", "after", "unknown", "none")],
        [
            reschedule("before", at("2026-06-01 09:00"), reschedule_initiator="student"),
            reschedule("after", at("2026-06-12 09:00")),
            reschedule("unknown"),
        ],
    )
    assert list(facts["counted_on"].dt.day) == [1, 10, 10, 10]
    assert list(facts["moved_sessions"]) == [True] * 4
    assert list(facts["tutor_reschedules"]) == [False, True, True, False]


def test_of_several_moves_the_tutors_earliest_counts() -> None:
    moves = [
        reschedule("1", at("2026-06-01 09:00"), reschedule_initiator="student", reason_code="first"),
        reschedule("1", at("2026-06-03 09:00"), reason_code="second of the tutor"),
        reschedule("1", at("2026-06-02 09:00"), reason_code="first of the tutor"),
        reschedule("1", reason_code="of an unknown time", new_time=at("2026-05-01 09:00")),
        reschedule("2", at("2026-06-05 09:00"), reschedule_initiator="platform", reason_code="later"),
        reschedule("2", at("2026-06-04 09:00"), reschedule_initiator="student", reason_code="earlier"),
        reschedule("3", new_time=at("2026-06-09 09:00"), reason_code="moved to later"),
        reschedule("3", original_time=at("2026-06-08 09:00"), reason_code="moved from earlier"),
    ]
    sessions = [session(key, at("2026-06-10 10:00"), "rescheduled") for key in ("1", "2", "3")]
    for order in (moves, moves[::-1]):
        facts = facts_of(sessions, order)
        assert list(facts["reason_code"]) == ["first of the tutor", "earlier", "moved from earlier"]
        assert list(facts["tutor_reschedules"]) == [True, False, True]


def test_notice_is_measured_to_the_original_time() -> None:
    moved_to = at("2026-06-10 10:00")
    facts = facts_of(
        [session(key, moved_to, "rescheduled") for key in ("exact", "short", "negative", "student", "orig", "unknown")],
        [
            reschedule("exact", at("2026-06-09 10:00")),
            reschedule("short", at("2026-06-09 10:00:00.000001")),
            reschedule("negative", at("2026-06-10 11:00")),
            reschedule("student", at("2026-06-10 09:00"), reschedule_initiator="student"),
            reschedule("orig", at("2026-06-05 09:00"), original_time=at("2026-06-05 20:00")),
            reschedule("unknown"),
        ],
    )
    assert list(facts["short_notice"]) == [False, True, True, False, True, False]


def test_the_shortest_notice_of_the_tutors_moves_decides() -> None:
    moves = [
        reschedule("1", at("2026-06-01 10:00"), original_time=at("2026-06-10 10:00"), new_time=at("2026-06-12 10:00")),
        reschedule("1", at("2026-06-12 09:00"), original_time=at("2026-06-12 10:00")),
        reschedule("2", at("2026-06-01 10:00"), original_time=at("2026-06-10 10:00"), new_time=at("2026-06-12 10:00")),
        reschedule("2", at("2026-06-12 09:00"), original_time=at("2026-06-12 10:00"), reschedule_initiator="student"),
    ]
    facts = facts_of([session(key, at("2026-06-20 10:00"), "scheduled") for key in ("1", "2")], moves)
    assert list(facts["short_notice"]) == [True, False]
    assert list(facts["counted_on"].dt.day) == [1, 1]


def test_a_cancellation_counts_from_the_day_it_was_made_and_by_who_made_it() -> None:
    time = at("2026-06-10 10:00")
    facts = facts_of(
        [
            session("early", time, "cancelled", initiator="tutor", cancelled_at=at("2026-06-08 10:00")),
            session("short", time, "cancelled", initiator="tutor", cancelled_at=at("2026-06-09 10:30")),
            session("excused", time, "cancelled", initiator="tutor", cancelled_at=at("2026-06-09 10:30")),
            session("student", time, "cancelled", initiator="student", cancelled_at=at("2026-06-09 10:30")),
            session("back", time, initiator="tutor", cancelled_at=at("2026-06-08 10:00")),
        ],
        excused=["excused"],
    )
    assert list(facts["counted_on"].dt.day) == [8, 9, 9, 9, 10]
    assert list(facts["tutor_cancellations"]) == [True, True, False, False, False]
    assert list(facts["student_cancellations"]) == [False, False, False, True, False]
    assert list(facts["short_notice"]) == [False, True, False, False, False]
    assert list(facts["let_downs"]) == [True, True, False, False, False]


def test_a_session_is_let_down_once_by_what_the_settings_count() -> None:
    frames = raw_frames(
        [
            session("moved and missed", days_ago(1), "no_show", initiator="tutor"),
            session("missed", days_ago(1), "no_show", initiator="tutor"),
            session("cancelled", days_ago(1), "cancelled", initiator="tutor"),
            session("by student", days_ago(1), "no_show", initiator="student"),
        ],
        [reschedule("moved and missed", days_ago(3))],
    )
    assert list(session_facts(frames, BASIS)["let_downs"]) == [True, True, True, False]
    assert cell(window_counts(session_facts(frames, BASIS), AS_OF), "let_downs_90d") == 3
    moves_only = replace(BASIS, reliability_counts=["reschedules"])
    assert list(session_facts(frames, moves_only)["let_downs"]) == [True, False, False, False]


def test_late_is_more_than_five_minutes_and_known_only_with_a_start() -> None:
    time = at("2026-06-10 10:00")
    starts = [None, time, at("2026-06-10 10:05"), at("2026-06-10 10:05:01")]
    facts = facts_of([session(str(start), time, started_at=start, technical_issue=start and 1.0) for start in starts])
    assert list(facts["started"]) == [False, True, True, True]
    assert list(facts["late_starts"]) == [False, False, False, True]
    assert list(facts["technical_issues"]) == [False, True, True, True]


def test_a_lesson_counts_once_a_day_as_the_session_that_tells_most() -> None:
    held, dropped = {"lesson_id": "a"}, {"lesson_id": "b", "status": "cancelled"}
    facts = facts_of(
        [
            session("1", days_ago(1), **held),
            session("2", days_ago(1), **held, rating=4),
            session("3", days_ago(1), **(held | {"status": "no_show"}), initiator="student"),
            session("4", days_ago(1), lesson_id="b"),
            session("5", days_ago(1), **dropped, initiator="tutor"),
            session("6", days_ago(2), **held),
            session("7", days_ago(1), **held, tutor_id=BOB),
            session("8", days_ago(1)),
            session("9", days_ago(1)),
        ]
    )
    assert list(facts["sessions"]) == [True, False, False, False, True, True, True, True, True]
    assert list(facts["let_downs"]) == [False, False, False, False, True, False, False, False, False]
    assert not facts["student_no_shows"].any()
    assert facts["rating"].notna().sum() == 1


def test_a_student_who_leaves_a_lesson_leaves_it_on_its_day() -> None:
    """One cancelled, one moved to another day; the tutor called the third one off, which is another matter."""
    lesson = {"lesson_id": "a"}
    facts = facts_of(
        [
            session("1", days_ago(3), **lesson),
            session("2", days_ago(3), "cancelled", **lesson, initiator="student", cancelled_at=days_ago(6)),
            session("3", days_ago(1), **lesson),
            session("4", days_ago(3), "cancelled", **lesson, initiator="tutor", cancelled_at=days_ago(5)),
            session("5", days_ago(3), "cancelled", initiator="student", cancelled_at=days_ago(6)),
        ],
        [reschedule("3", days_ago(6), reschedule_initiator="student", original_time=days_ago(3))],
    )
    days = [(AS_OF - day.date()).days for day in facts["counted_on"]]
    assert days == [3, 3, 3, 5, 6]
    assert list(facts["sessions"]) == [True, False, False, True, True]


def test_an_excuse_takes_the_move_from_the_tutor_but_leaves_it_a_move() -> None:
    facts = facts_of(
        [session("1", days_ago(1), "rescheduled")], [reschedule("1", days_ago(1, hour=11))], excused=["1", "unknown"]
    )
    row = facts.iloc[0]
    assert (row["moved_sessions"], row["tutor_reschedules"], row["short_notice"]) == (True, False, False)


def test_a_reschedule_of_an_unknown_session_has_no_effect() -> None:
    facts = facts_of([session("1", days_ago(1))], [reschedule("other", days_ago(1))])
    assert len(facts) == 1
    assert not facts["moved_sessions"].any()


def test_windows_end_with_as_of_and_exclude_their_first_day() -> None:
    facts = facts_of([session(str(days), days_ago(days)) for days in (-1, 0, 6, 7, 29, 30, 89, 90)])
    counts = window_counts(facts, AS_OF).loc[ANN]
    assert [counts[f"sessions_{days}d"] for days in (7, 30, 90)] == [2, 4, 6]


def test_only_final_sessions_count_each_with_what_it_is() -> None:
    facts = facts_of(
        [
            session("done", days_ago(1)),
            session("planned", days_ago(1), "scheduled"),
            session("moved", days_ago(2), "rescheduled"),
            session("by student", days_ago(2), "cancelled"),
            session("absent", days_ago(3), "no_show", initiator="tutor"),
            session("alone", days_ago(3), "no_show", initiator="student"),
            session("cancelled", days_ago(3), "cancelled", initiator="tutor"),
            session("unexplained", days_ago(20), "rescheduled"),
        ],
        [
            reschedule("planned", days_ago(1)),
            reschedule("moved", days_ago(2)),
            reschedule("by student", days_ago(9), reschedule_initiator="student"),
        ],
    )
    counts = window_counts(facts, AS_OF).loc[ANN]
    # The planned one, too: from its first move on a session counts.
    assert counts["sessions_7d"] == 6
    assert counts["sessions_30d"] == 8
    assert counts["moved_sessions_7d"] == 2
    assert counts["moved_sessions_30d"] == 4
    assert counts["tutor_reschedules_30d"] == 2
    assert counts["short_notice_30d"] == 2
    assert counts["tutor_cancellations_30d"] == 1
    assert counts["tutor_no_shows_30d"] == 1
    assert counts["student_no_shows_30d"] == 1
    assert counts["let_downs_30d"] == 4
    assert counts["let_down_rate_7d"] == 4 / 6
    assert counts["reschedule_rate_7d"] == 2 / 6


def test_the_trend_compares_with_the_30_days_before() -> None:
    sessions = [session(str(days), days_ago(days), "rescheduled") for days in (1, 29, 30, 40, 58, 59, 60)]
    moved = [reschedule(key) for key in ("1", "30")]
    counts = window_counts(facts_of(sessions, moved), AS_OF).loc[ANN]
    assert counts["trend_30d"] == pytest.approx(1 / 2 - 1 / 4)


def test_the_trend_is_null_without_sessions_on_either_side() -> None:
    now, before = [session("1", days_ago(1))], [session("1", days_ago(40))]
    assert np.isnan(cell(window_counts(facts_of(now), AS_OF), "trend_30d"))
    assert np.isnan(cell(window_counts(facts_of(before), AS_OF), "trend_30d"))


def test_episodes_join_requests_of_one_day_and_reason() -> None:
    sessions = [session(str(key), days_ago(key), "rescheduled") for key in range(1, 9)]
    facts = facts_of(
        sessions,
        [
            reschedule("1", days_ago(20, hour=8), reason_code="sick"),
            reschedule("2", days_ago(20, hour=23), reason_code="sick"),  # the same day and reason
            reschedule("3", days_ago(20), reason_code="travel"),
            reschedule("4", days_ago(20)),
            reschedule("5", days_ago(20)),  # no reason equals no reason
            reschedule("6", days_ago(20), reschedule_initiator="student"),
            reschedule("7", reason_code="sick"),  # without a time it counts on the day of its session
            reschedule("8", reason_code="sick"),
        ],
    )
    assert cell(episodes(facts, AS_OF), "episodes_90d") == 5


def test_a_sick_day_is_one_episode_however_sessions_were_called_off() -> None:
    sick = {"initiator": "tutor", "reason_code": "sick"}
    facts = facts_of(
        [
            session("moved", days_ago(2), "rescheduled"),
            session("cancelled", days_ago(1), "cancelled", cancelled_at=days_ago(3), **sick),
            session("moved by the student first", days_ago(1), "cancelled", cancelled_at=days_ago(3), **sick),
            session("missed", days_ago(3), "no_show", **sick),
            session("of another day", days_ago(1), "no_show", **sick),
        ],
        [
            reschedule("moved", days_ago(3), reason_code="sick"),
            reschedule("moved by the student first", days_ago(9), reschedule_initiator="student", reason_code="exam"),
        ],
    )
    assert cell(episodes(facts, AS_OF), "episodes_90d") == 2


def test_first_meetings_wait_until_their_30_days_are_over() -> None:
    def pair(student: str, *days: int, status: str = "completed") -> list[dict[str, Any]]:
        return [
            session(f"{student} {number} {status}", days_ago(day), status, student_id=student)
            for number, day in enumerate(days)
        ]

    facts = facts_of(
        [
            *pair("too fresh", 29, 20),
            *pair("just over", 30, 0),
            *pair("continued late", 100, 69),
            *pair("only once", 364),
            *pair("too old", 365, 364),
            *pair("two on the first day", 50, 50),
            *pair("second was cancelled", 80),
            *pair("second was cancelled", 79, status="cancelled"),
        ]
    )
    counts = first_meetings(facts, BASIS).loc[ANN]
    assert counts["first_meetings"] == 5
    assert counts["first_meetings_continued"] == 2  # just over, two on the first day


def test_the_first_meeting_is_the_earliest_whatever_the_order_of_rows() -> None:
    facts = facts_of([session("b", days_ago(40)), session("a", days_ago(90)), session("c", days_ago(45))])
    counts = first_meetings(facts, BASIS).loc[ANN]
    assert (counts["first_meetings"], counts["first_meetings_continued"]) == (1, 0)


def test_ratings_of_90_days() -> None:
    facts = facts_of(
        [
            session("1", days_ago(1), rating=5.0),
            session("2", days_ago(89), rating=4.0),
            session("3", days_ago(90), rating=1.0),
            session("4", days_ago(2)),
            session("5", days_ago(2), rating=2.0, tutor_id=BOB),
        ]
    )
    ann = ratings(facts, BASIS).loc[ANN]
    assert ann["ratings_90d"] == 2
    assert ann["rating_mean_90d"] == 4.5


def test_the_last_session_is_completed_and_counted_by_as_of() -> None:
    facts = facts_of(
        [
            session("1", days_ago(5)),
            session("2", days_ago(2), "cancelled"),
            session("3", days_ago(-1)),
            session("4", days_ago(-3)),
        ],
        [reschedule("4", days_ago(1))],
    )
    assert cell(last_sessions(facts, AS_OF), "last_session_at") == days_ago(-3)


def test_a_count_is_added_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COUNTS, "rated_sessions", lambda facts: facts["rating"].notna())
    scores = recompute(busy_frames(), BASIS, KEPT).scores
    assert [cell(scores, f"rated_sessions_{days}d", BOB) for days in (7, 30, 90)] == [2, 6, 12]
    assert cell(scores, "rated_sessions_90d", ANN) == 0
