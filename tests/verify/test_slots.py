"""Patterns on made-up sessions: none where there are none, those that were planted, and hardly any others."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests import worlds
from verify.recompute.change_filter import design_effect
from verify.recompute.slots import PLATFORM, case_mix_odds, cell_p_values, false_discovery_rates, patterns

WORLDS = 10
PLANTED = 30


def cells_of(world: worlds.SlotWorld) -> pd.DataFrame:
    """The cells of single tutors."""
    cells = patterns(world.slots, design_effect(*world.counts))
    return cells[~cells.index.str.startswith(PLATFORM)]


def naive(cells: pd.DataFrame) -> pd.Series:
    """What one would do without much thought: twice the rate of the other sessions, with three let-downs or more."""
    rate, other = cells["let_downs"] / cells["sessions"], cells["other_let_downs"] / cells["other_sessions"]
    return (cells["let_downs"] >= 3) & (rate >= 2 * other)


@pytest.mark.slow
def test_where_no_slot_differs_hardly_any_pattern_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    found, by_naive = 0, 0
    for seed in range(WORLDS):
        cells = cells_of(worlds.in_slots(seed))
        found += int(cells["is_pattern"].sum())
        by_naive += int(naive(cells).sum())
    with capsys.disabled():
        print(f"\nno patterns planted, {WORLDS} worlds of 300 tutors: {found} found; naive rule: {by_naive}")
    assert found <= 2
    assert by_naive > 1000


def test_planted_patterns_are_found_with_few_false_ones(capsys: pytest.CaptureFixture[str]) -> None:
    world = worlds.in_slots(100, planted=PLANTED, odds=6)
    cells = cells_of(world)
    found, named = set(cells.index[cells["is_pattern"]]), set(cells.index[naive(cells)])
    with capsys.disabled():
        print(
            f"\n{PLANTED} patterns planted: {len(found & world.planted)} found, {len(found - world.planted)} false; "
            f"naive rule: {len(named & world.planted)} found, {len(named - world.planted)} false"
        )
    assert len(found & world.planted) >= 12
    assert len(found - world.planted) <= 2
    assert len(named - world.planted) > 100


def test_p_values_are_those_of_drawing_without_replacement() -> None:
    """By the exact hypergeometric distribution: near for counts that may be chance, too small by a third further out.
    What a design effect of 2 makes of it is far on the safe side."""
    total, events, n = np.array([200.0]), np.array([40.0]), np.array([40.0])
    for k, tolerance in ((10, 0.03), (12, 0.06), (15, 0.35)):
        exact = stats.hypergeom.sf(k - 1, 200, 40, 40)
        assert cell_p_values(n, np.array([float(k)]), total, events, 1.0)[0] == pytest.approx(exact, rel=tolerance)
    assert cell_p_values(n, np.array([15.0]), total, events, 2.0)[0] > 5 * stats.hypergeom.sf(14, 200, 40, 40)


def test_adjusted_p_values_grow_with_how_many_are_looked_at() -> None:
    assert false_discovery_rates(np.array([0.01, 0.04, 0.03, 0.5])) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


@pytest.mark.slow
def test_odds_are_taken_within_tutors() -> None:
    """One tutor has all Fridays and all trouble: it is the tutor's. Within the other two, Fridays have triple odds."""
    rows = [("bad", "5", 60, 30)] + [(tutor, "1", 90, 9) for tutor in "ab"] + [(tutor, "5", 40, 10) for tutor in "ab"]
    slots = pd.DataFrame(
        [(tutor, level, place < k) for tutor, level, n, k in rows for place in range(n)],
        columns=["tutor_id", "weekday", "is_let_down"],
    )
    odds = case_mix_odds(slots, "weekday")
    assert odds["1"] == 1.0
    assert odds["5"] == pytest.approx((10 / 30) / (9 / 81))
