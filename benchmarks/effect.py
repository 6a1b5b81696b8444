"""Does "did it help?" answer rightly where the answer is known? By kind of world and by number of cases."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

from core.case_effect import Arm, Expected, Ratio, expected_let_downs, rate_ratio
from core.database import Database
from tests import worlds
from verify.recompute.change_filter import ChangeFilter, design_effect
from verify.recompute.evidence import BetaMixture, Floats, discounted, evidence, half_life_weights, mixture_prior
from verify.recompute.rules import RULES

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LIMIT = 0.15
FALLBACK = (1, 9)
EFFECT_DAYS = 30
HELPS = 0.7
"""What a talk that helps leaves of let-downs."""
# Before anything is opened, and while cases are.
LEAD_DAYS, OPENING_DAYS = 180, 60
NEEDS_DAYS = 90
BLOCK = ("now", "now", "later", "later")
# Of which about 30 cases come per world; so many worlds are computed together.
TUTORS = {"steady": 500, "drifting": 210, "jumping": 120, "sick spells": 320, "seasonal": 240}
TOGETHER = 25
LEGEND = (
    "effect: worlds in which a talk does nothing, then the same ones in which it leaves 70% of let-downs",
    "  before/after: change of the rate from the 30 days before the opening to those after it",
    "  covers: the 95% interval holds the truth; found: it is below 1; estimate: geometric mean",
    "  expected: observed let-downs over those expected (mean); covers: they lie within the interval",
)


@dataclass(frozen=True)
class Size:
    """So many worlds of each kind, and the numbers of cases per arm with which effects are looked for."""

    worlds: int
    per_arm: Sequence[int] = (10, 20, 40, 80)
    seed: int = 15


SMALL = Size(worlds=50)
FULL = Size(worlds=200)
TINY = Size(worlds=3, per_arm=(10,))


@dataclass(frozen=True)
class Cases:
    """Opened cases (cases,): of which world and week, and what was counted and expected."""

    world: Ints
    week: Ints
    sessions: Ints
    let_downs: Ints
    sessions_before: Ints
    let_downs_before: Ints
    expected: Floats
    variance: Floats

    def chosen(self, which: Bools | Ints) -> "Cases":
        return Cases(*(getattr(self, field.name)[which] for field in fields(self)))

    @property
    def before_after(self) -> float:
        """Change of the rate; -0.3 is 30% less."""
        before = self.let_downs_before.sum() / self.sessions_before.sum()
        return float(self.let_downs.sum() / self.sessions.sum() / before - 1)


@dataclass(frozen=True)
class Answer:
    """What is said of one world."""

    ratio: Ratio | None
    expected: Expected | None
    let_downs: float


def opened_cases(kind: str, number: int, seed: int) -> Cases:
    """The cases of so many worlds of a kind in which no talk does anything; the same arguments give the same worlds."""
    parts = []
    for first in range(0, number, TOGETHER):
        cases = _opened_together(kind, min(TOGETHER, number - first), seed + first)
        parts.append(replace(cases, world=cases.world + first))
    return Cases(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Cases)))


def _opened_together(kind: str, number: int, seed: int) -> Cases:
    """A case is opened on the first day on which the tutor is unreliable or suddenly worse.

    The worlds share one prior, as if they were parts of one platform, so that they can be computed together.
    """
    tutors = TUTORS[kind] * number
    world = worlds.WORLDS[kind](tutors, LEAD_DAYS + OPENING_DAYS + EFFECT_DAYS, seed)
    days = slice(LEAD_DAYS, LEAD_DAYS + OPENING_DAYS)
    found = evidence(world.sessions, world.let_downs, half_life_weights())
    prior = mixture_prior(found, np.full(world.sessions.shape[1], LIMIT), FALLBACK)
    capped = found.capped(RULES.evidence_cap)
    has_needs = discounted(world.sessions, np.ones(NEEDS_DAYS))[:, days] >= RULES.min_sessions
    is_worse = _rate_now(world, prior)[:, days] >= RULES.high_risk_probability
    # Nobody else can be above the limit with a probability of 0.8.
    high_rate = np.flatnonzero((np.nan_to_num(found.rate)[:, days] > LIMIT).any(axis=1))
    parts = (prior.shares[:, days], prior.alpha[:, days], prior.beta[:, days])
    posterior = BetaMixture(*parts).updated(capped.trials[high_rate, days], capped.events[high_rate, days])
    is_unreliable = np.zeros_like(is_worse)
    is_unreliable[high_rate] = posterior.exceeds(LIMIT) >= RULES.high_risk_probability
    is_raised = (is_worse | is_unreliable) & has_needs
    tutor = np.flatnonzero(is_raised.any(axis=1))
    day = LEAD_DAYS + is_raised[tutor].argmax(axis=1)
    of_day = BetaMixture(prior.shares[:, day], prior.alpha[:, day], prior.beta[:, day])
    estimate = _updated_one_by_one(of_day, capped.trials[tutor, day], capped.events[tutor, day]).summary(LIMIT)
    sessions, let_downs = (_within(counts, tutor, day) for counts in (world.sessions, world.let_downs))
    before = [_within(counts, tutor, day - EFFECT_DAYS) for counts in (world.sessions, world.let_downs)]
    rate, deviation = estimate.expected, (estimate.high - estimate.low) / 3.29
    return Cases(
        world=tutor // TUTORS[kind],
        week=day // 7,
        sessions=sessions,
        let_downs=let_downs,
        sessions_before=before[0],
        let_downs_before=before[1],
        # As in marts.case_effects.
        expected=rate * sessions,
        variance=sessions * (rate * (1 - rate) + (sessions - 1) * deviation**2),
    )


def _rate_now(world: worlds.World, prior: BetaMixture) -> Floats:
    """(tutors, days): P(rate now > limit), by the filter with the reference of the first day of cases."""
    first = BetaMixture(*(part[:, LEAD_DAYS] for part in (prior.shares, prior.alpha, prior.beta)))
    spread = design_effect(world.sessions[:, :LEAD_DAYS], world.let_downs[:, :LEAD_DAYS])
    change_filter = ChangeFilter.of_prior(first, LIMIT, spread)
    until = LEAD_DAYS + OPENING_DAYS
    return np.nan_to_num(change_filter.run(world.sessions[:, :until], world.let_downs[:, :until]).probability)


def _updated_one_by_one(priors: BetaMixture, trials: Floats, events: Floats) -> BetaMixture:
    """Each case's prior (parts, cases), with its own evidence (cases,)."""
    updated = priors.updated(trials[np.newaxis], events[np.newaxis])
    return BetaMixture(*(part[:, 0] for part in (updated.shares, updated.alpha, updated.beta)))


