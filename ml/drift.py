"""Drift: have the features moved away from what a model was trained on? Population stability index, per feature.

PSI = Σ (now - then) · ln(now / then) over bins that held equal shares in training, and one bin of unknown values.
Customary reading: below 0.1 stable, above 0.25 a different population.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ml.features import Floats, Matrix

BINS = 10
DRIFTED = 0.25
MIN_ROWS = 200  # below, the index is mostly chance


@dataclass(frozen=True)
class Reference:
    """Per feature the inner edges of its bins, and the share of training rows in each; the last share is that of
    unknown values. A few numbers, kept with the model."""

    edges: dict[str, tuple[float, ...]]
    shares: dict[str, tuple[float, ...]]

    def to_dict(self) -> dict[str, Any]:
        return {name: {"edges": list(self.edges[name]), "shares": list(self.shares[name])} for name in self.edges}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        return cls(
            {name: tuple(bins["edges"]) for name, bins in stored.items()},
            {name: tuple(bins["shares"]) for name, bins in stored.items()},
        )


@dataclass(frozen=True)
class Drift:
    """PSI per feature over `rows`, and the names of those that drifted (none while rows are too few to tell)."""

    rows: int
    psi: dict[str, float]
    drifted: tuple[str, ...]


def reference(features: tuple[str, ...], matrix: Matrix) -> Reference:
    """Bins of at most BINS equal shares per column of (rows, features). A value that many rows have is one bin."""
    edges = {}
    for position, name in enumerate(features):
        column = matrix[:, position]
        known = np.unique(column[~np.isnan(column)])
        if len(known) <= BINS:
            inner = (known[1:].astype(np.float64) + known[:-1]) / 2
        else:
            inner = np.unique(np.nanquantile(column, np.linspace(0, 1, BINS + 1)[1:-1]).astype(np.float64))
        edges[name] = tuple(inner.tolist())
    shares = {name: tuple(_shares(matrix[:, i], edges[name]).tolist()) for i, name in enumerate(features)}
    return Reference(edges, shares)


def drift(then: Reference, features: tuple[str, ...], matrix: Matrix) -> Drift:
    """How far the rows of (rows, features) are from those the reference was made of."""
    psi = {}
    for position, name in enumerate(features):
        before = np.array(then.shares[name])
        now = _shares(matrix[:, position], then.edges[name])
        psi[name] = float(np.sum((now - before) * np.log(now / before)))
    rows = len(matrix)
    return Drift(rows, psi, tuple(name for name, value in psi.items() if value > DRIFTED and rows >= MIN_ROWS))


def _shares(column: Matrix, edges: tuple[float, ...]) -> Floats:
    """(bins + 1,) shares. Half a row is added to each bin, so that an empty one does not make the index infinite."""
    known = column[~np.isnan(column)].astype(np.float64)
    counts = np.bincount(np.searchsorted(np.array(edges), known, side="right"), minlength=len(edges) + 1)
    smoothed = np.append(counts, len(column) - len(known)) + 0.5
    return np.asarray(smoothed / smoothed.sum())
