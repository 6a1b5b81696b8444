"""Random numbers by key: each lesson has its own, whatever else is drawn."""

from collections.abc import Sequence
from zlib import crc32 as checksum

import numpy as np
import numpy.typing as npt

from demo.timeline import FloatArray, IntArray

Bits = npt.NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)


class Draws:
    """SplitMix64 (Steele, Lea, Flood 2014) at the place that a key names, in a sequence per purpose.

    A stream would give a lesson other numbers as soon as one before it is left out. By key, the marketplace of another
    day or season differs by the lessons that differ, and by nothing else.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def uniform(self, purpose: str, key: IntArray) -> FloatArray:
        """At least 0 and below 1."""
        return (self._bits(purpose, key) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, purpose: str, key: IntArray) -> FloatArray:
        """Standard normal, by Box and Muller."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform(purpose, key)))
        angle: FloatArray = radius * np.cos(2 * np.pi * self.uniform(f"{purpose}, angle", key))
        return angle

    def exponential(self, purpose: str, key: IntArray) -> FloatArray:
        """With mean 1."""
        waits: FloatArray = -np.log1p(-self.uniform(purpose, key))
        return waits

    def between(self, purpose: str, key: IntArray, low: int, high: int) -> IntArray:
        """Whole numbers, at least `low` and below `high`."""
        return low + (self.uniform(purpose, key) * (high - low)).astype(np.int64)

    def pick(self, purpose: str, key: IntArray, shares: Sequence[float] | FloatArray) -> IntArray:
        """Places 0, 1, … with these shares of a whole."""
        limits = np.cumsum(shares)
        return np.searchsorted(limits[:-1] / limits[-1], self.uniform(purpose, key), side="right")

    def uuids(self, purpose: str, key: IntArray) -> npt.NDArray[np.str_]:
        """Random UUIDs (version 4) as text."""
        halves = np.stack([self._bits(purpose, key), self._bits(f"{purpose}, rest", key)], axis=1)
        raw = halves.view(np.uint8).reshape(len(key), 16)
        raw[:, 6] = raw[:, 6] & 0x0F | 0x40
        raw[:, 8] = raw[:, 8] & 0x3F | 0x80
        digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
        text = np.full((len(key), 36), ord("-"), dtype=np.uint8)
        places = [i for i in range(36) if i not in (8, 13, 18, 23)]
        text[:, places[0::2]] = digits[raw >> 4]
        text[:, places[1::2]] = digits[raw & 15]
        return text.view("S36").reshape(len(key)).astype(np.str_)

    def _bits(self, purpose: str, key: IntArray) -> Bits:
        (start,) = np.random.SeedSequence([self._seed, checksum(purpose.encode())]).generate_state(1, np.uint64)
        bits = start + (key.astype(np.uint64) + np.uint64(1)) * _GAMMA
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: Bits = bits ^ (bits >> np.uint64(31))
        return mixed