def _within(counts: Ints, tutor: Ints, day: Ints) -> Ints:
    """Sums (cases,) of the 30 days after a day."""
    sums = np.cumsum(counts, axis=1)
    return np.asarray(sums[tutor, day + EFFECT_DAYS] - sums[tutor, day])


def drawn_arms(rng: np.random.Generator, cases: Cases) -> Bools:
    """(cases,): whether each is talked to now; blocks of four by world and week, as marts.draw_arm draws."""
    is_now = np.zeros(len(cases.world), dtype=bool)
    for place in np.unique(cases.world * 1_000 + cases.week):
        of_week = np.flatnonzero(cases.world * 1_000 + cases.week == place)
        blocks = [rng.permutation(BLOCK) for _ in range(0, len(of_week), len(BLOCK))]
        is_now[of_week] = np.concatenate(blocks)[: len(of_week)] == "now"
    return is_now


def answered(rng: np.random.Generator, cases: Cases, is_now: Bools, leaves: float) -> Answer:
    """What is said of these cases if a talk at once leaves this share of let-downs, and a later one changes nothing."""
    let_downs = np.where(is_now, rng.binomial(cases.let_downs, leaves), cases.let_downs).astype(np.float64)
    sessions = cases.sessions.astype(np.float64)
    ratio = rate_ratio(Arm(sessions[is_now], let_downs[is_now]), Arm(sessions[~is_now], let_downs[~is_now]))
    return Answer(ratio, expected_let_downs(cases.expected, cases.variance), float(let_downs.sum()))


