"""Trying features and model on a file of ratings: can they tell a bad match (a rating of 2 or less) beforehand?

A ratings file has no times and no preferences, so what carries a prediction are histories: how students rate, how
tutors are rated, and how either depends on circumstances (the other columns). Such effects overlap - a tutor looks bad
whose students are strict - and are estimated together: each is the shrunk mean of what the others leave unexplained,
in turns until they settle (backfitting of a mixed model with crossed random effects). How much effects of a kind are
shrunk is what predicts held-out training rows best.

Everything that is learnt comes from training folds. The rows a model is grown on get their effects from the other rows
of an inner split, else it would see effects that know its own labels, and trust them too much.
"""

import time
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import TutorqError
from ml.baseline import fit_additive_logistic
from ml.boosted import fit
from ml.evaluate import summary
from ml.features import MATCH, Bools, Floats, FrameError, Integers, Matrix
from ml.model import raw_contributions, raw_margins
from ml.rules import rules_for
from ml.split import folds

if TYPE_CHECKING:
    import pandas as pd

BAD_RATING = 2
INNER_FOLDS = 10
TRIALS = 4  # of the inner folds, to find settings and calibrate
ROUNDS = 8
MOST_GROUPS = 50  # a column of more different values is no circumstance but an identity
# Least and most rows that the overall mean weighs against a group's own.
SHRINKAGE = (2.0, 200.0)
# By kind of factor, so many rows to begin with; doubled and halved within limits while held-out rows gain. One weight
# a kind: a weight of its own for each of 21 factors had found chance, and predicted later rows worse.
WEIGHTS = {"student": 12.0, "tutor": 8.0, "circumstance": 400.0, "student crossed": 100.0, "tutor crossed": 200.0,
           "tutor crossed twice": 60.0}  # fmt: skip
WEIGHT_LIMITS = (1.0, 10_000.0)
WEIGHT_SWEEPS = 2
WEIGHT_FOLDS = 5
LEAST_VARIANCE = 0.25  # of what effects leave unexplained, a share of the mean


@dataclass(frozen=True)
class Factor:
    """Rows in groups: `codes` (rows,) from 0 to `groups` - 1."""

    name: str
    codes: Integers
    groups: int
    kind: str = "circumstance"  # of WEIGHTS


def read_ratings(ratings: Path, students: Path, tutors: Path) -> "pd.DataFrame":
    """One row per rating, with the columns of its student and tutor. CSV, gzipped or not.

    `ratings` needs student_id, tutor_id, rating; `students` and `tutors` their id. A column of both sides that differs
    gets the suffix _student or _tutor. Raises TutorqError if a file cannot be read or lacks a column.
    """
    rated = _read(ratings, ("student_id", "tutor_id", "rating"))
    for path, key, suffix in ((students, "student_id", "_student"), (tutors, "tutor_id", "_tutor")):
        people = _read(path, (key,)).drop_duplicates(key)
        joined = rated.merge(people, on=key, how="left", suffixes=("", suffix))
        twins = [(f"{name}{suffix}", name) for name in rated.columns.astype(str) if f"{name}{suffix}" in joined.columns]
        doubled = [new for new, old in twins if (joined[new] == joined[old]).all()]
        rated = joined.drop(columns=doubled)
    return rated


