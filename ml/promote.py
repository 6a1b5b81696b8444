"""Promotion: may a new model take over from the champion? Every reason is a sentence that a person can act on."""

from dataclasses import dataclass

import numpy as np

from ml.evaluate import auc_standard_error, calibration_error, reliability, row_losses, summary
from ml.features import Bools, Floats

MIN_ROWS = 200
MIN_OF_EACH = 10  # rows of either class in the test rows; with fewer, their figures are chance
# One-sided 99%: chance alone gets so far once in a hundred times.
SURE = 2.326
MOST_CALIBRATION_ERROR = 0.05


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and why or why not."""

    is_promoted: bool
    reason: str


def too_little(rows: int, positives: int) -> str | None:
    """Why nothing can be learnt from so many labelled rows, or None if it can."""
    if rows < MIN_ROWS:
        return f"only {rows:,} labelled rows; a model needs {MIN_ROWS}"
    if positives in (0, rows):
        return f"all {rows:,} rows have the same outcome; there is nothing to tell apart"
    return None


def decide(
    label: Bools,
    challenger: Floats,
    *,
    prevalence: float,
    baselines: dict[str, Floats],
    champion: tuple[str, Floats] | None,
) -> Decision:
    """Compare probabilities for the same test rows: the challenger's, those of each baseline by name, and the
    champion's with its version. `prevalence`: the share of positives in training, which needs no model at all."""
    blocks = [*_blocks(label, challenger, prevalence, baselines)]
    loss = float(row_losses(label, challenger).mean()) if len(label) else float("nan")
    if champion is not None and len(label):
        version, probability = champion
        best = float(row_losses(label, probability).mean())
        if loss > best:
            blocks.append(f"worse than the champion {version} (log loss {loss:.4f}, champion {best:.4f})")
    if blocks:
        return Decision(False, "; ".join(blocks))
    better = ", ".join(f"{name} {row_losses(label, probability).mean():.4f}" for name, probability in baselines.items())
    than = f", champion {row_losses(label, champion[1]).mean():.4f}" if champion else ""
    return Decision(True, f"log loss {loss:.4f} on {len(label):,} later rows ({better}{than}), and well calibrated")


def _blocks(label: Bools, challenger: Floats, prevalence: float, baselines: dict[str, Floats]) -> list[str]:
    figures = summary(label, challenger)
    positives, negatives = figures["positives"], figures["rows"] - figures["positives"]
    if min(positives, negatives) < MIN_OF_EACH:
        return [f"too few test rows to judge: {positives:,} with the outcome and {negatives:,} without"]
    blocks = []
    chance_auc = 0.5 + SURE * auc_standard_error(0.5, positives, negatives)
    if figures["auc"] <= chance_auc:
        blocks.append(f"no better than chance (AUC {figures['auc']:.3f}; chance reaches {chance_auc:.3f})")
    losses = row_losses(label, challenger)
    constant = float(row_losses(label, np.full(len(label), prevalence)).mean())
    if losses.mean() >= constant:
        blocks.append(f"not better than one probability for all (log loss {losses.mean():.4f}, that {constant:.4f})")
    for name, probability in baselines.items():
        other = float(row_losses(label, probability).mean())
        if losses.mean() >= other:
            blocks.append(f"not better than {name} (log loss {losses.mean():.4f}, {name} {other:.4f})")
    error, by_chance = calibration_error(reliability(label, challenger))
    if error - by_chance > MOST_CALIBRATION_ERROR:
        blocks.append(f"badly calibrated (off by {error:.3f} on average, by chance {by_chance:.3f})")
    return blocks
