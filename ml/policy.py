"""What offers have come to, and what another order of the same candidates would have come to.

Estimates are doubly robust (Dudík, Langford and Li 2011): a model of the outcome says what a slate in the policy's
order would have come to, and where the slate that was shown is one that the policy shows, the model's error counts by
the ratio of both probabilities of the slate. As these are known, the estimate is right however wrong the model is. They
are of whole slates, so what comes of a tutor may hang on the place and on who else is shown; and as lotteries mix whole
orders, no weight is larger than one over the share of an order.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from ml.features import Bools, Floats, Integers
from ml.offers import ORDERS, lottery_of, propensities, shares, slate_propensities

Outcome = Literal["started", "continued"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
# As it was drawn, or always in one order.
Policy = Literal["offered", "model", "rules", "chance"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
COMPARED: tuple[tuple[Policy, Policy], ...] = (("model", "rules"), ("offered", "rules"), ("model", "offered"))

FOLDS = 5
LEVEL = 0.95
# Of a probability, in its log-odds.
SMALLEST = 1e-4

# With fewer, an interval that counts on the law of large numbers says nothing.
LEAST_STUDENTS = 30
LEAST_OUTCOMES = 10
LEAST_EFFECTIVE = 50
LEAST_CELLS = 5
# Weights are 1 on average if the recorded probabilities are those that slates were drawn with.
MOST_STANDARD_ERRORS = 5
NOT_AS_DRAWN = "what was shown does not fit the recorded probabilities; were slates shown that nobody has drawn?"


@dataclass(frozen=True)
class Slates:
    """Slates whose outcome is known, as arrays; what is beyond a slate's candidates or places holds NaN or -1.

    `student`: (slates,) number of the student. `lottery`: (slates, orders) probability of each order before the draw.
    `churn`, `rules`: (slates, candidates) probabilities, in the model's order. `shown`: (slates, places) positions of
    the candidates. `outcomes`: (slates, places), 1 where it came about, by outcome.
    """

    student: Integers
    lottery: Floats
    churn: Floats
    rules: Floats
    shown: Integers
    outcomes: Mapping[Outcome, Floats]

    def __len__(self) -> int:
        return len(self.student)

    @cached_property
    def size(self) -> Integers:
        """(slates,) tutors shown."""
        size: Integers = (self.shown >= 0).sum(axis=1)
        return size

    @cached_property
    def count(self) -> Integers:
        """(slates,) candidates."""
        count: Integers = (~np.isnan(self.churn)).sum(axis=1)
        return count

    def total(self, outcome: Outcome) -> Floats:
        """(slates,) how often it came about."""
        total: Floats = np.where(self.shown >= 0, self.outcomes[outcome], 0.0).sum(axis=1)
        return total


@dataclass(frozen=True)
class Estimate:
    """How many of an outcome come of one slate, with an interval of 95%; or `reason`, why nobody can tell.

    `effective`: as many slates without weights would say as much, by the weights as they came out or as they were to be
    expected, whichever are fewer: where a rare order has not come up, weights are all alike and say nothing.
    `largest_weight`: of a slate. `unsupported`: share of the slates that could not have shown what the policy shows;
    they count for nothing.
    """

    estimate: float | None
    low: float | None
    high: float | None
    slates: int
    students: int
    effective: float
    largest_weight: float
    unsupported: float
    reason: str | None

    @property
    def can_tell(self) -> bool:
        return self.reason is None


@dataclass(frozen=True)
class _Scored:
    """Of one policy, (slates,) each: doubly robust terms, whether slates support it, their weights, the squares of
    these that were to be expected before the draw, and whether a slate could come up at all as recorded."""

    terms: Floats
    is_supported: Bools
    weights: Floats
    squares: Floats
    is_possible: Bools


def evaluate(
    slates: Slates, outcome: Outcome, policies: Sequence[Policy] = POLICIES
) -> dict[tuple[Policy, Policy | None], Estimate]:
    """Estimates of what each policy would have come to, and of differences between two of them (first less second)."""
    expected = _expected(slates, outcome)
    needed = {*policies, *(each for pair in COMPARED for each in pair if set(pair) & set(policies))}
    scored = {policy: _score(slates, outcome, expected, policy) for policy in POLICIES if policy in needed}
    answer: dict[tuple[Policy, Policy | None], Estimate] = {
        (policy, None): _estimate(slates, outcome, scored[policy], None) for policy in POLICIES if policy in policies
    }
    for first, second in COMPARED:
        if {first, second} & set(policies):
            answer[first, second] = _estimate(slates, outcome, scored[first], scored[second])
    return answer


def _score(slates: Slates, outcome: Outcome, expected: Floats, policy: Policy) -> _Scored:
    rows = np.arange(len(slates))
    terms, weights, squares, logged_as = (np.zeros(len(slates)) for _ in range(4))
    own = None if policy == "offered" else shares(lottery_of(policy))
    for size, count in {*zip(slates.size.tolist(), slates.count.tolist(), strict=True)}:
        group = rows[(slates.size == size) & (slates.count == count)]
        by_rules = np.argsort(slates.rules[group, :count], axis=1, kind="stable")
        logged = slates.lottery[group]
        wanted = logged if own is None else np.tile(own, (len(group), 1))
        shown, guess = slates.shown[group, :size], expected[group, :size, :count]
        logged_as[group] = slate_propensities(by_rules, shown, logged)
        weights[group] = _ratio(slate_propensities(by_rules, shown, wanted), logged_as[group])
        squares[group] = expected_squares(by_rules, size, wanted, logged)
        guessed = np.take_along_axis(guess, shown[:, :, np.newaxis], axis=2).sum(axis=(1, 2))
        by_policy = (propensities(by_rules, size, wanted) * guess).sum(axis=(1, 2))
        terms[group] = by_policy + weights[group] * (slates.total(outcome)[group] - guessed)
    return _Scored(terms, _is_supported(slates.lottery, own), weights, squares, logged_as > 0)


def expected_squares(by_rules: Integers, size: int, wanted: Floats, logged: Floats) -> Floats:
    """(slates,): the square of a slate's weight, on average over all slates that may be drawn.

    `by_rules`: (slates, candidates), as for `slate_propensities`. `wanted`, `logged`: (slates, orders), the lotteries
    of the policy and of the draw.
    """
    count = by_rules.shape[1]
    by_model = np.tile(np.arange(size), (len(by_rules), 1))
    both_agree = (by_model == by_rules[:, :size]).all(axis=1)
    answer = np.zeros(len(by_rules))
    for shown, counts in ((by_model, np.ones_like(both_agree)), (by_rules[:, :size], ~both_agree)):
        chances = [slate_propensities(by_rules, shown, lottery) for lottery in (wanted, logged)]
        answer += counts * _ratio(chances[0] ** 2, chances[1])
    others = 1 - np.where(both_agree, 1, 2) / math.perm(count, size)
    chance = ORDERS.index("chance")
    return answer + others * _ratio(wanted[:, chance] ** 2, logged[:, chance])


def _ratio(one: Floats, other: Floats) -> Floats:
    """0 where nothing can come up."""
    answer: Floats = np.divide(one, other, out=np.zeros_like(one), where=other > 0)
    return answer


def _is_supported(lottery: Floats, own: Floats | None) -> Bools:
    """(slates,): whether the lottery may show what these orders show. That two orders happen to agree on a slate does
    not count: slates on which rules and model agree are not like the others."""
    if own is None:
        return np.ones(len(lottery), dtype=np.bool_)
    any_order = lottery[:, ORDERS.index("chance")] > 0
    return any_order | (lottery[:, own > 0] > 0).all(axis=1)


def _expected(slates: Slates, outcome: Outcome) -> Floats:
    """(slates, places, candidates): the probability of the outcome by a logistic regression on what model and rules
    predict and on the place, learnt from other students."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    places = slates.shown.shape[1]
    by_pair = np.stack([_log_odds(slates.churn), _log_odds(slates.rules)], axis=2)
    answer = np.zeros((len(slates), places, slates.churn.shape[1]))
    folds = min(FOLDS, len(np.unique(slates.student)))
    if folds < 2:
        return answer
    for learnt, judged in GroupKFold(folds).split(slates.shown, groups=slates.student):
        rows, at = np.nonzero(slates.shown[learnt] >= 0)
        slate = learnt[rows]
        of_place = np.eye(places)[at]
        columns = np.hstack([by_pair[slate, slates.shown[slate, at]], of_place])
        labels = slates.outcomes[outcome][slate, at]
        if len(np.unique(labels)) < 2:
            answer[judged] = labels.mean()
            continue
        fitted = LogisticRegression(max_iter=500).fit(columns, labels)
        slopes, steps = fitted.coef_[0, :2], fitted.coef_[0, 2:]
        odds = fitted.intercept_[0] + np.nan_to_num(by_pair[judged]) @ slopes
        answer[judged] = 1 / (1 + np.exp(-(odds[:, np.newaxis, :] + steps[:, np.newaxis])))
    return answer


