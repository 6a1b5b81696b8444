"""Trying features and model on a file of ratings: can they tell a bad match (a rating of 2 or less) beforehand?

A ratings file has no times and no preferences, so what carries a prediction are histories: how students rate, how
tutors are rated, and how either depends on circumstances (the other columns). Such effects overlap - a tutor looks bad
whose students are strict - and are estimated together: each is the shrunk mean of what the others leave unexplained,
in turns until they settle (backfitting of a mixed model with crossed random effects).

Everything that is learnt comes from training folds. The rows a model is grown on get their effects from the other rows
of an inner split, else it would see effects that know its own labels, and trust them too much.
"""

import time
from dataclasses import dataclass
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
INNER_FOLDS = 5
TRIALS = 2  # of the inner folds, to find settings and calibrate
ROUNDS = 8
MOST_GROUPS = 50  # a column of more different values is no circumstance but an identity
# Least and most rows that the overall mean weighs against a group's own.
SHRINKAGE = (2.0, 200.0)


@dataclass(frozen=True)
class Factor:
    """Rows in groups: `codes` (rows,) from 0 to `groups` - 1."""

    name: str
    codes: Integers
    groups: int


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
    label, strictness = _outcome(frame)
    if not 2 <= number_of_folds <= len(label) // 20:
        raise FrameError(f"{len(label):,} ratings are too few for {number_of_folds} folds")
    if label.all() or not label.any():
        raise FrameError(f"all ratings are on the same side of {BAD_RATING}; there is nothing to tell apart")
    factors, circumstances = _factors(frame)
    names = ["student_history", "tutor_history", *(f"effect_of_{factor.name}" for factor in factors), "sum_of_effects",
             "student_ratings", "tutor_ratings", *circumstances.columns]  # fmt: skip
    monotone = [1] * (3 + len(factors)) + [0] * (2 + circumstances.shape[1])

    predicted = {name: np.empty(len(label)) for name in ("student", "tutor", "baseline", "effects", "model")}
    moved: Floats = np.zeros(len(names))
    for test in folds(len(label), number_of_folds, seed):
        train = np.setdiff1d(np.arange(len(label)), test)
        extra = circumstances.to_numpy(dtype=np.float32)
        matrix: Matrix = np.full((len(label), len(names)), np.nan, dtype=np.float32)
        inner = folds(len(train), INNER_FOLDS, seed)
        for part in inner:
            held = train[part]
            matrix[held] = _encode(factors, strictness, np.setdiff1d(train, held), held, extra)
        matrix[test] = _encode(factors, strictness, train, test, extra)

        trials = [(np.setdiff1d(np.arange(len(train)), part), part) for part in inner[:TRIALS]]
        fitted = fit(matrix[train], label[train], trials, monotone=monotone, seed=seed)
        margins = raw_margins(fitted.linear, fitted.trees, matrix[test])
        predicted["model"][test] = fitted.calibration.apply(margins)
        moved += np.abs(raw_contributions(fitted.linear, fitted.trees, matrix[test])[:, :-1]).sum(axis=0)
        for name, columns in (
            ("student", [0]), ("tutor", [1]), ("baseline", [0, 1]), ("effects", [names.index("sum_of_effects")]),
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


def _outcome(frame: "pd.DataFrame") -> tuple[Bools, Floats]:
    """(rows,): whether the match was bad; and how much lower than the mean it was rated, which says more."""
    import pandas as pd

    rating = pd.to_numeric(frame["rating"], errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(rating).any():
        raise FrameError(f"column rating has {int(np.isnan(rating).sum())} rows without a number")
    if not len(rating):
        raise FrameError("there are no ratings")
    return rating <= BAD_RATING, rating.mean() - rating


def _factors(frame: "pd.DataFrame") -> tuple[list[Factor], "pd.DataFrame"]:
    """Student, tutor, each circumstance, and what each circumstance is with each student, each tutor and each other
    circumstance; those left out that make the same groups as before. And the circumstances as numbers."""
    import pandas as pd

    def factor(name: str, *columns: "pd.Series[Any]") -> Factor:
        keys = pd.concat([column.astype(str) for column in columns], axis=1)
        codes = keys.groupby(list(keys.columns), sort=True).ngroup().to_numpy().astype(np.int64)
        return Factor(name, codes, int(codes.max()) + 1)

    known = {"student_id", "tutor_id", "rating"}
    columns = [name for name in frame.columns.astype(str) if name not in known]
    circumstances = [name for name in columns if 1 < frame[name].nunique(dropna=False) <= MOST_GROUPS]
    student, tutor = factor("student", frame["student_id"]), factor("tutor", frame["tutor_id"])
    found = [student, tutor, *(factor(name, frame[name]) for name in circumstances)]
    for position, name in enumerate(circumstances):
        crossings = [("student", frame["student_id"]), ("tutor", frame["tutor_id"])]
        crossings += [(other, frame[other]) for other in circumstances[:position]]
        for other, column in crossings:
            crossed = factor(f"{other}_and_{name}", column.rename("a"), frame[name].rename("b"))
            parents = {one.groups for one in found if one.name in (other, name)}
            if crossed.groups not in parents:
                found.append(crossed)
    numbers = {name: pd.to_numeric(frame[name], errors="coerce") for name in circumstances}
    return found, pd.DataFrame({name: values for name, values in numbers.items() if values.notna().any()}, frame.index)


def _encode(factors: list[Factor], strictness: Floats, seen: Integers, rows: Integers, extra: Matrix) -> Matrix:
    """(rows, names): histories, effects and counts of `rows` as the rows `seen` have them; 0 where they say nothing."""
    histories = [_group_means(factor, strictness[seen], seen) for factor in factors[:2]]
    effects = _effects(factors, strictness, seen)
    each = [effect[factor.codes[rows]] for factor, effect in zip(factors, effects, strict=True)]
    counts = [np.bincount(factor.codes[seen], minlength=factor.groups)[factor.codes[rows]] for factor in factors[:2]]
    alone = [mean[factor.codes[rows]] for factor, mean in zip(factors[:2], histories, strict=True)]
    columns = [*alone, *each, np.sum(each, axis=0), *counts]
    return np.column_stack([*columns, extra[rows]]).astype(np.float32)


def _effects(factors: list[Factor], strictness: Floats, seen: Integers) -> list[Floats]:
    """Per factor the effects of its groups (groups,), estimated together on the rows `seen`."""
    effects = [np.zeros(factor.groups) for factor in factors]
    residual = strictness[seen] - strictness[seen].mean()
    for _ in range(ROUNDS):
        for position, factor in enumerate(factors):
            codes = factor.codes[seen]
            residual += effects[position][codes]
            effects[position] = _group_means(factor, residual, seen)
            residual -= effects[position][codes]
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