def evaluate_ratings(frame: "pd.DataFrame", *, number_of_folds: int = 5, seed: int = 0) -> dict[str, Any]:
    """Figures over all rows, each predicted by models that have not seen it, for the rules, for logistic regressions on
    single histories and on both (the baseline), for the sum of all effects, and for the model; JSON.

    Raises FrameError for ratings that are no numbers or all alike, and for too few rows.
    """
    started = time.perf_counter()
    label, strictness, limit = _outcome(frame)
    if not 2 <= number_of_folds <= len(label) // 20:
        raise FrameError(f"{len(label):,} ratings are too few for {number_of_folds} folds")
    if label.all() or not label.any():
        raise FrameError(f"all ratings are on the same side of {BAD_RATING}; there is nothing to tell apart")
    factors = _factors(frame)
    # What the model looks at are the sums; further columns (each effect, counts, circumstances) were tried and cost it
    # 0.0005 of AUC.
    names = ["effects_of_student", "effects_of_tutor", "sum_of_effects", "sum_of_effects_by_spread"]

    predicted = {name: np.empty(len(label)) for name in ("student", "tutor", "baseline", "effects", "model")}
    moved: Floats = np.zeros(len(names))
    for test in folds(len(label), number_of_folds, seed):
        train = np.setdiff1d(np.arange(len(label)), test)
        matrix: Matrix = np.full((len(label), 2 + len(names)), np.nan, dtype=np.float32)
        inner = folds(len(train), INNER_FOLDS, seed)
        weights = _weights(factors, strictness, train, seed)
        for part in inner:
            held = train[part]
            matrix[held] = _encode(factors, strictness, limit, np.setdiff1d(train, held), held, weights)
        matrix[test] = _encode(factors, strictness, limit, train, test, weights)

        trials = [(np.setdiff1d(np.arange(len(train)), part), part) for part in inner[:TRIALS]]
        sums = np.ascontiguousarray(matrix[:, 2:])
        fitted = fit(sums[train], label[train], trials, monotone=[1] * len(names), seed=seed)
        margins = raw_margins(fitted.linear, fitted.trees, sums[test])
        predicted["model"][test] = fitted.calibration.apply(margins)
        moved += np.abs(raw_contributions(fitted.linear, fitted.trees, sums[test])[:, :-1]).sum(axis=0)
        for name, columns in (
            ("student", [0]), ("tutor", [1]), ("baseline", [0, 1]), ("effects", [2 + names.index("sum_of_effects")]),
        ):  # fmt: skip
            logistic = fit_additive_logistic(matrix[train][:, columns], label[train])
            predicted[name][test] = logistic.predict(matrix[test][:, columns])

    # No preferences are known of anybody, so the rules say the same of every pair.
    blank: Matrix = np.full((len(label), len(MATCH.features)), np.nan, dtype=np.float32)
    shares = sorted(zip(names, (moved / moved.sum()).tolist(), strict=True), key=lambda pair: -pair[1])
    return {
        "ratings": len(label),
        "students": factors[0].groups,
        "tutors": factors[1].groups,
        "bad_match": f"rating <= {BAD_RATING}",
        "folds": number_of_folds,
        "seed": seed,
        "rules": summary(label, rules_for(MATCH).predict(blank)),
        "student_history_only": summary(label, predicted["student"]),
        "tutor_history_only": summary(label, predicted["tutor"]),
        "baseline": summary(label, predicted["baseline"]),
        "sum_of_effects": summary(label, predicted["effects"]),
        "model": summary(label, predicted["model"]),
        "influence": dict(shares),
        "seconds": round(time.perf_counter() - started, 1),
    }


