"""Evaluation of policies, in a marketplace in which recommendations help by a known amount."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import policy
from core.database import Database


@pytest.mark.soak
def test_intervals_hold_the_truth_and_nothing_is_told_without_exploration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "POPULATION", 4_000)
    size, busy = policy.TINY, policy.weeks_of()
    found = policy.judge(size, busy)
    # By chance, one of eight such intervals misses the truth in a run in three, two in a run in twenty.
    misses = {key: each.told - each.covered for key, each in found.items() if each.told}
    assert max(misses.values()) <= 2, misses
    helps = found["continued", "model - rules"]
    assert helps.truth > 0.03
    assert helps.told == size.runs
    assert abs(helps.bias) < helps.width / 2
    assert policy.silent(size, busy) == size.runs


@pytest.mark.soak
def test_prints_its_table(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "POPULATION", 2_000)
    text = io.StringIO()
    policy.run(policy.TINY, Console(file=text, width=160), tmp_path, database)
    for words in ("model - rules", "others - held out", "cannot tell in 8 of 8 runs"):
        assert words in text.getvalue()
