"""Promotion: may a new model take over from the champion? Every reason is a sentence that a person can act on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ml.calibrate import recalibration, sums_of_groups
from ml.evaluate import auc_standard_error, calibration_error, reliability, row_losses, summary
from ml.features import Bools, Floats, Integers
from ml.model import log_odds

MIN_ROWS = 200
MIN_OF_EACH = 10  # rows (or people, where they repeat) of either class among the test rows; of fewer, all is chance
# One-sided, in standard errors. Chance alone gets beyond the first once in a thousand times, beyond the other once in
# twenty.
BEYOND_CHANCE = 3.09
BEYOND_NOISE = 1.645
MOST_CALIBRATION_ERROR = 0.05
# 0.05 is nothing to a rare outcome, of which a model may say 0% when it is 0.5%. So what is said in all must not be
# surely off by more than this factor, nor what is said of differences.
MOST_RATIO = 1.5
SLOPES = (0.5, 2.0)

Fault = Literal["too_little", "chance", "baseline", "calibration", "champion"]


@dataclass(frozen=True)
class Decision:
    """Whether to promote, why or why not in words, and what is at fault, of which there is nothing where nothing is."""

    is_promoted: bool
    reason: str
    faults: frozenset[Fault] = frozenset()


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
    rules: Floats,
    baseline: tuple[str, Floats],
    champion: tuple[str, Floats] | None,
    groups: Integers | None = None,
) -> Decision:
    """Compare probabilities for the same test rows: the challenger's, those of the rules, of the baseline with its
    name, and of the champion with its version. `prevalence`: the share of positives in training, which needs no model
    at all. `groups`: (rows,) a number per person, where rows repeat people; errors are then those of people."""
    positives, negatives = _people(groups, label), _people(groups, ~label)
    if min(positives, negatives) < MIN_OF_EACH:
        of = "test rows" if groups is None else "people in the test rows"
        said = f"too few {of} to judge: {positives:,} with the outcome and {negatives:,} without"
        return Decision(False, said, frozenset({"too_little"}))
    losses = row_losses(label, challenger)
    loss, by_rules = float(losses.mean()), row_losses(label, rules)
    name, by_baseline = baseline[0], row_losses(label, baseline[1])
    blocks = _chance(label, challenger, prevalence, groups)

    gain, error = _gain(losses, by_rules, groups)
    if gain <= BEYOND_NOISE * error:
        said = f"not surely better than the rules (log loss {loss:.4f}, rules {by_rules.mean():.4f} ± {error:.4f})"
        blocks.append(("baseline", said))
    gain, error = _gain(losses, by_baseline, groups)
    if gain < -BEYOND_NOISE * error:
        said = f"worse than {name} (log loss {loss:.4f}, {name} {by_baseline.mean():.4f} ± {error:.4f})"
        blocks.append(("baseline", said))
    off, by_chance = calibration_error(reliability(label, challenger))
    if off - by_chance > MOST_CALIBRATION_ERROR:
        blocks.append(("calibration", f"badly calibrated (off by {off:.3f} on average, by chance {by_chance:.3f})"))
    blocks += _calibration(label, challenger, groups)
    compared = f"rules {by_rules.mean():.4f}, {name} {by_baseline.mean():.4f}"
    if champion is not None:
        version, probability = champion
        best = float(row_losses(label, probability).mean())
        compared += f", champion {best:.4f}"
        if loss > best:
            said = f"worse than the champion {version} (log loss {loss:.4f}, champion {best:.4f})"
            blocks.append(("champion", said))
    if blocks:
        return Decision(False, "; ".join(said for _, said in blocks), frozenset(fault for fault, _ in blocks))
    return Decision(True, f"log loss {loss:.4f} on {len(label):,} later rows ({compared}), and well calibrated")


def _people(groups: Integers | None, chosen: Bools) -> int:
    return int(chosen.sum()) if groups is None else len(np.unique(groups[chosen]))


def _calibration(label: Bools, challenger: Floats, groups: Integers | None) -> list[tuple[Fault, str]]:
    """Is what is said in all, or of differences, surely off?"""
    blocks: list[tuple[Fault, str]] = []
    happened, said = float(label.sum()), float(challenger.sum())
    error = float(np.sqrt((sums_of_groups(label - challenger, groups) ** 2).sum())) / happened
    off = abs(np.log(max(said, np.finfo(float).tiny) / happened))
    if off - BEYOND_NOISE * error > np.log(MOST_RATIO):
        share = f"{said / len(label):.2%} said on average, {happened / len(label):.2%} happened"
        blocks.append(("calibration", f"badly calibrated ({share})"))
    found = recalibration(label, log_odds(np.clip(challenger, 1e-12, 1 - 1e-12)), groups)
    if found is not None:
        slope, error = found
        if slope + BEYOND_NOISE * error < SLOPES[0] or slope - BEYOND_NOISE * error > SLOPES[1]:
            what = "overstated" if slope < 1 else "understated"
            blocks.append(
                ("calibration", f"badly calibrated (differences are {what}: slope {slope:.2f} ± {error:.2f})")
            )
    return blocks


def _chance(label: Bools, challenger: Floats, prevalence: float, groups: Integers | None) -> list[tuple[Fault, str]]:
    """Does the challenger know anything? It must tell rows apart, and be worth more than one probability for all."""
    figures = summary(label, challenger)
    blocks: list[tuple[Fault, str]] = []
    chance_auc = 0.5 + BEYOND_CHANCE * auc_standard_error(0.5, _people(groups, label), _people(groups, ~label))
    if figures["auc"] <= chance_auc:
        blocks.append(("chance", f"no better than chance (AUC {figures['auc']:.3f}; chance reaches {chance_auc:.3f})"))
    constant = row_losses(label, np.full(len(label), prevalence))
    gain, error = _gain(row_losses(label, challenger), constant, groups)
    if gain <= BEYOND_NOISE * error:
        said = f"not surely better than one probability for all (log loss {figures['log_loss']:.4f}, "
        blocks.append(("chance", said + f"that {constant.mean():.4f} ± {error:.4f})"))
    return blocks


def _gain(losses: Floats, others: Floats, groups: Integers | None) -> tuple[float, float]:
    """By how much the losses are less than the others' on average, and the standard error of that. The rows are the
    same, so it is the spread of the differences that counts, and it is much less than that of the losses."""
    difference = others - losses
    spread = sums_of_groups(difference - difference.mean(), groups)
    return float(difference.mean()), float(np.sqrt((spread**2).sum())) / len(difference)
