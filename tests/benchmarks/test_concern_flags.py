"""How flags are judged against the truth, and that the benchmark prints its tables."""

import importlib
import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from core.database import Database
from core.settings import PROJECT_ROOT


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    # Not an installed package: `python -m benchmarks` finds it because it is started in the project's folder.
    monkeypatch.syspath_prepend(str(PROJECT_ROOT))
    return importlib.import_module("benchmarks.flags")


def days(*stretches: tuple[int, int], of: int = 200) -> np.ndarray:
    """(1, of): true within the stretches."""
    chosen = np.zeros((1, of), dtype=bool)
    for start, end in stretches:
        chosen[0, start:end] = True
    return chosen


def truth(*stretches: tuple[int, int], concern: str = "no_shows", is_clear: bool = True) -> pd.DataFrame:
    rows = [(concern, 0, start, end, is_clear) for start, end in stretches]
    return pd.DataFrame(rows, columns=["concern", "tutor", "start", "end", "is_clear"])


def test_a_flag_within_the_truth_is_right_and_its_delay_is_from_the_first_day(flags: ModuleType) -> None:
    verdict = flags.judge("no_shows", days((112, 130)), truth((100, 160)), days((0, 200)), 60)
    assert (verdict.planted, verdict.found, verdict.delays) == (1, 1, (12.0,))
    assert (verdict.flags, verdict.right, verdict.days, verdict.days_right) == (1, 1, 18, 18)


def test_a_flag_elsewhere_is_false_and_finds_nothing(flags: ModuleType) -> None:
    verdict = flags.judge("no_shows", days((90, 95), (165, 170)), truth((100, 160)), days((0, 200)), 60)
    assert (verdict.planted, verdict.found, verdict.delays) == (1, 0, ())
    assert (verdict.flags, verdict.right, verdict.days_right) == (2, 0, 0)


def test_a_flag_that_began_too_early_finds_it_at_once_but_was_false(flags: ModuleType) -> None:
    verdict = flags.judge("no_shows", days((90, 120)), truth((100, 160)), days((0, 200)), 60)
    assert (verdict.found, verdict.delays, verdict.flags, verdict.right) == (1, (0.0,), 1, 0)
    assert (verdict.days, verdict.days_right) == (30, 20)


def test_the_delay_begins_when_there_is_what_the_concern_needs(flags: ModuleType) -> None:
    verdict = flags.judge("no_shows", days((112, 130)), truth((100, 160)), days((110, 200)), 60)
    assert verdict.delays == (2.0,)
    assert flags.judge("no_shows", days((112, 130)), truth((100, 160)), days((100, 120)), 60).planted == 0


def test_what_is_over_within_a_month_is_not_asked_for(flags: ModuleType) -> None:
    assert flags.judge("no_shows", days(), truth((100, 125)), days((0, 200)), 60).planted == 0


def test_flags_of_the_first_days_are_not_judged(flags: ModuleType) -> None:
    verdict = flags.judge("no_shows", days((10, 20)), truth((100, 160)), days((0, 200)), 60)
    assert verdict.flags == 0


def test_a_sudden_change_is_right_about_who_always_was_above_the_limit(flags: ModuleType) -> None:
    known = pd.concat([truth((0, 200), concern="unreliable")])
    verdict = flags.judge("getting_worse", days((100, 110)), known, days((0, 200)), 60)
    assert (verdict.planted, verdict.flags, verdict.right) == (0, 1, 1)


@pytest.mark.soak
def test_prints_its_tables(flags: ModuleType, database: Database, tmp_path: Path) -> None:
    text = io.StringIO()
    flags.run(flags.TINY, Console(file=text, width=160), tmp_path, database)
    table = text.getvalue()
    lines = ["differ from the marts: 0", "unreliable", "days off excused", "30 days, raw", "low_ratings", "naive rule"]
    assert [line for line in lines if line not in table] == []
