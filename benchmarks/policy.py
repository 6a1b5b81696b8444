"""Does `evaluate-policy` tell the truth? In a made-up marketplace, recommendations help by an amount that is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from rich.console import Console
from rich.table import Table

from core.database import Database
from ml.features import Bools, Floats, Integers, Matrix
from ml.offers import ORDERS, Candidates, candidates, draw, lottery_of
from ml.policy import COMPARED, OUTCOMES, Outcome, Policy, Slates, compare_holdout, evaluate, slates_of

PLACES = 3
TUTORS = 30
# How probable it is that a student who has come so far begins with the tutor at place 1, 2 or 3. One is enough: what
# comes of a tutor hangs on who stands before.
STARTS = np.array([0.15, 0.10, 0.07])
# Log-odds of a tutor's being gone on with: how far tutors differ, how much of that the model and the rules see.
SPREAD, MODEL_SEES, RULES_SEE = 1.2, 0.8, 0.35
USUAL = 0.4
# Students differ in how ready they are to begin, and weeks in how busy they are.
READINESS, BUSY_WEEKS = 0.5, 0.25
WEEKS = 26
POPULATION = 20_000


@dataclass(frozen=True)
class Size:
    runs: int
    students: int
    exploration: float = 0.2
    holdout: float = 0.3


SMALL = Size(runs=50, students=1_000)
FULL = Size(runs=500, students=3_000)
TINY = Size(runs=8, students=500, exploration=0.4)


@dataclass(frozen=True)
class Visit:
    """A student who is offered tutors: the candidates, and by candidate the log-odds of going on with them."""

    student: int
    week: int
    among: Candidates
    goes_on: Floats
    readiness: float

    def starts(self, shown: Integers, busy: Floats) -> Floats:
        """(places,): how probable it is that the student begins with the tutor there, and with nobody before."""
        liking = np.exp(0.5 * (self.goes_on[shown] - USUAL) + self.readiness + busy[self.week])
        alone: Floats = np.minimum(0.95, STARTS[: len(shown)] * liking)
        return alone * np.cumprod(np.append(1.0, 1 - alone[:-1]))

    def worth(self, shown: Integers, busy: Floats) -> dict[Outcome, float]:
        """How probable each outcome is of a slate."""
        starts = self.starts(shown, busy)
        return {
            "started": float(starts.sum()),
            "continued": float((starts / (1 + np.exp(-self.goes_on[shown]))).sum()),
        }


IDS = [UUID(int=at) for at in range(TUTORS)]


def visits(rng: np.random.Generator, students: int) -> Iterator[Visit]:
    """One or two visits of each student."""
    for student in range(students):
        readiness = READINESS * rng.normal()
        for _ in range(1 + int(rng.random() < 0.5)):
            quality = rng.normal(size=TUTORS)
            model, rules = (_seen(rng, quality, share) for share in (MODEL_SEES, RULES_SEE))
            among = candidates(IDS, model, rules, PLACES)
            kept = [each.int for each in among.tutors]
            yield Visit(student, int(rng.integers(WEEKS)), among, USUAL + SPREAD * quality[kept], readiness)


def _seen(rng: np.random.Generator, quality: Floats, share: float) -> Matrix:
    """(tutors,) churn as somebody predicts it who sees so much of a tutor's quality, as a correlation."""
    seen = share * quality + np.sqrt(1 - share**2) * rng.normal(size=len(quality))
    churn: Matrix = (1 / (1 + np.exp(USUAL + SPREAD * share * seen))).astype(np.float32)
    return churn


def truth(exploration: float, busy: Floats, seed: int = 0) -> dict[tuple[Outcome, Policy], float]:
    """What each policy comes to for one slate, over so large a population that its error does not matter."""
    rng = np.random.default_rng(seed)
    sums = {(outcome, order): 0.0 for outcome in OUTCOMES for order in ORDERS}
    count = 0
    for visit in visits(rng, POPULATION):
        count += 1
        shown = {
            "model": np.arange(PLACES),
            "rules": visit.among.by_rules[:PLACES],
            "chance": rng.permutation(len(visit.among))[:PLACES],
        }
        for order in ORDERS:
            for outcome, worth in visit.worth(shown[order], busy).items():
                sums[outcome, order] += worth
    known: dict[tuple[Outcome, Policy], float] = {key: value / count for key, value in sums.items()}
    for outcome in OUTCOMES:
        mixed = lottery_of("model", exploration)
        known[outcome, "offered"] = sum(mixed[order] * known[outcome, order] for order in ORDERS)
    return known


@dataclass(frozen=True)
class World:
    """What one run has logged: slates of cells that were not held out; and of all, for the comparison of cells."""

    slates: Slates
    started: Floats
    is_held_out: Bools
    week: Integers


def what_comes(rng: np.random.Generator, visit: Visit, shown: Integers, busy: Floats) -> tuple[Bools, Bools]:
    """(places,): with whom the student begins, which is one at most; and whether they would go on with each."""
    until = np.cumsum(visit.starts(shown, busy))
    starts = np.arange(len(shown)) == np.searchsorted(until, rng.random(), side="right")
    goes_on = rng.random(len(shown)) < 1 / (1 + np.exp(-visit.goes_on[shown]))
    return starts, goes_on


