"""What a tutor's score takes from concerns, and ranks."""

import numpy as np
import pandas as pd
import pytest

from tests.verify.rows import ANN, BASIS, BOB, CYD, busy_frames
from verify.recompute.counts import session_facts
from verify.recompute.scores import peer_percentile, score_tutors


def concern(tutor_id: str, name: str, **other: object) -> dict[str, object]:
    row = {"status": "ok", "superseded": False, "probability": 0.3, "expected": 0.2, "low": 0.1, "high": 0.4}
    return {"tutor_id": tutor_id, "concern": name, "is_near": False, **row, **other}


def test_scores_take_over_what_concerns_say() -> None:
    concerns = pd.DataFrame(
        [
            concern(ANN, "low_ratings", status="raised", expected=3.2),
            concern(ANN, "unreliable", status="raised", probability=0.9),
            concern(ANN, "getting_worse", status="raised", superseded=True),
            concern(BOB, "unreliable", status="watch", is_near=True),
            concern(BOB, "loses_new_students", expected=0.25),
            concern(BOB, "no_shows", expected=0.02),
        ]
    )
    scores = score_tutors((ANN, BOB, CYD), session_facts(busy_frames(), BASIS), concerns, BASIS)
    assert list(scores["concerns"]) == [["unreliable", "low_ratings"], [], []]
    assert list(scores["attention"]) == [True, False, False]
    assert list(scores["risk_status"]) == ["high_risk", "watch", "insufficient_data"]
    assert list(scores["is_high_risk"]) == [True, False, False]
    assert list(scores["is_near"]) == [False, True, False]
    assert scores.loc[ANN, "risk_probability"] == 0.9
    assert scores.loc[ANN, "rating_expected"] == 3.2
    assert scores.loc[BOB, "first_session_rate_expected"] == 0.75
    assert scores.loc[BOB, "tutor_no_show_rate_expected"] == 0.02
    assert np.isnan(scores.loc[CYD, "let_down_rate_expected"])


def test_the_percentile_ranks_scored_tutors_with_enough_data() -> None:
    scores = pd.Series([50.0, 70, 70, 90, 10, np.nan])
    status = pd.Series(["ok", "ok", "watch", "high_risk", "insufficient_data", "ok"])
    ranks = peer_percentile(scores, status)
    assert list(ranks[:4]) == pytest.approx([0, 1 / 3, 1 / 3, 1])
    assert ranks[4:].isna().all()
    assert list(peer_percentile(scores[:1], status[:1])) == [0]
