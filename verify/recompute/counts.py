"""From rows to facts about each session, and from facts to counts per tutor."""

from collections.abc import Callable
from datetime import date
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pandas as pd

from verify.inputs import Basis, RawFrames

Column: TypeAlias = "pd.Series[Any]"

WINDOWS = (7, 30, 90)

# What is counted of a tutor's final sessions in each window: the name of the count, and which sessions it counts, from
# the columns of `session_facts` and the counts above it.
COUNTS: dict[str, Callable[[pd.DataFrame], Column]] = {
    "sessions": lambda facts: facts["is_final"],
    "tutor_reschedules": lambda facts: _is_moved_by(facts, "tutor") & ~facts["is_excused"],
    "tutor_cancellations": lambda facts: _is_dropped_by(facts, "tutor", "cancelled") & ~facts["is_excused"],
    "tutor_no_shows": lambda facts: _is_dropped_by(facts, "tutor", "no_show") & ~facts["is_excused"],
    "let_downs": lambda facts: facts["is_let_down"],
    "short_notice": lambda facts: (facts["tutor_reschedules"] | facts["tutor_cancellations"]) & facts["is_short"],
    "late_starts": lambda facts: facts["is_late"],
    "started": lambda facts: facts["started_at"].notna(),
    "moved_sessions": lambda facts: facts["reschedule_initiator"].notna() | (facts["status"] == "rescheduled"),
    "student_reschedules": lambda facts: _is_moved_by(facts, "student") & ~facts["is_excused"],
    "student_cancellations": lambda facts: _is_dropped_by(facts, "student", "cancelled") & ~facts["is_excused"],
    "student_no_shows": lambda facts: _is_dropped_by(facts, "student", "no_show") & ~facts["is_excused"],
    "technical_issues": lambda facts: facts["technical_issue"] == 1,
}
# What may make a let-down, as the settings name it.
CAUSES = {"reschedules": "tutor_reschedules", "cancellations": "tutor_cancellations", "no_shows": "tutor_no_shows"}
# Rates in each window: a count by another one.
RATES = {
    "let_down_rate": ("let_downs", "sessions"),
    "reschedule_rate": ("tutor_reschedules", "sessions"),
    "tutor_no_show_rate": ("tutor_no_shows", "sessions"),
    "student_reschedule_rate": ("student_reschedules", "sessions"),
}
# Of one window only, or of none.
OTHER_COUNTS = (
    "episodes_90d",
    "first_meetings",
    "first_meetings_continued",
    "ratings_90d",
    "planned_sessions_7d",
    "harm_students",
)


def in_windows(*names: str) -> list[str]:
    """The columns of these counts or rates: `name_7d` and so on."""
    return [f"{name}_{days}d" for name in names for days in WINDOWS]


def local_dates(instants: Column, timezone: str) -> Column:
    """The calendar dates of instants in a time zone, as midnights without a zone; a missing instant has no date."""
    return instants.dt.tz_convert(ZoneInfo(timezone)).dt.tz_localize(None).dt.normalize()


def session_facts(frames: RawFrames, basis: Basis) -> pd.DataFrame:
    """One row per session: its dates in the reporting zone, and whether it is in each of `COUNTS` once it is final.

    Columns: session_id, tutor_id, student_id, subject, status, initiator, scheduled_time, rating, technical_issue,
    reschedule_initiator, reason_code and called_off_on (of what the tutor did, if anything), original_time (of the move
    that counts), scheduled_on, counted_on, is_final, is_excused, is_short, is_late, is_let_down, started_at, and a
    boolean per count. Moves and excuses of unknown sessions have no effect. Of a lesson with several students one
    session is counted a day; what students call off counts on its day.
    """
    facts = frames.sessions.merge(
        moves_that_count(frames), on="session_id", how="left", validate="one_to_one", suffixes=("", "_of_move")
    )
    is_moved = facts["reschedule_initiator"].notna()
    facts["is_final"] = (facts["status"] != "scheduled") | is_moved
    facts["is_excused"] = facts["session_id"].isin(frames.excuses["session_id"])
    facts["cancelled_at"] = facts["cancelled_at"].where(facts["status"] == "cancelled")

    facts["scheduled_on"] = local_dates(facts["scheduled_time"], basis.timezone)
    requested_on = local_dates(facts["requested_at"], basis.timezone)
    cancelled_on = local_dates(facts["cancelled_at"], basis.timezone)
    called_off = pd.concat([facts["scheduled_on"], requested_on, cancelled_on], axis=1).min(axis=1)

    # A session that the student moved and the tutor dropped is told of by what the tutor did.
    by_tutor = _is_dropped_by(facts, "tutor", "cancelled") | _is_dropped_by(facts, "tutor", "no_show")
    # Who leaves a lesson leaves it on its day, unless the tutor has called it off.
    of_lesson = pd.concat([facts["scheduled_on"], local_dates(facts["original_time"], basis.timezone)], axis=1)
    stays = facts["lesson_id"].notna() & ~_is_moved_by(facts, "tutor") & ~by_tutor
    facts["counted_on"] = called_off.where(~stays, of_lesson.min(axis=1))
    by_move = is_moved & (_is_moved_by(facts, "tutor") | ~by_tutor)
    facts["called_off_on"] = requested_on.where(by_move, cancelled_on)
    facts["reason_code"] = (
        facts["reason_code_of_move"].astype("object").where(by_move, facts["reason_code"].astype("object"))
    )

    # An unknown time compares as false, so it is never short notice.
    limit = pd.Timedelta(hours=basis.short_notice_hours)
    in_time = facts["scheduled_time"] - facts["cancelled_at"]
    facts["is_short"] = (facts["session_id"].isin(_moved_at_short_notice(frames, limit))) | (
        (in_time < limit) & _is_dropped_by(facts, "tutor", "cancelled")
    )
    facts["is_late"] = facts["started_at"] - facts["scheduled_time"] > pd.Timedelta(minutes=basis.late_start_minutes)
    causes = [COUNTS[CAUSES[cause]](facts) for cause in basis.reliability_counts]
    facts["is_let_down"] = pd.concat(causes, axis=1).any(axis=1)
    is_counted = _is_counted_of_lesson(facts)
    gone = [
        "requested_at",
        "cancelled_at",
        "new_time",
        "reason_code_of_move",
        "lesson_id",
    ]
    facts = facts.drop(columns=gone).assign(**COUNTS)
    facts[list(COUNTS)] = facts[list(COUNTS)].apply(lambda counted: counted.astype("bool") & is_counted)
    return facts


