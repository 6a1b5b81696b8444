"""How good are probabilities? Figures that are JSON: None where a figure does not exist, never NaN."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.features import RISK_LEVELS, Bools, Floats, Integers, risk_codes

if TYPE_CHECKING:
    import pandas as pd

RELIABILITY_BINS = 10
# Of a smaller group the figures say little, but its counts are still told.
SMALLEST_GROUP = 50
AGE_BANDS = (10, 13, 16, 19, 30)


def summary(label: Bools, probability: Floats) -> dict[str, Any]:
    """Rows, observed and mean predicted share, AUC, PR-AUC, log loss, Brier score. With one class only there is no
    AUC or PR-AUC, without rows there is nothing but their number."""
    rows = len(label)
    figures: dict[str, Any] = {
        "rows": rows, "positives": int(label.sum()), "observed": None, "predicted": None,
        "auc": None, "pr_auc": None, "log_loss": None, "brier": None,
    }  # fmt: skip
    if rows:
        figures["observed"] = float(label.mean())
        figures["predicted"] = float(probability.mean())
        figures["log_loss"] = float(row_losses(label, probability).mean())
        figures["brier"] = float(np.mean((probability - label) ** 2))
    if 0 < figures["positives"] < rows:
        from sklearn.metrics import average_precision_score, roc_auc_score

        figures["auc"] = float(roc_auc_score(label, probability))
        figures["pr_auc"] = float(average_precision_score(label, probability))
    return figures


def row_losses(label: Bools, probability: Floats) -> Floats:
    """(rows,) log loss of each row; a probability of 0 or 1 counts as just short of it."""
    likely = np.clip(np.where(label, probability, 1 - probability), 1e-12, 1.0)
    return np.asarray(-np.log(likely))


def margin_losses(label: Bools, margin: Floats) -> Floats:
    """(rows,) log loss of each row, from log-odds."""
    return np.asarray(np.logaddexp(0, np.where(label, -margin, margin)))


def auc_standard_error(auc: float, positives: int, negatives: int) -> float:
    """Hanley and McNeil (1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return float(np.sqrt(max(variance, 0.0) / (positives * negatives)))


def reliability(label: Bools, probability: Floats, bins: int = RELIABILITY_BINS) -> list[dict[str, Any]]:
    """The reliability curve: rows by rising probability in groups of nearly equal size, each with its count, mean
    probability and observed share. Rows of one probability stay together."""
    if not len(label):
        return []
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    group = np.searchsorted(edges, probability, side="right")
    return [
        {
            "rows": int((group == one).sum()),
            "predicted": float(probability[group == one].mean()),
            "observed": float(label[group == one].mean()),
        }
        for one in np.unique(group)
    ]


def calibration_error(curve: list[dict[str, Any]]) -> tuple[float, float]:
    """Mean distance of predicted and observed shares over the rows of a reliability curve, and how much of it chance
    alone would bring if every probability were right."""
    rows = np.array([point["rows"] for point in curve], dtype=np.float64)
    predicted = np.array([point["predicted"] for point in curve])
    observed = np.array([point["observed"] for point in curve])
    by_chance = np.sqrt(2 / np.pi * predicted * (1 - predicted) / rows)  # mean of |normal|
    return (
        float(np.average(np.abs(predicted - observed), weights=rows)),
        float(np.average(by_chance, weights=rows)),
    )


def risk_bands(label: Bools, probability: Floats, low: float, high: float) -> list[dict[str, Any]]:
    """Per risk level: rows, mean probability and observed share (None without rows)."""
    codes: Integers = risk_codes(probability, low, high).astype(np.int64)
    return [
        {"risk_level": level, **_counts(label, probability, codes == code)} for code, level in enumerate(RISK_LEVELS)
    ]


def subgroups(
    label: Bools, probability: Floats, frame: "pd.DataFrame", columns: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Per value of each column, ages in bands: counts and shares, and from SMALLEST_GROUP rows on AUC and log loss.
    A column that the frame lacks has no groups."""
    answer = []
    for column in columns:
        if column not in frame.columns:
            continue
        for value, chosen in _groups(frame, column):
            figures = _counts(label, probability, chosen)
            if figures["rows"] >= SMALLEST_GROUP:
                whole = summary(label[chosen], probability[chosen])
                figures |= {"auc": whole["auc"], "log_loss": whole["log_loss"]}
            answer.append({"by": column, "group": value, **figures})
    return answer


def evaluation(
    label: Bools,
    probability: Floats,
    *,
    frame: "pd.DataFrame | None" = None,
    by: tuple[str, ...] = (),
    low: float = 0.3,
    high: float = 0.7,
) -> Mapping[str, Any]:
    """All figures of one model on one set of rows."""
    curve = reliability(label, probability)
    error, by_chance = calibration_error(curve) if curve else (None, None)
    return {
        **summary(label, probability),
        "calibration_error": error,
        "calibration_error_by_chance": by_chance,
        "reliability": curve,
        "risk_bands": risk_bands(label, probability, low, high),
        "subgroups": subgroups(label, probability, frame, by) if frame is not None else [],
    }


def _counts(label: Bools, probability: Floats, chosen: Bools) -> dict[str, Any]:
    rows = int(chosen.sum())
    return {
        "rows": rows,
        "predicted": float(probability[chosen].mean()) if rows else None,
        "observed": float(label[chosen].mean()) if rows else None,
    }


def _groups(frame: "pd.DataFrame", column: str) -> Iterator[tuple[str, Bools]]:
    import pandas as pd

    values = frame[column]
    if column.endswith("_age"):
        ages = pd.to_numeric(values).to_numpy(dtype=np.float64, na_value=np.nan)
        band = np.digitize(ages, AGE_BANDS)
        names = (f"under {AGE_BANDS[0]}", *(f"{a}-{b - 1}" for a, b in pairwise(AGE_BANDS)),
                 f"{AGE_BANDS[-1]} and over")  # fmt: skip
        text = pd.Series([names[code] for code in band]).where(~np.isnan(ages), "unknown")
        order = [*names, "unknown"]
    else:
        text = values.map(str, na_action="ignore").astype(object).where(values.notna(), "unknown")
        order = sorted(set(text))
    known = text.to_numpy()
    for name in order:
        chosen: Bools = np.asarray(known == name, dtype=np.bool_)
        if chosen.any():
            yield name, chosen
