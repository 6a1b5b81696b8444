"""Plots of a candidate, as PNG bytes. Pure: nothing is shown or written, and no global state of matplotlib is used."""

import io
from typing import TYPE_CHECKING

import numpy as np

from ml.evaluate import reliability
from ml.features import TASKS, Bools, Floats
from ml.training import Candidate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (5.0, 4.0)


def plots(candidate: Candidate) -> dict[str, bytes]:
    """`calibration`, `influence` and `score_histogram` by name; none for a candidate without a model, and only the
    influence where no test rows were left."""
    if candidate.model is None or candidate.scores is None:
        return {}
    labels = {feature.name: feature.label for feature in TASKS[candidate.kind].features}
    shares = {labels[name]: share for name, share in candidate.metrics["influence"].items()}
    drawn = {"influence": influence(shares)}
    if len(candidate.scores.label):
        drawn["calibration"] = calibration(candidate.scores.label, candidate.scores.probability)
        drawn["score_histogram"] = score_histogram(candidate.scores.label, candidate.scores.probability)
    return drawn


def calibration(label: Bools, probability: Floats) -> bytes:
    """Predicted against observed shares on (rows,), with what chance allows each point (two standard errors)."""
    curve = reliability(label, probability)
    predicted = np.array([point["predicted"] for point in curve])
    observed = np.array([point["observed"] for point in curve])
    rows = np.array([point["rows"] for point in curve])
    error = 2 * np.sqrt(predicted * (1 - predicted) / rows)
    axes = _axes("Does it happen as often as predicted?", "predicted", "observed")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.errorbar(predicted, observed, yerr=error, fmt="o-", markersize=4, capsize=2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return _png(axes)


def influence(shares: dict[str, float]) -> bytes:
    """Shares by name, greatest on top."""
    ordered = sorted(shares.items(), key=lambda item: item[1])
    axes = _axes("What moves predictions", "share", "")
    axes.barh([name for name, _ in ordered], [share for _, share in ordered])
    return _png(axes)


def score_histogram(label: Bools, probability: Floats) -> bytes:
    """Rows by probability, those where it happened apart from the others."""
    axes = _axes("Predictions on the test rows", "predicted probability", "rows")
    bins = np.linspace(0, 1, 41)
    axes.hist([probability[~label], probability[label]], bins=bins.tolist(), stacked=True, label=["no", "yes"])
    axes.legend(title="happened")
    return _png(axes)


def _axes(title: str, x: str, y: str) -> "Axes":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    return axes


def _png(axes: "Axes") -> bytes:
    buffer = io.BytesIO()
    axes.get_figure(root=True).savefig(buffer, format="png", metadata={"Software": None})  # type: ignore[union-attr]
    return buffer.getvalue()