def by_world(cases: Cases, seed: int, leaves: float = 1.0) -> list[Answer]:
    """One answer per world, with the arms that are drawn there."""
    rng = np.random.default_rng(seed)
    is_now = drawn_arms(rng, cases)
    return [
        answered(rng, cases.chosen(of_world), is_now[of_world], leaves)
        for of_world in (cases.world == world for world in np.unique(cases.world))
    ]


def by_number(cases: Cases, per_arm: int, number: int, seed: int, leaves: float = 1.0) -> list[Answer]:
    """So many answers, each of `per_arm` cases an arm that are chosen by chance from all worlds."""
    rng = np.random.default_rng(seed)
    is_now = np.repeat([True, False], per_arm)
    return [
        answered(rng, cases.chosen(rng.choice(len(cases.world), 2 * per_arm)), is_now, leaves) for _ in range(number)
    ]


def coverage(answers: Sequence[Answer], truth: float = 1.0) -> float:
    """Share of the intervals that hold the true ratio."""
    ratios = [answer.ratio for answer in answers if answer.ratio]
    return float(np.mean([ratio.low <= truth <= ratio.high for ratio in ratios]))


def found(answers: Sequence[Answer]) -> float:
    """Share of the intervals that say that talks help."""
    return float(np.mean([answer.ratio is not None and answer.ratio.high < 1 for answer in answers]))


def estimate(answers: Sequence[Answer]) -> float:
    """Geometric mean of the ratios."""
    return float(np.exp(np.mean([np.log(answer.ratio.ratio) for answer in answers if answer.ratio])))


def as_expected(answers: Sequence[Answer]) -> float:
    """Share of worlds in which let-downs lie within what was expected."""
    known = [(answer.let_downs, answer.expected) for answer in answers if answer.expected]
    return float(np.mean([expected.low <= let_downs <= expected.high for let_downs, expected in known]))


def fewer_than_expected(answers: Sequence[Answer]) -> float:
    """Share of worlds in which they lie below."""
    return float(
        np.mean([answer.expected is not None and answer.let_downs < answer.expected.low for answer in answers])
    )


def run(size: Size, console: Console, _home: Path, _database: Database) -> None:
    """Print one table by kind of world, and one by number of cases."""
    for line in LEGEND:
        console.print(line, highlight=False)
    kinds = {kind: opened_cases(kind, size.worlds, size.seed) for kind in worlds.WORLDS}
    table = Table("world", "cases", "before/after", "drawn: covers", "expected", "covers", "fewer", box=box.SIMPLE_HEAD)
    for kind, cases in kinds.items():
        answers = by_world(cases, size.seed)
        known = [answer for answer in answers if answer.ratio]
        ratios = [answer.let_downs / answer.expected.let_downs for answer in answers if answer.expected]
        table.add_row(
            kind,
            f"{len(cases.world) / size.worlds:.0f}",
            f"{cases.before_after:+.0%}",
            f"{coverage(answers):.1%} of {len(known)}" if known else "-",
            f"{np.mean(ratios):.2f}" if ratios else "-",
            f"{as_expected(answers):.1%}" if ratios else "-",
            f"{fewer_than_expected(answers):.1%}",
        )
    console.print(f"\n{size.worlds} worlds of each kind, a talk does nothing", highlight=False)
    console.print(table)
    table = Table("world", "per arm", "nothing: covers", "30% less: covers", "found", "estimate", box=box.SIMPLE_HEAD)
    for kind, cases in kinds.items():
        for per_arm in size.per_arm:
            nothing = by_number(cases, per_arm, size.worlds, size.seed)
            helps = by_number(cases, per_arm, size.worlds, size.seed, HELPS)
            table.add_row(
                kind,
                str(per_arm),
                f"{coverage(nothing):.1%}",
                f"{coverage(helps, HELPS):.1%}",
                f"{found(helps):.0%}",
                f"{estimate(helps):.3f}",
            )
    console.print(f"\n{size.worlds} times so many cases by chance", highlight=False)
    console.print(table)
