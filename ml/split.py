"""Splits: by time wherever there are times, so that a model is judged on what came after all it has seen."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.features import Integers

TRAIN_SHARE, CALIBRATE_SHARE = 0.70, 0.15


@dataclass(frozen=True)
class TimeSplit:
    """Positions of rows: all of `train` are before all of `calibrate`, and those before all of `test`."""

    train: slice
    calibrate: slice
    test: slice


def time_split(times: npt.NDArray[np.datetime64]) -> TimeSplit:
    """Split rows that are in order of time, about 70 : 15 : 15. Rows of one UTC day stay together, so on few days
    a part may be empty."""
    days = times.astype("datetime64[D]")
    count = len(days)
    cuts = []
    for share in (TRAIN_SHARE, TRAIN_SHARE + CALIBRATE_SHARE):
        position = int(share * count)
        cuts.append(int(np.searchsorted(days, days[position])) if position < count else count)
    return TimeSplit(slice(0, cuts[0]), slice(cuts[0], cuts[1]), slice(cuts[1], count))


def folds(count: int, number: int, seed: int) -> list[Integers]:
    """Positions of `number` folds of nearly equal size, by chance: only for data that has no times."""
    return [np.sort(part) for part in np.array_split(np.random.default_rng(seed).permutation(count), number)]