def _log_odds(probability: Floats) -> Floats:
    clipped = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return np.log(clipped / (1 - clipped))


def _estimate(slates: Slates, outcome: Outcome, first: _Scored, second: _Scored | None) -> Estimate:
    both = (first,) if second is None else (first, second)
    kept = np.flatnonzero(np.logical_and.reduce([each.is_supported for each in both]))
    terms = first.terms[kept] - (0 if second is None else second.terms[kept])
    student = slates.student[kept]
    students = len(np.unique(student))
    effective = min(_effective(each, kept) for each in both)
    reason = _reason(slates, outcome, kept, students, effective, both)
    low = high = middle = None
    if reason is None:
        middle, margin = mean_and_margin(terms, student)
        low, high = middle - margin, middle + margin
    return Estimate(
        estimate=middle,
        low=low,
        high=high,
        slates=len(kept),
        students=students,
        effective=round(effective, 1),
        largest_weight=round(max(float(each.weights[kept].max(initial=0)) for each in both), 2),
        unsupported=round(1 - len(kept) / len(slates), 4) if len(slates) else 0.0,
        reason=reason,
    )


def _effective(scored: _Scored, kept: Integers) -> float:
    weights, expected = scored.weights[kept], float(scored.squares[kept].sum())
    squares = float((weights**2).sum())
    if not squares or not expected:
        return 0.0
    # Before the draw, weights are 1 on average.
    return min(float(weights.sum()) ** 2 / squares, len(kept) ** 2 / expected)


