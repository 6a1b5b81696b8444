"""The recomputation against cases worked out by hand, and `verify` against marts made by hand in a real Postgres."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import psycopg
import pytest
import scipy
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rich.console import Console

from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from tests.conftest import Postgres
from verify import recompute, verify
from verify.columns import TOLERANCES
from verify.compare import compare
from verify.frames import Basis, RawFrames, load_raw
from verify.recompute.counts import episodes, first_meetings, last_sessions, ratings, session_facts, window_counts
from verify.recompute.scores import (
    RESCHEDULE_FALLBACK,
    BetaPrior,
    beta_prior,
    peer_percentile,
    posterior,
    quality,
    risk_status,
    score_tutors,
    sessions_to_clear,
)
from verify.report import VerifyReport

AS_OF = date(2026, 6, 30)
BASIS = Basis(as_of=AS_OF, timezone="UTC", risk_threshold=0.15, high_risk_probability=0.8, watch_probability=0.5)
ANN, BOB, CYD = (f"00000000-0000-0000-0000-00000000000{digit}" for digit in "abc")


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def days_ago(days: int, hour: int = 12) -> pd.Timestamp:
    return pd.Timestamp(AS_OF, tz="UTC") - pd.Timedelta(days=days) + pd.Timedelta(hours=hour)


def session(session_id: str, scheduled_time: pd.Timestamp, status: str = "completed", **other: Any) -> dict[str, Any]:
    row = {"tutor_id": ANN, "student_id": "s1", "rating": None, "initiator": None}
    return {"session_id": session_id, "scheduled_time": scheduled_time, "status": status, **row, **other}


def reschedule(session_id: str, requested_at: pd.Timestamp | None = None, **other: Any) -> dict[str, Any]:
    row = {"reschedule_initiator": "tutor", "reason_code": None, "original_time": None}
    return {"session_id": session_id, "requested_at": requested_at, **row, **other}


def raw_frames(
    sessions: list[dict[str, Any]] | None = None,
    reschedules: list[dict[str, Any]] | None = None,
    excused: list[str] | None = None,
    tutors: tuple[str, ...] = (ANN,),
) -> RawFrames:
    """Frames typed as `load_raw` types them."""
    session_types = {
        "session_id": "str",
        "tutor_id": "category",
        "student_id": "category",
        "status": "category",
        "scheduled_time": "datetime64[us, UTC]",
        "rating": "float64",
        "initiator": "category",
    }
    reschedule_types = {
        "session_id": "str",
        "reschedule_initiator": "category",
        "reason_code": "category",
        "requested_at": "datetime64[us, UTC]",
        "original_time": "datetime64[us, UTC]",
    }
    return RawFrames(
        tutors=pd.DataFrame({"tutor_id": list(tutors)}, dtype="str"),
        sessions=pd.DataFrame(sessions or [], columns=list(session_types)).astype(session_types),
        reschedules=pd.DataFrame(reschedules or [], columns=list(reschedule_types)).astype(reschedule_types),
        excuses=pd.DataFrame({"session_id": excused or []}, dtype="str"),
    )


def facts_of(*args: Any, timezone: str = "UTC", **kwargs: Any) -> pd.DataFrame:
    return session_facts(raw_frames(*args, **kwargs), timezone)


def as_published(scores: pd.DataFrame) -> pd.DataFrame:
    """What psycopg would return for these scores: Python objects with None for null."""
    plain = {
        name: [None if pd.isna(value) else value for value in column.astype("object")]
        for name, column in scores.items()
    }
    return pd.DataFrame(plain, index=scores.index, dtype="object")


def column_of(report: VerifyReport, name: str) -> Any:
    return next(column for column in report.columns if column.column == name)


def cell(frame: pd.DataFrame, name: str, tutor_id: str = ANN) -> Any:
    return frame.at[tutor_id, name]


def put(frame: pd.DataFrame, tutor_id: str = ANN, **values: Any) -> None:
    for name, value in values.items():
        frame.at[tutor_id, name] = value


# --- facts ----------------------------------------------------------------------------------------------------------


def test_the_reporting_zone_decides_the_date() -> None:
    late = [session("1", at("2026-01-31 23:30"))]
    assert facts_of(late).loc[0, "counted_on"] == pd.Timestamp("2026-01-31")
    assert facts_of(late, timezone="Europe/Vienna").loc[0, "counted_on"] == pd.Timestamp("2026-02-01")
    assert facts_of(late, timezone="America/New_York").loc[0, "counted_on"] == pd.Timestamp("2026-01-31")


def test_summer_time_shifts_the_date_by_its_own_offset() -> None:
    """22:30 UTC is 23:30 in Vienna in winter and 00:30 of the next day in summer."""
    facts = facts_of(
        [session("w", at("2026-03-28 22:30")), session("s", at("2026-03-29 22:30"))], timezone="Europe/Vienna"
    )
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
    assert list(facts["has_reschedule"]) == [True] * 4
    assert list(facts["is_tutor_reschedule"]) == [False, True, True, False]


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
    assert list(facts["is_short_notice"]) == [False, True, True, False, True, False]


def test_an_excuse_takes_the_reschedule_from_the_tutor_but_leaves_it_a_reschedule() -> None:
    facts = facts_of(
        [session("1", days_ago(1), "rescheduled")], [reschedule("1", days_ago(1, hour=11))], excused=["1", "unknown"]
    )
    row = facts.iloc[0]
    assert (row["has_reschedule"], row["is_tutor_reschedule"], row["is_short_notice"]) == (True, False, False)


def test_a_reschedule_of_an_unknown_session_has_no_effect() -> None:
    facts = facts_of([session("1", days_ago(1))], [reschedule("other", days_ago(1))])
    assert len(facts) == 1
    assert not facts["has_reschedule"].any()


# --- counts ---------------------------------------------------------------------------------------------------------


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
    assert counts["sessions_7d"] == 5
    assert counts["sessions_30d"] == 7
    assert counts["reschedules_7d"] == 1
    assert counts["reschedules_30d"] == 3
    assert counts["tutor_reschedules_30d"] == 1
    assert counts["short_notice_reschedules_30d"] == 1
    assert counts["tutor_no_shows_30d"] == 1
    assert counts["reschedule_rate_7d"] == 1 / 5


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
    counts = first_meetings(facts, AS_OF).loc[ANN]
    assert counts["first_meetings"] == 5
    assert counts["first_meetings_continued"] == 2  # just over, two on the first day


def test_the_first_meeting_is_the_earliest_whatever_the_order_of_rows() -> None:
    facts = facts_of([session("b", days_ago(40)), session("a", days_ago(90)), session("c", days_ago(45))])
    counts = first_meetings(facts, AS_OF).loc[ANN]
    assert (counts["first_meetings"], counts["first_meetings_continued"]) == (1, 0)


def test_ratings_shrink_to_the_mean_of_all() -> None:
    facts = facts_of(
        [
            session("1", days_ago(1), rating=5.0),
            session("2", days_ago(89), rating=4.0),
            session("3", days_ago(90), rating=1.0),
            session("4", days_ago(2)),
            session("5", days_ago(2), rating=2.0, tutor_id=BOB),
        ]
    )
    ann = ratings(facts, AS_OF).loc[ANN]
    assert ann["ratings_90d"] == 2
    assert ann["rating_mean_90d"] == 4.5
    assert ann["rating_expected"] == pytest.approx((9 + 10 * 11 / 3) / 12)


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


# --- shrinkage ------------------------------------------------------------------------------------------------------


def test_the_prior_of_a_case_worked_by_hand() -> None:
    """k = 1, 3, 8 of n = 10 each: m = .4, S = 2.6, rho = (2.6 - .48) / (.24 * 18) = .490741."""
    prior = beta_prior([1, 3, 8, 0], [10, 10, 10, 0], RESCHEDULE_FALLBACK)
    weight = 1 / (2.12 / 4.32) - 1
    assert prior.alpha == pytest.approx(0.4 * weight)
    assert prior.beta == pytest.approx(0.6 * weight)


@pytest.mark.parametrize(
    ("successes", "trials"),
    [
        pytest.param([], [], id="nobody"),
        pytest.param([0, 0], [0, 0], id="no trials"),
        pytest.param([3, 0], [10, 0], id="one unit"),
        pytest.param([0, 0], [10, 12], id="no successes"),
        pytest.param([10, 12], [10, 12], id="only successes"),
        pytest.param([0, 1, 1], [1, 1, 1], id="one trial each"),
    ],
)
def test_a_degenerate_prior_falls_back(successes: list[int], trials: list[int]) -> None:
    assert beta_prior(successes, trials, RESCHEDULE_FALLBACK) == BetaPrior(1, 9)


units = st.lists(
    st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=0, max_size=30
)


@given(units)
@hypothesis_settings(max_examples=150, deadline=None)
def test_the_prior_stays_within_its_clamp_and_the_posterior_within_0_and_1(pairs: list[tuple[int, int]]) -> None:
    successes = pd.Series([k for k, _ in pairs], dtype="int64")
    trials = pd.Series([n for _, n in pairs], dtype="int64")
    prior = beta_prior(successes, trials, RESCHEDULE_FALLBACK)
    assert 1 - 1e-9 <= prior.alpha + prior.beta <= 199 + 1e-9
    result = posterior(successes, trials, prior, 0.15)
    assert (result["alpha"].isna() == (trials == 0)).all()
    known = result[trials > 0]
    for column in ("expected", "low", "high", "risk"):
        assert known[column].between(0, 1).all()
    assert (known["low"] <= known["high"]).all()


def test_the_posterior_agrees_with_integrating_the_density() -> None:
    result = posterior(pd.Series([3]), pd.Series([10]), BetaPrior(1.0, 9.0), 0.15).iloc[0]
    density = scipy.stats.beta(4, 16).pdf
    assert result["expected"] == pytest.approx(0.2)
    assert result["risk"] == pytest.approx(scipy.integrate.quad(density, 0.15, 1)[0])
    assert scipy.integrate.quad(density, 0, result["low"])[0] == pytest.approx(0.05)
    assert scipy.integrate.quad(density, 0, result["high"])[0] == pytest.approx(0.95)


def test_the_status_needs_five_sessions_and_includes_its_cuts() -> None:
    sessions = pd.Series([0, 4, 5, 5, 5, 5])
    probability = pd.Series([np.nan, 0.99, 0.8, 0.79, 0.5, 0.49])
    expected = ["insufficient_data", "insufficient_data", "high_risk", "watch", "watch", "ok"]
    assert list(risk_status(sessions, probability, BASIS)) == expected


@given(st.floats(0.05, 80), st.floats(0.05, 400), st.floats(0.02, 0.6), st.floats(0.1, 0.9))
@hypothesis_settings(max_examples=150, deadline=None)
def test_sessions_to_clear_is_the_smallest_number(alpha: float, beta: float, threshold: float, cut: float) -> None:
    def is_flagged(more: float) -> bool:
        return bool(scipy.stats.beta.sf(threshold, alpha, beta + more) >= cut)

    (needed,) = sessions_to_clear(np.array([alpha]), np.array([beta]), threshold=threshold, watch_probability=cut)
    if np.isnan(needed):
        assert is_flagged(4095)
    else:
        assert needed >= 1
        assert not is_flagged(needed)
        assert needed == 1 or is_flagged(needed - 1)


# --- quality --------------------------------------------------------------------------------------------------------


def test_quality_weighs_the_components_that_exist() -> None:
    nothing = np.nan
    result = quality(
        pd.Series([0.06, 0.06, 0.45, nothing]),
        pd.Series([0.02, 0.02, 0.20, nothing]),
        pd.Series([0.7, nothing, nothing, nothing]),
        pd.Series([4.2, nothing, nothing, nothing]),
    )
    assert list(result.loc[0])[:4] == pytest.approx([0.8, 0.8, 0.7, 0.8])
    assert result["quality_score"].iloc[0] == pytest.approx(100 * (0.8 * 0.8 + 0.2 * 0.7))
    assert result["quality_score"].iloc[1] == pytest.approx(80)
    assert result["quality_score"].iloc[2] == 0
    assert np.isnan(result["quality_score"].iloc[3])


def test_the_percentile_ranks_scored_tutors_with_enough_data() -> None:
    scores = pd.Series([50.0, 70, 70, 90, 10, np.nan])
    status = pd.Series(["ok", "ok", "watch", "high_risk", "insufficient_data", "ok"])
    ranks = peer_percentile(scores, status)
    assert list(ranks[:4]) == pytest.approx([0, 1 / 3, 1 / 3, 1])
    assert ranks[4:].isna().all()
    assert list(peer_percentile(scores[:1], status[:1])) == [0]


# --- scores and their comparison ------------------------------------------------------------------------------------


def busy_frames() -> RawFrames:
    """Ann moves 6 of 12 sessions, Bob none of 12 and is rated, Cyd has none; their students come back or not."""
    sessions, moved = [], []
    for number in range(12):
        when = days_ago(5 * number + 1)
        ann, bob = f"{number:032x}", f"{number + 100:032x}"
        ann, bob = str(UUID(ann)), str(UUID(bob))
        student = {"student_id": str(UUID(int=1000 + number // 2))}
        if number % 2:
            moved.append(reschedule(ann, when - pd.Timedelta(hours=3 + number), reason_code="sick"))
        sessions.append(session(ann, when, "rescheduled" if number % 2 else "completed", **student))
        sessions.append(session(bob, when, tutor_id=BOB, rating=3.5 + number / 10, **student))
    return raw_frames(sessions, moved, tutors=(CYD, BOB, ANN))


def busy_scores() -> pd.DataFrame:
    frames = busy_frames()
    return score_tutors(frames.tutors["tutor_id"], session_facts(frames, "UTC"), BASIS)


def test_scores_of_three_tutors() -> None:
    scores = busy_scores()
    assert list(scores.index) == [ANN, BOB, CYD]
    assert list(scores.columns) == list(TOLERANCES)
    assert list(scores["sessions_90d"]) == [12, 12, 0]
    assert list(scores["episodes_90d"]) == [6, 0, 0]
    assert list(scores["risk_status"]) == ["high_risk", "ok", "insufficient_data"]
    assert scores.loc[BOB, "peer_percentile"] == 1
    clear = scores["sessions_to_clear"]
    assert clear[ANN] > 1
    assert clear[[BOB, CYD]].isna().all()
    assert scores.loc[CYD, ["risk_probability", "quality_score", "rating_expected", "last_session_at"]].isna().all()


def test_no_rows_give_empty_scores_and_tutors_without_sessions_null_ones() -> None:
    nobody = raw_frames(tutors=())
    empty = score_tutors(nobody.tutors["tutor_id"], session_facts(nobody, "UTC"), BASIS)
    assert empty.shape == (0, len(TOLERANCES))
    assert compare(empty, as_published(empty), BASIS).ok

    idle = score_tutors([ANN], session_facts(raw_frames(), "UTC"), BASIS)
    assert idle.loc[ANN, "sessions_90d"] == 0
    assert idle.loc[ANN, "risk_status"] == "insufficient_data"
    assert idle["quality_score"].isna().all()
    assert compare(idle, as_published(idle), BASIS).ok


CHANGES: list[tuple[str, Any]] = [
    ("sessions_90d", 13),
    ("as_of", date(2026, 6, 29)),
    ("reschedule_rate_90d", 0.5 + 1e-11),
    ("reschedule_rate_low", 0.9),
    ("risk_probability", None),
    ("risk_probability", float("nan")),
    ("risk_status", "watch"),
    ("is_high_risk", False),
    ("sessions_to_clear", None),
    ("quality_score", 0.0),
    ("peer_percentile", 1.0),
    ("last_session_at", days_ago(1, hour=11)),
    ("rating_expected", 3.0),
]


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_a_changed_value_is_reported_under_its_column(name: str, value: Any) -> None:
    scores = busy_scores()
    published = as_published(scores)
    put(published, **{name: value})
    report = compare(scores, published, BASIS)
    assert not report.ok
    assert {column.column: column.differences for column in report.columns if column.differences} == {name: 1}
    assert column_of(report, name).examples[0].tutor_id == ANN
    json.dumps(report.to_dict(), allow_nan=False)


def test_what_the_grid_in_sql_may_be_off_by_is_accepted() -> None:
    scores = busy_scores()
    published = as_published(scores)
    put(published, risk_probability=cell(published, "risk_probability") - 9e-4)
    put(published, reschedule_rate_high=cell(published, "reschedule_rate_high") + 4e-3)
    put(published, sessions_to_clear=cell(published, "sessions_to_clear") + 1)
    put(published, quality_score=cell(published, "quality_score") + 1e-8)
    assert compare(scores, published, BASIS).ok
    put(published, sessions_to_clear=cell(published, "sessions_to_clear") + 1)
    assert not compare(scores, published, BASIS).ok


def test_a_probability_at_the_cut_makes_the_status_borderline() -> None:
    scores = busy_scores()
    published = as_published(scores)
    put(published, risk_status="watch", is_high_risk=False)
    near = replace(BASIS, high_risk_probability=cell(scores, "risk_probability") - 5e-4)
    report = compare(scores, published, near)
    assert report.ok
    assert [column_of(report, name).borderline for name in ("risk_status", "is_high_risk")] == [1, 1]
    assert not compare(scores, published, replace(near, high_risk_probability=near.high_risk_probability - 1e-3)).ok

    put(published, risk_status="ok", sessions_to_clear=None)
    cut = cell(scores, "risk_probability") - 5e-4
    report = compare(scores, published, replace(BASIS, high_risk_probability=0.9999, watch_probability=cut))
    assert column_of(report, "risk_status").borderline == 1
    assert column_of(report, "sessions_to_clear").borderline == 1


def test_a_tie_that_rounding_breaks_is_borderline_and_no_more() -> None:
    scores = busy_scores()
    scores.loc[CYD] = scores.loc[BOB]
    scores["peer_percentile"] = [0.0, 0.5, 0.5]
    published = as_published(scores)
    put(published, CYD, peer_percentile=1.0)
    report = compare(scores, published, BASIS)
    assert (report.ok, column_of(report, "peer_percentile").borderline) == (True, 1)
    put(published, CYD, peer_percentile=0.0)
    assert not compare(scores, published, BASIS).ok


def test_missing_extra_and_repeated_tutors_are_named() -> None:
    scores = busy_scores()
    published = as_published(scores)
    stranger = published.loc[[BOB]].rename(index={BOB: "stranger"})
    report = compare(scores, pd.concat([published.drop(index=CYD), stranger, published.loc[[ANN]]]), BASIS)
    assert not report.ok
    assert report.missing_tutors == (CYD,)
    assert report.extra_tutors == ("stranger", ANN)
    assert report.tutors == 2


# --- database -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = postgres.new_database(tmp_path_factory.mktemp("verify"))
    with database.connect() as connection:
        fill_raw(connection, busy_frames())
    return database


def settings_for(home: Path, **changes: Any) -> Settings:
    return Settings(home=home, database_url=None, as_of=AS_OF.isoformat(), timezone="UTC", **changes)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


def fill_raw(connection: psycopg.Connection, frames: RawFrames) -> None:
    def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
        objects = frame.astype("object")
        records = objects.where(objects.notna(), None).to_dict("records")
        return [{str(name): value for name, value in record.items()} for record in records]

    with connection.cursor() as cursor:
        cursor.executemany("insert into raw.tutors (tutor_id) values (%(tutor_id)s)", rows(frames.tutors))
        students = [{"id": str(student)} for student in frames.sessions["student_id"].unique()]
        cursor.executemany("insert into raw.students (student_id) values (%(id)s)", students)
        cursor.executemany(
            """
            insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, rating, initiator)
            values (%(session_id)s, %(tutor_id)s, %(student_id)s, %(scheduled_time)s, %(status)s, %(rating)s,
                    %(initiator)s)
            """,
            rows(frames.sessions),
        )
        cursor.executemany(
            """
            insert into raw.reschedules (session_id, initiator, reason_code, requested_at, original_time)
            values (%(session_id)s, %(reschedule_initiator)s, %(reason_code)s, %(requested_at)s, %(original_time)s)
            """,
            rows(frames.reschedules),
        )
        cursor.execute("delete from raw.changes")


@pytest.fixture
def marts(database: Database, settings: Settings) -> Iterator[psycopg.Connection]:
    """A mart with the columns that are compared, filled with the recomputed scores."""
    types = {"as_of": "date", "risk_status": "text", "is_high_risk": "boolean", "last_session_at": "timestamptz"}
    scores = as_published(recompute(database.as_role(DatabaseRole.TRANSFORM), settings=settings))
    integers = {name for name, column in scores.items() if any(type(value) is int for value in column)}
    columns = ", ".join(
        f"{name} {types.get(name, 'bigint' if name in integers else 'double precision')}" for name in TOLERANCES
    )
    with database.connect(autocommit=True) as connection:
        connection.execute("set role tutorq_transform")
        connection.execute(
            """
            create table marts.publication (
                generation bigint, as_of date, published_at timestamptz, timezone text, risk_threshold float8,
                high_risk_probability float8, watch_probability float8
            )
            """
        )
        connection.execute(
            "insert into marts.publication values (1, %s, now(), 'UTC', 0.15, 0.8, 0.5)", [settings.as_of]
        )
        connection.execute(f"create table marts.tutor_scores (tutor_id uuid, {columns})".encode())
        places = ", ".join(["%s"] * (len(TOLERANCES) + 1))
        with connection.cursor() as cursor:
            cursor.executemany(
                f"insert into marts.tutor_scores values ({places})".encode(),
                [(tutor, *row) for tutor, row in zip(scores.index, scores.to_numpy().tolist(), strict=True)],
            )
        connection.execute("reset role")
        yield connection
        connection.execute("drop table marts.publication, marts.tutor_scores")


def test_what_is_loaded_is_what_was_written(database: Database) -> None:
    expected = busy_frames()
    moment = datetime(2026, 5, 1, 12, 30, 15, 123457, tzinfo=UTC)
    codes = ["", "NA", None]
    with database.connect() as connection:
        for number, code in enumerate(codes):
            connection.execute(
                """
                insert into raw.reschedules (session_id, initiator, reason_code, original_time)
                values (%s, 'tutor', %s, %s)
                """,
                [UUID(int=5000 + number), code, moment],
            )
        frames = load_raw(connection)
        connection.rollback()
    assert sorted(frames.tutors["tutor_id"]) == [ANN, BOB, CYD]
    for loaded, wanted in ((frames.sessions, expected.sessions), (frames.reschedules, expected.reschedules)):
        both = loaded.merge(wanted, on="session_id", suffixes=("", "_wanted"))
        assert len(both) == len(wanted)
        for name in wanted.columns.drop("session_id"):
            assert list(both[name].dropna()) == list(both[f"{name}_wanted"].dropna())
    strange = frames.reschedules[~frames.reschedules["session_id"].isin(expected.reschedules["session_id"])]
    assert strange["reason_code"].isna().tolist() == [False, False, True]
    assert strange["reason_code"].dropna().tolist() == ["", "NA"]
    assert set(strange["original_time"]) == {pd.Timestamp(moment)}
    assert strange["requested_at"].isna().all()


def test_verify_needs_a_publication(database: Database, settings: Settings) -> None:
    with pytest.raises(TutorqError, match="tutorq score"):
        verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)


def test_recompute_before_the_first_publication_follows_the_settings(database: Database, settings: Settings) -> None:
    wanted = settings.model_copy(update={"as_of": "latest", "risk_threshold": 0.9})
    latest = recompute(database.as_role(DatabaseRole.TRANSFORM), settings=wanted)
    assert set(latest["as_of"]) == {AS_OF - timedelta(days=1)}
    assert latest.loc[ANN, "risk_status"] == "ok"


def test_verify_accepts_correct_marts(database: Database, settings: Settings, marts: psycopg.Connection) -> None:
    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)
    assert report.ok
    assert report.notes == ()
    assert {column.compared for column in report.columns} == {3}
    assert {column.borderline for column in report.columns} == {0}
    assert json.loads(json.dumps(report.to_dict()))["basis"]["as_of"] == "2026-06-30"


def test_verify_reports_the_column_of_a_changed_cell(
    database: Database, settings: Settings, marts: psycopg.Connection
) -> None:
    marts.execute("update marts.tutor_scores set tutor_reschedules_30d = 99 where tutor_id = %s", [ANN])
    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)
    assert not report.ok
    (wrong,) = [column for column in report.columns if column.differences]
    assert (wrong.column, wrong.differences, wrong.largest_difference) == ("tutor_reschedules_30d", 1, 96)

    console = Console(record=True, width=160, file=StringIO())
    console.print(report.to_table())
    text = " ".join(console.export_text().split())
    assert "DIFFER" in text
    assert f"tutor_reschedules_30d of {ANN}: 99.0 in the marts, 3.0 recomputed" in text


def test_the_publication_outweighs_the_settings_and_notes_say_what_changed(
    database: Database, settings: Settings, marts: psycopg.Connection
) -> None:
    now = settings.model_copy(update={"as_of": "2020-01-01", "timezone": "Asia/Tokyo"})
    marts.execute("update raw.tutors set name = 'Cyd' where tutor_id = %s", [CYD])
    try:
        report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=now)
    finally:
        marts.execute("delete from raw.changes")
    assert report.ok
    assert report.basis.as_of == AS_OF
    assert report.notes == (
        "changes that are not in the marts yet: 1; `tutorq score` takes them over",
        "timezone was UTC when the marts were built and is Asia/Tokyo now",
    )


def test_every_column_of_the_scores_is_verified() -> None:
    """Or named here: what is copied from the tutor, and what the days recorded before decide."""
    path = PROJECT_ROOT / "dbt_project" / "models" / "marts" / "tutor_scores.yml"
    columns = {column["name"] for column in yaml.safe_load(path.read_text())["models"][0]["columns"]}
    copied = {"tutor_id", "external_id", "name", "subjects", "is_active"}
    assert columns - set(TOLERANCES) == copied | {"risk_status_since"}