def _is_counted_of_lesson(facts: pd.DataFrame) -> Column:
    """Of the sessions of one lesson that count on one day of its tutor, the one that tells most; any other session."""
    lessons = facts[facts["lesson_id"].notna() & facts["is_final"]]
    order = lessons.assign(is_kept=~lessons["is_let_down"], is_undone=lessons["status"] != "completed").sort_values(
        ["is_kept", "is_undone", "session_id"]
    )
    others = order.index[order.duplicated(["tutor_id", "counted_on", "lesson_id"])]
    return pd.Series(~facts.index.isin(others), index=facts.index)


def _is_moved_by(facts: pd.DataFrame, who: str) -> Column:
    return facts["reschedule_initiator"] == who


def _is_dropped_by(facts: pd.DataFrame, who: str, status: str) -> Column:
    return (facts["status"] == status) & (facts["initiator"] == who)


def _moved_at_short_notice(frames: RawFrames, limit: pd.Timedelta) -> Column:
    """Sessions of which the tutor made any move at a shorter notice, measured to the time that was given up."""
    moves = frames.reschedules[frames.reschedules["reschedule_initiator"] == "tutor"]
    moves = moves.merge(frames.sessions[["session_id", "scheduled_time"]], on="session_id")
    notice = moves["original_time"].fillna(moves["scheduled_time"]) - moves["requested_at"]
    return moves.loc[notice < limit, "session_id"]


def moves_that_count(frames: RawFrames) -> pd.DataFrame:
    """One move per moved session: the tutor's earliest, or else the earliest.

    A move of an unknown time was known when the session was to take place, and takes its turn by that.
    """
    times = frames.sessions[["session_id", "scheduled_time"]]
    moves = frames.reschedules.merge(times, on="session_id", validate="many_to_one")
    told_apart_by = moves["requested_at"].fillna(moves["original_time"]).fillna(moves["new_time"])
    order = moves.assign(
        is_by_others=moves["reschedule_initiator"] != "tutor",
        known_at=moves["requested_at"].fillna(moves["scheduled_time"]),
        move_time=told_apart_by.fillna(pd.Timestamp.min.tz_localize("UTC").ceil("us")),
    ).sort_values(["is_by_others", "known_at", "move_time"], na_position="last")
    return moves.loc[order.drop_duplicates("session_id").index].drop(columns="scheduled_time")