def _reason(
    slates: Slates, outcome: Outcome, kept: Integers, students: int, effective: float, policies: Sequence[_Scored]
) -> str | None:
    if not len(slates):
        return "there is no offer whose outcome is known yet"
    if not len(kept):
        return (
            "none of these offers could have been another one; they say nothing of what others would have come to "
            "(TUTORQ_OFFER_EXPLORATION above 0 has some drawn otherwise)"
        )
    if not all(each.is_possible[kept].all() for each in policies):
        return NOT_AS_DRAWN
    if students < LEAST_STUDENTS:
        return f"too few students: {students} of at least {LEAST_STUDENTS}"
    came = int((slates.total(outcome)[kept] > 0).sum())
    if min(came, len(kept) - came) < LEAST_OUTCOMES:
        return f"too few outcomes: {came} of {len(kept)} slates; at least {LEAST_OUTCOMES} of either kind are needed"
    if effective < LEAST_EFFECTIVE:
        return (
            f"too little overlap: what was shown is too seldom what would have been; {effective:.0f} effective slates "
            f"of at least {LEAST_EFFECTIVE}"
        )
    for each in policies:
        mean = float(each.weights[kept].mean())
        # Slates are drawn apart from each other, by lotteries that are known.
        error = math.sqrt(max(0.0, float((each.squares[kept] - 1).sum()))) / len(kept)
        if abs(mean - 1) > MOST_STANDARD_ERRORS * error + 1e-9:
            return NOT_AS_DRAWN
    return None


