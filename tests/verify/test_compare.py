"""What a comparison reports, of scores and of what a mart would hold."""

import json
from datetime import date
from typing import Any

import pandas as pd
import pytest

from tests.verify.rows import ANN, BASIS, BOB, CYD, KEPT, busy_scores, cell, days_ago, raw_frames
from verify.columns import CARRIED_THROUGH
from verify.compare import compare
from verify.recompute import recompute
from verify.report import VerifyReport


def as_published(scores: pd.DataFrame) -> pd.DataFrame:
    """What psycopg would return for these scores: Python objects with None for null."""
    plain = {
        name: list(column.astype("object").where(column.notna(), None))
        for name, column in scores.drop(columns="is_near").items()
    }
    carried = dict.fromkeys(CARRIED_THROUGH)
    return pd.DataFrame({**carried, **plain}, index=scores.index, dtype="object")


def column_of(report: VerifyReport, name: str) -> Any:
    return next(column for column in report.columns if column.column == name)


def put(frame: pd.DataFrame, tutor_id: str = ANN, **values: Any) -> None:
    for name, value in values.items():
        frame.at[tutor_id, name] = value


def test_scores_of_three_tutors() -> None:
    scores = busy_scores()
    assert list(scores.index) == [ANN, BOB, CYD]
    assert list(scores["sessions_90d"]) == [12, 12, 0]
    assert list(scores["episodes_90d"]) == [6, 0, 0]
    assert list(scores["risk_status"]) == ["high_risk", "ok", "insufficient_data"]
    assert scores.loc[BOB, "peer_percentile"] == 1
    assert list(scores["concerns"]) == [["unreliable"], [], []]
    assert scores.loc[CYD, ["risk_probability", "quality_score", "rating_expected", "last_session_at"]].isna().all()


def test_no_rows_give_empty_scores_and_tutors_without_sessions_null_ones() -> None:
    empty = recompute(raw_frames(tutors=()), BASIS, KEPT).scores
    assert len(empty) == 0
    assert list(empty) == list(busy_scores())
    assert compare(empty, as_published(empty), BASIS).ok

    idle = recompute(raw_frames(), BASIS, KEPT).scores
    assert idle.loc[ANN, "sessions_90d"] == 0
    assert idle.loc[ANN, "risk_status"] == "insufficient_data"
    assert idle["quality_score"].isna().all()
    assert compare(idle, as_published(idle), BASIS).ok


CHANGES: list[tuple[str, Any]] = [
    ("sessions_90d", 13),
    ("as_of", date(2026, 6, 29)),
    ("reschedule_rate_90d", 0.5 + 1e-11),
    ("let_down_rate_low", 0.9),
    ("risk_probability", None),
    ("risk_probability", float("nan")),
    ("risk_status", "watch"),
    ("is_high_risk", False),
    ("concerns", ["no_shows"]),
    ("attention", False),
    ("harm_students", 1),
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
    put(published, let_down_rate_high=cell(published, "let_down_rate_high") + 4e-3)
    put(published, quality_score=cell(published, "quality_score") + 5e-5)
    assert compare(scores, published, BASIS).ok
    put(published, let_down_rate_high=cell(published, "let_down_rate_high") + 2e-3)
    assert not compare(scores, published, BASIS).ok


def test_near_a_level_the_other_status_is_as_right() -> None:
    scores = busy_scores()
    published = as_published(scores)
    put(published, risk_status="watch", is_high_risk=False, concerns=[], attention=False)
    assert not compare(scores, published, BASIS).ok
    near = compare(scores.assign(is_near=True), published, BASIS)
    assert near.ok
    names = ("risk_status", "is_high_risk", "concerns", "attention")
    assert [column_of(near, name).borderline for name in names] == [1, 1, 1, 1]


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


def test_a_column_that_nothing_verifies_is_named() -> None:
    scores = busy_scores()
    report = compare(scores, as_published(scores).assign(tutor_naps_7d=0), BASIS)
    assert (report.ok, report.unknown_columns, report.missing_columns) == (False, ("tutor_naps_7d",), ())
    (line,) = report.errors()
    assert "nothing verifies: tutor_naps_7d" in line
    assert {column.differences for column in report.columns} == {0}


@pytest.mark.parametrize("name", ["tutor_no_shows_30d", "risk_status", "peer_percentile", "risk_status_since"])
def test_a_column_that_is_not_there_is_named(name: str) -> None:
    scores = busy_scores()
    report = compare(scores, as_published(scores).drop(columns=name), BASIS)
    assert (report.ok, report.unknown_columns, report.missing_columns) == (False, (), (name,))
    (line,) = report.errors()
    assert f"lacks the column {name}" in line
    assert {column.differences for column in report.columns} == {0}