def window_counts(facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`COUNTS` and `RATES` per tutor for the windows of 7, 30 and 90 days that end with `as_of`, and trend_30d.

    Index tutor_id (text); columns as `in_windows` names them. Only tutors with a final session in the last 90 days
    have a row; a rate without sessions is NaN.
    """
    counts = pd.concat([_count(facts, as_of, days) for days in WINDOWS], axis=1).fillna(0).astype("int64")
    for name, (part, whole) in RATES.items():
        for days in WINDOWS:
            counts[f"{name}_{days}d"] = _rate(counts[f"{part}_{days}d"], counts[f"{whole}_{days}d"])
    earlier = _count(facts, as_of, 30, days_before=30).reindex(counts.index, fill_value=0)
    earlier_rate = _rate(earlier["let_downs_30d"], earlier["sessions_30d"])
    counts["trend_30d"] = counts["let_down_rate_30d"] - earlier_rate
    return counts


def _window(facts: pd.DataFrame, as_of: date, days: int, days_before: int = 0) -> pd.DataFrame:
    """Final sessions counted on the `days` days that end `days_before` days before `as_of`."""
    end = pd.Timestamp(as_of) - pd.Timedelta(days=days_before)
    is_inside = (facts["counted_on"] > end - pd.Timedelta(days=days)) & (facts["counted_on"] <= end)
    return facts[facts["is_final"] & is_inside]


def _count(facts: pd.DataFrame, as_of: date, days: int, days_before: int = 0) -> pd.DataFrame:
    by_tutor = _window(facts, as_of, days, days_before).groupby("tutor_id", observed=True)
    return _text_index(by_tutor[list(COUNTS)].sum()).add_suffix(f"_{days}d")


def _rate(part: Column, whole: Column) -> Column:
    return part / whole.where(whole > 0)


def _text_index(per_tutor: pd.DataFrame) -> pd.DataFrame:
    """Categories are for memory only; as an index they would bind a result to one set of tutors."""
    return per_tutor.set_axis(pd.Index(per_tutor.index.astype("str"), name="tutor_id"))


def episodes(facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`episodes_90d` per tutor: let-downs asked for on one day for one reason (or none) count once."""
    window = _window(facts, as_of, 90)
    let_downs = window.loc[window["let_downs"], ["tutor_id", "called_off_on", "counted_on", "reason_code"]]
    let_downs["called_off_on"] = let_downs["called_off_on"].fillna(let_downs["counted_on"])
    distinct = let_downs.drop_duplicates(["tutor_id", "called_off_on", "reason_code"])
    return _text_index(distinct.groupby("tutor_id", observed=True).size().to_frame("episodes_90d"))


def first_meetings(facts: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """`first_meetings` and `first_meetings_continued` per tutor, of pairs whose days to follow up are over.

    The first meeting of a pair is its earliest completed session; it counts if it was within the window of first
    sessions. Which of several sessions at the same instant is the first makes no difference to the counts.
    """
    pair = ["tutor_id", "student_id"]
    completed = facts.loc[facts["status"] == "completed", [*pair, "scheduled_time", "scheduled_on"]]
    first_time = completed.groupby(pair, observed=True)["scheduled_time"].transform("min")
    firsts = completed[completed["scheduled_time"] == first_time].drop_duplicates(pair)
    firsts = firsts[[*pair, "scheduled_on"]].rename(columns={"scheduled_on": "first_session_on"})

    patience = pd.Timedelta(days=basis.first_session_follow_up_days)
    today = pd.Timestamp(basis.as_of)
    is_recent = firsts["first_session_on"] > today - pd.Timedelta(days=basis.first_session_window_days)
    is_over = firsts["first_session_on"] + patience <= today
    meetings = completed.merge(firsts[is_recent & is_over], on=pair)
    meetings["is_within"] = meetings["scheduled_on"] <= meetings["first_session_on"] + patience
    # The first session is within its own days, so a continued pair has at least two there.
    is_continued = meetings.groupby(pair, observed=True)["is_within"].sum().ge(2)
    counts = is_continued.groupby("tutor_id", observed=True).agg(["size", "sum"])
    counts.columns = pd.Index(["first_meetings", "first_meetings_continued"])
    return _text_index(counts)


def ratings(facts: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """`ratings_90d` and `rating_mean_90d` per tutor with ratings."""
    rated = _window(facts, basis.as_of, 90).dropna(subset=["rating"])
    by_tutor = rated.groupby("tutor_id", observed=True)["rating"].agg(["size", "mean"])
    return _text_index(by_tutor.set_axis(["ratings_90d", "rating_mean_90d"], axis=1))


def planned_sessions(facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`planned_sessions_7d` of the 7 days after `as_of`, and `harm_students` whom they are with, per tutor."""
    days_ahead = (facts["scheduled_on"] - pd.Timestamp(as_of)).dt.days
    planned = facts[(facts["status"] == "scheduled") & days_ahead.between(1, 7)]
    by_tutor = planned.groupby("tutor_id", observed=True)["student_id"].agg(["size", "nunique"])
    return _text_index(by_tutor.set_axis(["planned_sessions_7d", "harm_students"], axis=1))


def last_sessions(facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`last_session_at` per tutor: the latest completed session that counts on or before `as_of`."""
    completed = facts[(facts["status"] == "completed") & (facts["counted_on"] <= pd.Timestamp(as_of))]
    latest = completed.groupby("tutor_id", observed=True)["scheduled_time"].max()
    return _text_index(latest.to_frame("last_session_at"))