def mean_and_margin(values: Floats, cluster: Integers) -> tuple[float, float]:
    """The mean, and half of its 95% interval: by clusters, as values of one of them may go together (t with as many
    degrees of freedom as clusters less one)."""
    from scipy.stats import t

    mean, error = _mean_and_error(values, cluster)
    return mean, float(t.ppf((1 + LEVEL) / 2, max(1, len(np.unique(cluster)) - 1))) * error


def _mean_and_error(values: Floats, cluster: Integers) -> tuple[float, float]:
    mean = float(values.mean())
    _, of = np.unique(cluster, return_inverse=True)
    sums = np.bincount(of, weights=values - mean)
    clusters = len(sums)
    return mean, float(np.sqrt((sums**2).sum() * clusters / max(1, clusters - 1))) / len(values)


@dataclass(frozen=True)
class Holdout:
    """What came of one slate in cells that were held out, in the others, and the others less these."""

    held_out: float | None
    others: float | None
    difference: float | None
    low: float | None
    high: float | None
    cells: tuple[int, int]
    slates: tuple[int, int]
    reason: str | None


def compare_holdout(totals: Floats, is_held_out: Bools, cell: Integers) -> Holdout:
    """(slates,) how often the outcome came about, whether the slate's cell was held out, and number of the cell.

    Cells were drawn and not students, so cells are what the interval counts.
    """
    from scipy.stats import t

    parts = [np.flatnonzero(is_held_out), np.flatnonzero(~is_held_out)]
    cells = len(np.unique(cell[parts[0]])), len(np.unique(cell[parts[1]]))
    counts = len(parts[0]), len(parts[1])
    held_out, others = (float(totals[part].mean()) if len(part) else None for part in parts)
    reason = None
    if not counts[0]:
        reason = "no cell was held out (TUTORQ_OFFER_HOLDOUT), or its outcomes are not known yet"
    elif min(cells) < LEAST_CELLS:
        reason = f"too few cells: {cells[0]} held out and {cells[1]} others; at least {LEAST_CELLS} of each are needed"
    elif min(totals.sum(), (totals == 0).sum()) < LEAST_OUTCOMES:
        reason = f"too few outcomes: {totals.sum():.0f} of {len(totals)} slates"
    if reason is not None or held_out is None or others is None:
        return Holdout(held_out, others, None, None, None, cells, counts, reason)
    squares = [_mean_and_error(totals[part], cell[part])[1] ** 2 for part in parts]
    # Welch's: with few cells held out, these few say how sure it is.
    spread = sum(square**2 / (count - 1) for square, count in zip(squares, cells, strict=True))
    freedom = sum(squares) ** 2 / spread if spread else sum(cells) - 2
    difference = others - held_out
    margin = float(t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(sum(squares))
    low, high = difference - margin, difference + margin
    return Holdout(held_out, others, difference, low, high, cells, counts, None)


def slates_of(rows: Sequence[Mapping[str, Any]]) -> Slates:
    """From rows as `ml/offer_outcomes.py` reads them."""
    most_places = max((len(row["shown"]) for row in rows), default=1)
    most_candidates = max((len(row["candidate_churn"]) for row in rows), default=1)
    numbers = {student: at for at, student in enumerate(dict.fromkeys(row["student_id"] for row in rows))}
    return Slates(
        student=np.array([numbers[row["student_id"]] for row in rows], dtype=np.int64),
        lottery=np.array([shares(row["lottery"]) for row in rows]).reshape(len(rows), len(ORDERS)),
        churn=_padded([row["candidate_churn"] for row in rows], most_candidates, np.nan),
        rules=_padded([row["candidate_rules"] for row in rows], most_candidates, np.nan),
        shown=_padded([row["shown"] for row in rows], most_places, -1).astype(np.int64),
        outcomes={outcome: _padded([row[outcome] for row in rows], most_places, np.nan) for outcome in OUTCOMES},
    )


def _padded(lists: Sequence[Sequence[float]], width: int, filler: float) -> Floats:
    answer = np.full((len(lists), width), filler)
    for row, values in enumerate(lists):
        answer[row, : len(values)] = values
    return answer
