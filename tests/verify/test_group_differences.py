"""Which differences between groups are said to be more than chance: made-up worlds with known truth."""

import numpy as np
import pandas as pd
import pytest

from verify.inputs import Floats
from verify.recompute.fairness import compare, wilson

pytestmark = pytest.mark.slow

TUTORS = 300
# As many as it takes to see the difference, and in the nightly run many more.
WORLDS = pytest.mark.parametrize("worlds", [40, pytest.param(200, marks=pytest.mark.soak)])
# Shares of tutors by level: unequal, and one too small to be compared.
LEVELS = {
    "subject": (0.3, 0.25, 0.2, 0.12, 0.08, 0.05),
    "tenure": (0.1, 0.2, 0.4, 0.3),
    "volume": (0.15, 0.35, 0.35, 0.15),
    "time_zone": (0.4, 0.3, 0.2, 0.1),
    "age": (0.1, 0.45, 0.35, 0.1),
}


def world(rng: np.random.Generator, *, raised: Floats | float = 0.1, favour: float = 1.0) -> pd.DataFrame:
    """Counts of a marketplace in which nothing depends on groups, but for what is planted.

    raised: chance that a tutor is raised. favour: factor on the chance that sick days of the first time zone are
    excused. Excuses come by sick days of one to six sessions, most of which are some tutors' only.
    """
    levels = {name: rng.choice(len(shares), TUTORS, p=shares) for name, shares in LEVELS.items()}
    is_raised = rng.random(TUTORS) < raised
    caused = np.zeros(TUTORS, dtype=int)
    excused = np.zeros(TUTORS, dtype=int)
    # Those who teach much cause more, and some are prone to be excused.
    days = rng.poisson(2 + 4 * levels["volume"])
    prone = rng.beta(0.5, 4.5, TUTORS) * np.where(levels["time_zone"] == 0, favour, 1)
    for tutor in range(TUTORS):
        sizes = 1 + rng.geometric(0.5, days[tutor]).clip(max=6)
        is_excused = rng.random(days[tutor]) < prone[tutor]
        caused[tutor], excused[tutor] = sizes.sum(), sizes[is_excused].sum()
    parts = []
    for name, level in levels.items():
        for measure, trials, events in (
            ("raised", np.ones(TUTORS, dtype=int), is_raised.astype(int)),
            ("excused", caused, excused),
        ):
            part = pd.DataFrame(
                {
                    "measure": measure, "dimension": name, "level": level.astype("str"),
                    "tutor_id": np.arange(TUTORS), "trials": trials, "events": events,
                }
            )  # fmt: skip
            parts.append(part[part["trials"] > 0])
    return pd.concat(parts, ignore_index=True)


@WORLDS
def test_worlds_without_differences_have_no_words(worlds: int) -> None:
    """With false discoveries at 10%, at most one such world in ten says anything; 3 standard errors are let pass."""
    rng = np.random.default_rng(68)
    found = [int(compare(world(rng))["is_difference"].sum()) for _ in range(worlds)]
    speaking = sum(count > 0 for count in found)
    assert speaking <= worlds * 0.1 + 3 * np.sqrt(worlds * 0.1 * 0.9), (speaking, sum(found))


@pytest.mark.parametrize("worlds", [10, pytest.param(60, marks=pytest.mark.soak)])
def test_one_in_ten_of_what_is_said_may_be_false_and_true_differences_are_found(worlds: int) -> None:
    """Tutors of one time zone are raised three times as often, and excused a quarter as often, as all others."""
    rng = np.random.default_rng(69)
    true = false = 0
    for _ in range(worlds):
        luck = rng.random(TUTORS)
        counts = world(rng, favour=0.25)
        of_zone = (counts["measure"] == "raised") & (counts["dimension"] == "time_zone")
        first = counts.loc[of_zone & (counts["level"] == "0"), "tutor_id"]
        more = counts["tutor_id"].isin(first) & (counts["measure"] == "raised")
        counts.loc[more, "events"] = (luck[counts.loc[more, "tutor_id"]] < 0.3).astype(int)
        groups = compare(counts)
        said = groups[groups["is_difference"]].reset_index()
        is_true = said["dimension"] == "time_zone"
        true += int(is_true.sum())
        false += int((~is_true).sum())
    assert true > worlds
    assert false <= 0.15 * (true + false), (true, false)


@WORLDS
def test_intervals_hold_the_truth_though_excuses_come_together(worlds: int) -> None:
    rng = np.random.default_rng(70)
    held = total = 0
    truth = 0.1  # mean of `prone`
    for _ in range(worlds):
        groups = compare(world(rng)).reset_index()
        known = groups[(groups["measure"] == "excused") & groups["share"].notna()]
        held += int(((known["low"] <= truth) & (truth <= known["high"])).sum())
        total += len(known)
    assert 0.93 <= held / total <= 0.99, held / total


def test_small_groups_have_no_figures() -> None:
    counts = world(np.random.default_rng(1))
    groups = compare(counts)
    small = groups["tutors"] < 20
    assert small.any()
    assert groups.loc[small, ["share", "low", "high", "p_value", "q_value"]].isna().all(axis=None)
    assert not groups.loc[small, "is_difference"].any()


@pytest.mark.parametrize(("events", "draws", "low", "high"), [(0, 20, 0.0, 0.1611), (14, 100, 0.0853, 0.2214)])
def test_wilsons_interval_is_that_of_the_textbook(events: int, draws: int, low: float, high: float) -> None:
    assert wilson(events / draws, draws) == pytest.approx((low, high), abs=1e-4)