def _outcome(frame: "pd.DataFrame") -> tuple[Bools, Floats, float]:
    """(rows,): whether the match was bad, and how much lower than the mean it was rated, which says more; and how much
    lower a bad one is at least, half-way to the next rating."""
    import pandas as pd

    rating = pd.to_numeric(frame["rating"], errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(rating).any():
        raise FrameError(f"column rating has {int(np.isnan(rating).sum())} rows without a number")
    if not len(rating):
        raise FrameError("there are no ratings")
    return rating <= BAD_RATING, rating.mean() - rating, float(rating.mean()) - BAD_RATING - 0.5


def _factors(frame: "pd.DataFrame") -> list[Factor]:
    """Student, tutor, each circumstance, what each circumstance is with each student, each tutor and each other
    circumstance, and each two with each tutor (which is, more or less, a course); those left out that make the same
    groups as before.

    Two circumstances with each student were tried, too: hardly any two ratings share such a group, and the AUC fell."""
    import pandas as pd

    def factor(name: str, kind: str, *columns: "pd.Series[Any]") -> Factor:
        keys = pd.concat([column.astype(str) for column in columns], axis=1)
        codes = keys.groupby(list(keys.columns), sort=True).ngroup().to_numpy().astype(np.int64)
        return Factor(name, codes, int(codes.max()) + 1, kind)

    known = {"student_id", "tutor_id", "rating"}
    columns = [name for name in frame.columns.astype(str) if name not in known]
    circumstances = [name for name in columns if 1 < frame[name].nunique(dropna=False) <= MOST_GROUPS]
    student = factor("student", "student", frame["student_id"])
    tutor = factor("tutor", "tutor", frame["tutor_id"])
    found = [student, tutor, *(factor(name, "circumstance", frame[name]) for name in circumstances)]
    for position, name in enumerate(circumstances):
        crossings = [("student", frame["student_id"]), ("tutor", frame["tutor_id"])]
        crossings += [(other, frame[other]) for other in circumstances[:position]]
        for other, column in crossings:
            kind = f"{other} crossed" if other in ("student", "tutor") else "circumstance"
            crossed = factor(f"{other}_and_{name}", kind, column.rename("a"), frame[name].rename("b"))
            parents = {one.groups for one in found if one.name in (other, name)}
            if crossed.groups not in parents:
                found.append(crossed)
    for one, other in combinations(circumstances, 2):
        name, columns_of_it = f"tutor_and_{one}_and_{other}", (frame["tutor_id"], frame[one], frame[other])
        crossed = factor(name, "tutor crossed twice", *columns_of_it)
        if crossed.groups not in {known.groups for known in found}:
            found.append(crossed)
    return found


def _weights(factors: list[Factor], strictness: Floats, seen: Integers, seed: int) -> list[float]:
    """Per factor, how many rows the overall mean weighs: by kind, what predicts held-out rows of `seen` best."""
    parts = [(np.setdiff1d(seen, seen[held]), seen[held]) for held in folds(len(seen), WEIGHT_FOLDS, seed)]

    def missed(weights: dict[str, float]) -> float:
        """Sum of squares that held-out rows are missed by."""
        total = 0.0
        for learnt, held in parts:
            effects = _effects(factors, strictness, learnt, [weights[factor.kind] for factor in factors])
            said = np.sum([effect[factor.codes[held]] for factor, effect in zip(factors, effects, strict=True)], axis=0)
            total += float(np.sum((strictness[held] - strictness[learnt].mean() - said) ** 2))
        return total

    found = dict(WEIGHTS)
    least = missed(found)
    for _ in range(WEIGHT_SWEEPS):
        for kind in sorted({factor.kind for factor in factors}):
            for step in (0.5, 2.0):
                while WEIGHT_LIMITS[0] <= found[kind] * step <= WEIGHT_LIMITS[1]:
                    tried = {**found, kind: found[kind] * step}
                    result = missed(tried)
                    if result >= least:
                        break
                    found, least = tried, result
    return [found[factor.kind] for factor in factors]


def _encode(
    factors: list[Factor], strictness: Floats, limit: float, seen: Integers, rows: Integers, weights: list[float]
) -> Matrix:
    """(rows, 6): the histories of student and tutor alone, and four sums of effects, as the rows `seen` have them; 0
    where they say nothing. Sums over the effects of the student (alone and with circumstances), over those of the
    tutor, over all; and over all once more, as the distance from a bad rating in standard deviations of the two."""
    effects = _effects(factors, strictness, seen, weights)
    said = [effect[factor.codes] for factor, effect in zip(factors, effects, strict=True)]
    total = np.sum(said, axis=0)
    unexplained = np.zeros(len(strictness))
    unexplained[seen] = (strictness[seen] - strictness[seen].mean() - total[seen]) ** 2
    variance = unexplained[seen].mean() + sum(
        _group_means(factor, unexplained[seen] - unexplained[seen].mean(), seen)[factor.codes[rows]]
        for factor in factors[:2]
    )
    by_spread = (total[rows] - limit) / np.sqrt(np.maximum(variance, LEAST_VARIANCE * unexplained[seen].mean()))
    alone = [_group_means(factor, strictness[seen], seen)[factor.codes[rows]] for factor in factors[:2]]
    sides = [
        np.sum([one[rows] for factor, one in zip(factors, said, strict=True) if factor.kind.startswith(side)], axis=0)
        for side in ("student", "tutor")
    ]
    return np.column_stack([*alone, *sides, total[rows], by_spread]).astype(np.float32)


def _effects(factors: list[Factor], strictness: Floats, seen: Integers, weights: list[float]) -> list[Floats]:
    """Per factor the effects of its groups (groups,), estimated together on the rows `seen`; 0 without rows."""
    effects = [np.zeros(factor.groups) for factor in factors]
    codes = [factor.codes[seen] for factor in factors]
    shares = [
        np.bincount(code, minlength=factor.groups) + weight
        for code, factor, weight in zip(codes, factors, weights, strict=True)
    ]
    residual = strictness[seen] - strictness[seen].mean()
    for _ in range(ROUNDS):
        for position, factor in enumerate(factors):
            code = codes[position]
            residual += effects[position][code]
            sums = np.bincount(code, weights=residual, minlength=factor.groups)
            effects[position] = np.asarray(sums / shares[position])
            residual -= effects[position][code]
    return effects


def _group_means(factor: Factor, values: Floats, seen: Integers) -> Floats:
    """(groups,) means of the values of the rows `seen`, shrunk to 0 by as much as the groups differ by chance: the
    weight is the variance within groups by that between them (method of moments). 0 for a group without rows."""
    codes = factor.codes[seen]
    counts = np.bincount(codes, minlength=factor.groups).astype(np.float64)
    sums = np.bincount(codes, weights=values, minlength=factor.groups)
    filled = counts > 0
    means = np.divide(sums, counts, out=np.zeros(factor.groups), where=filled)
    groups, rows = int(filled.sum()), len(values)
    within = float(np.sum((values - means[codes]) ** 2)) / max(rows - groups, 1)
    spread = float(np.sum(counts * (means - values.mean()) ** 2)) - (groups - 1) * within
    between = spread / max(rows - float(np.sum(counts**2)) / rows, 1.0)
    weight = np.clip(within / between, *SHRINKAGE) if between > 0 else SHRINKAGE[1]
    return np.asarray(sums / (counts + weight))


def _read(path: Path, needed: tuple[str, ...]) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise TutorqError(f"cannot read {path}: {error}") from error
    for name in needed:
        if name not in frame.columns:
            raise FrameError(f"{path}: column {name} is missing")
    return frame
