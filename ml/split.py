"""Splits: by time wherever there are times, so that a model is judged on what came after all it has seen."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ml.features import Integers

TRAIN_SHARE = 0.85
# Beginnings of the training rows; on each a model is tried out, and watched on the rows up to the next one.
BEGINNINGS = (0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class TimeSplit:
    """Positions of rows: all of `train` are before all of `test`."""

    train: slice
    test: slice


def time_split(times: npt.NDArray[np.datetime64], known: npt.NDArray[np.datetime64] | None = None) -> TimeSplit:
    """Split rows that are in order of time, about 85 : 15. Rows of one UTC day stay together, so on few days a part
    may be empty.

    `known`: since when each outcome was known, in order, too. Rows whose outcome was known only after the first of
    `test` are then in neither part: what they tell overlaps with what is to be judged.
    """
    cut = _cut(times, TRAIN_SHARE)
    return TimeSplit(slice(0, _learnt(times, known, cut)), slice(cut, len(times)))


def rolling_folds(
    times: npt.NDArray[np.datetime64], known: npt.NDArray[np.datetime64] | None = None, *, every: int = 1
) -> list[tuple[slice, slice]]:
    """Positions to learn from and positions to watch: beginnings of rows that are in order of time, each with what
    comes next; of either only every so many-th. UTC days stay together. Folds with nothing to learn from or to watch
    are left out. `known` as in `time_split`."""
    cuts = [_cut(times, share) for share in BEGINNINGS]
    pairs = [(_learnt(times, known, cut), cut, until) for cut, until in pairwise(cuts)]
    return [(slice(0, end, every), slice(cut, until, every)) for end, cut, until in pairs if end > 0 and cut < until]


def folds(count: int, number: int, seed: int) -> list[Integers]:
    """Positions of `number` folds of nearly equal size, by chance: only for data that has no times."""
    return [np.sort(part) for part in np.array_split(np.random.default_rng(seed).permutation(count), number)]


def _learnt(times: npt.NDArray[np.datetime64], known: npt.NDArray[np.datetime64] | None, cut: int) -> int:
    """How many rows had their outcome on the day of the row at `cut`, on whose eve somebody asks."""
    if known is None or cut == len(times):
        return cut
    return min(cut, int(np.searchsorted(known, times[cut].astype("datetime64[D]"), side="right")))


def _cut(times: npt.NDArray[np.datetime64], share: float) -> int:
    """The first position of the day in which that share of the rows is reached."""
    days = times.astype("datetime64[D]")
    position = int(share * len(days))
    return int(np.searchsorted(days, days[position])) if position < len(days) else len(days)