def world(size: Size, busy: Floats, seed: int, *, exploration: float | None = None) -> World:
    """Offers as `ml/offers.py` draws them, and what came of them by chance."""
    rng = np.random.default_rng([seed, 1])
    share = size.exploration if exploration is None else exploration
    held_out = rng.random(WEEKS) < size.holdout
    rows, started, is_held_out, week = [], [], [], []
    for visit in visits(rng, size.students):
        lottery = lottery_of("rules") if held_out[visit.week] else lottery_of("model", share)
        drawn = draw(visit.among, PLACES, lottery, int(rng.integers(2**32)))
        starts, goes_on = what_comes(rng, visit, drawn.places, busy)
        if not held_out[visit.week]:
            rows.append(
                {
                    "student_id": visit.student,
                    "lottery": lottery,
                    "candidate_churn": visit.among.churn,
                    "candidate_rules": visit.among.rules,
                    "shown": drawn.places,
                    "started": starts.astype(np.float64),
                    "continued": (starts & goes_on).astype(np.float64),
                }
            )
        started.append(float(starts.sum()))
        is_held_out.append(bool(held_out[visit.week]))
        week.append(visit.week)
    return World(slates_of(rows), np.array(started), np.array(is_held_out), np.array(week))


@dataclass(frozen=True)
class Judged:
    """Of one estimate in all runs: how often the interval held the truth, and how far it was off."""

    truth: float
    covered: int
    told: int
    bias: float
    width: float


def judge(size: Size, busy: Floats) -> dict[tuple[str, str], Judged]:
    """By outcome and by policy or difference; `others - held out` is that of the cells."""
    known = truth(size.exploration, busy)
    found: dict[tuple[str, str], list[tuple[float, float, float] | None]] = {}
    truths: dict[tuple[str, str], float] = {}
    key: tuple[str, str]
    for seed in range(size.runs):
        logged = world(size, busy, seed)
        for outcome in OUTCOMES:
            for (first, second), each in evaluate(logged.slates, outcome).items():
                key = outcome, first if second is None else f"{first} - {second}"
                truths[key] = known[outcome, first] - (0.0 if second is None else known[outcome, second])
                found.setdefault(key, []).append(_interval(each.estimate, each.low, each.high))
        cells = compare_holdout(logged.started, logged.is_held_out, logged.week)
        key = "started", "others - held out"
        truths[key] = known["started", "offered"] - known["started", "rules"]
        found.setdefault(key, []).append(_interval(cells.difference, cells.low, cells.high))
    answer: dict[tuple[str, str], Judged] = {}
    for key, all_runs in found.items():
        told = [each for each in all_runs if each is not None]
        answer[key] = Judged(
            truth=truths[key],
            covered=sum(low <= truths[key] <= high for _, low, high in told),
            told=len(told),
            bias=float(np.mean([middle - truths[key] for middle, _, _ in told])) if told else float("nan"),
            width=float(np.mean([high - low for _, low, high in told])) if told else float("nan"),
        )
    return answer


def _interval(*numbers: float | None) -> tuple[float, float, float] | None:
    middle, low, high = numbers
    return None if middle is None or low is None or high is None else (middle, low, high)


def weeks_of(seed: int = 0) -> Floats:
    """(weeks,) how much readier students are to begin in a week, in log-odds."""
    return BUSY_WEEKS * np.random.default_rng([seed, 2]).normal(size=WEEKS)


def silent(size: Size, busy: Floats) -> int:
    """In how many runs without exploration nothing is said of what the rules would have done."""
    count = 0
    for seed in range(size.runs):
        logged = world(size, busy, seed, exploration=0.0)
        found = [evaluate(logged.slates, outcome) for outcome in OUTCOMES]
        count += all(
            not each.can_tell
            for estimates in found
            for key, each in estimates.items()
            if key in {("rules", None), ("chance", None), *COMPARED[:2]}
        )
    return count


def run(size: Size, console: Console, home: Path, database: Database) -> None:  # noqa: ARG001
    """Print how often the intervals hold the truth, and how often nothing is told where nothing can be."""
    busy = weeks_of()
    console.print(
        f"evaluation of policies: {size.runs} runs, {size.students:,} students, slates of {PLACES}, "
        f"{size.exploration:.0%} explored, {size.holdout:.0%} of the weeks held out"
    )
    table = Table("outcome per slate", "of", "truth", "bias", "interval, mean width", "truth within", "told")
    for (outcome, what), each in judge(size, busy).items():
        table.add_row(
            outcome,
            what,
            f"{each.truth:.4f}",
            f"{each.bias:+.4f}",
            f"{each.width:.4f}",
            f"{each.covered}/{each.told}",
            f"{each.told}/{size.runs}",
        )
    console.print(table)
    console.print(f"without exploration: cannot tell in {silent(size, busy)} of {size.runs} runs")
