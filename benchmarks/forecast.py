"""How well is a tutor's next month forecast, and how soon is a change noticed? By half-life, cap and the old rule."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import psutil
from rich import box
from rich.console import Console
from rich.table import Table
from scipy import special

from core.database import Database
from demo import write_demo
from tests import worlds
from verify.recompute import concerns
from verify.recompute.change_filter import ChangeFilter, design_effect
from verify.recompute.evidence import (
    BetaMixture,
    Evidence,
    Floats,
    discounted,
    evidence,
    half_life_weights,
    mixture_prior,
    moments,
)
from verify.recompute.rules import RULES, Rules

Bools = npt.NDArray[np.bool_]

LIMIT = 0.15
FALLBACK = (1, 9)
HALF_LIVES = (20.0, 30.0, 45.0, 60.0)
CAPS = (np.inf, 60.0, 100.0, 150.0)
LEAD_DAYS = 180
HORIZON_DAYS = 30
MANY_SESSIONS = 50
ENOUGH_TO_JUDGE = 20
KEPT = "30 / 60"
DATA_VARIABLE = "FORECAST_DATA"
LEGEND = (
    "forecast: rules are half-life in days / cap in sessions; the filter's φ is marked * where it is the measured one",
    "  log score of the next 30 days' let-downs, per tutor-month: the old rule's, then what others gain (s.e.)",
    "  covered: by the 90% interval; precision, recall: of as many tutor-months as the old rule flags",
    "  φ 2: evidence halved, as a design effect of 2 would; drift: a variance for what changes until then",
    "  onsets: new flags per tutor-year; at volume: with as many tutor-days raised as by the old rule",
)


@dataclass(frozen=True)
class Size:
    """`tutors`, `students` and `days` of the demo, `of_world` tutors in each world, `jumpers` at each pace."""

    tutors: int
    students: int
    days: int
    of_world: int
    jumpers: int
    half_lives: Sequence[float] = HALF_LIVES
    caps: Sequence[float] = CAPS
    paces: Sequence[int] = (1, 3, 10)
    seed: int = 7


SMALL = Size(tutors=300, students=3_000, days=365, of_world=150, jumpers=200)
FULL = Size(tutors=1_000, students=10_000, days=730, of_world=1_000, jumpers=1_000)
TINY = Size(tutors=30, students=150, days=250, of_world=30, jumpers=10, half_lives=(30.0,), caps=(60.0,), paces=(3,))


@dataclass(frozen=True)
class History:
    """Sessions and let-downs (tutors, days) by the day they count on, true rates where they are known, and which day
    the first one is, of a landing folder."""

    name: str
    sessions: Floats
    let_downs: Floats
    rates: Floats | None = None
    first_day: pd.Timestamp | None = None

    @property
    def origins(self) -> range:
        """Days from which 30 days are forecast, 30 days apart."""
        return range(LEAD_DAYS, self.sessions.shape[1] - HORIZON_DAYS, HORIZON_DAYS)

    @property
    def has_needs(self) -> Bools:
        """(tutors, days): 5 sessions in 90 days."""
        return np.asarray(discounted(self.sessions, half_life_weights(np.inf, 90)) >= 5)


@dataclass(frozen=True)
class Candidate:
    """A way to weigh sessions by age; without hysteresis and with a single beta prior it is the old rule.

    `design_effect` divides trials and events. `drift`: what a rate may change until then, as a variance in units of
    m(1-m): parts a + b of a posterior become 1/(1/(a + b) + drift).
    """

    name: str
    weights: Floats
    cap: float
    is_old: bool = False
    design_effect: float = 1.0
    drift: float = 0.0

    def judge(self, history: History, learn_from: History | None = None) -> "Judgement":
        """Posteriors of every tutor and day; the priors come from `learn_from` where it is given."""
        found = evidence(history.sessions, history.let_downs, self.weights)
        source = found if learn_from is None else evidence(learn_from.sessions, learn_from.let_downs, self.weights)
        prior = (
            _single_prior(source)
            if self.is_old
            else mixture_prior(source, np.full(source.trials.shape[1], LIMIT), FALLBACK)
        )
        known = Evidence(found.trials / self.design_effect, found.events / self.design_effect, found.squares)
        capped = known.capped(self.cap)
        posterior = prior.updated(capped.trials, capped.events)
        less = 1 / (1 + self.drift * (posterior.alpha + posterior.beta))
        posterior = BetaMixture(posterior.shares, posterior.alpha * less, posterior.beta * less)
        probability = np.where(history.has_needs, posterior.exceeds(LIMIT), np.nan)
        return Judgement(posterior, probability, None if self.is_old else RULES)


@dataclass(frozen=True)
class Judgement:
    """Posteriors (parts, tutors, days) and P(rate > limit), NaN where a tutor has too few sessions."""

    posterior: BetaMixture
    probability: Floats
    rule: Rules | None

    @property
    def raised(self) -> Bools:
        return _raised(self.probability, self.rule)

    def at(self, day: int, tutors: Bools) -> BetaMixture:
        parts = (self.posterior.shares, self.posterior.alpha, self.posterior.beta)
        return BetaMixture(*(part[:, tutors, day] for part in parts))


def run(size: Size, console: Console, home: Path, _database: Database) -> None:
    """Print one table per history, one of jumps, and what is raised where nobody differs."""
    candidates = _candidates(size)
    for line in LEGEND:
        console.print(line, highlight=False)
    for history in _histories(size, home, console):
        _show(console, history, candidates)
    _show_jumps(console, size, candidates)
    _show_alike(console, size)
    packages = ", ".join(f"{name} {version(name)}" for name in ("tutorq", "numpy", "scipy"))
    memory = psutil.virtual_memory().total / 2**30
    console.print(f"  Python {platform.python_version()}, {packages}; {psutil.cpu_count()} cores, {memory:.0f} GiB")


def _candidates(size: Size) -> list[Candidate]:
    """The old rule first."""
    flat = half_life_weights(np.inf, 90)
    names = {cap: "none" if np.isinf(cap) else f"{cap:.0f}" for cap in size.caps}
    return [
        Candidate("old rule", flat, np.inf, is_old=True),
        *(Candidate(f"flat 90 / {names[cap]}", flat, cap) for cap in size.caps),
        *(
            Candidate(f"{days:.0f} / {names[cap]}", half_life_weights(days), cap)
            for days in size.half_lives
            for cap in size.caps
        ),
        Candidate(f"{KEPT}, φ 2", half_life_weights(30), 60, design_effect=2),
        Candidate(f"{KEPT}, drift 0.01", half_life_weights(30), 60, drift=0.01),
        Candidate("30 / none, drift 0.01", half_life_weights(30), np.inf, drift=0.01),
    ]


def _single_prior(found: Evidence) -> BetaMixture:
    """The beta prior by moments alone, one per day."""
    mean, correlation = moments(found)
    weight = 1 / np.where(np.isnan(correlation), 0.1, correlation) - 1
    is_known = ~np.isnan(correlation)
    alpha = np.where(is_known, mean * weight, FALLBACK[0])
    beta = np.where(is_known, (1 - mean) * weight, FALLBACK[1])
    return BetaMixture(np.ones((1, *alpha.shape)), alpha[np.newaxis], beta[np.newaxis])


# --- histories ------------------------------------------------------------------------------------------------------


def _histories(size: Size, home: Path, console: Console) -> list[History]:
    folder = home / "demo"
    until = pd.Timestamp("2026-06-30").date()
    write_demo(folder, tutors=size.tutors, students=size.students, days=size.days, seed=size.seed, until=until)
    histories = [landing_history("demo", folder)]
    if data := os.environ.get(DATA_VARIABLE):
        histories[:0] = [
            landing_history(f"{Path(data).name}, by schedule", Path(data), by_schedule=True),
            landing_history(f"{Path(data).name}, by the earlier of request and schedule", Path(data)),
        ]
    else:
        console.print(f"  no real data: {DATA_VARIABLE} names no landing folder", style="dim")
    for name, make in worlds.WORLDS.items():
        world = make(size.of_world, size.days + LEAD_DAYS, size.seed)
        histories.append(_of_world(name, world))
    return histories


def _of_world(name: str, world: worlds.World) -> History:
    return History(name, world.sessions.astype(np.float64), world.let_downs.astype(np.float64), world.rates)


def landing_history(name: str, folder: Path, *, by_schedule: bool = False, is_shuffled: bool = False) -> History:
    """Daily counts of a landing folder, from the first scheduled day to the last day of an outcome; UTC dates.

    A session counts on the day of a move that was asked for earlier, unless `by_schedule`: for data in which times of
    requests are made up. `is_shuffled` deals each tutor's let-downs, with their notice, anew among the tutor's
    sessions: nobody changes and no days cluster.
    """
    sessions = pd.read_csv(_landing_file(folder, "sessions"), parse_dates=["scheduled_time"])
    moves = pd.read_csv(_landing_file(folder, "reschedules"), parse_dates=["requested_at"])
    moved = sessions["session_id"].map(moves.set_index("session_id")["requested_at"])
    moved_by = sessions["session_id"].map(moves.set_index("session_id")["initiator"])
    tutor, ids = pd.factorize(sessions["tutor_id"])
    scheduled_on = sessions["scheduled_time"].dt.floor("D")
    by_tutor = (sessions.get("initiator", pd.Series(index=sessions.index, dtype="str")) == "tutor") & (
        sessions["status"].isin(["cancelled", "no_show"])
    )
    is_let_down = (moved_by == "tutor") | by_tutor
    if is_shuffled:
        places = np.lexsort((np.random.default_rng(1).random(len(tutor)), tutor))[np.lexsort((tutor,)).argsort()]
        moved = sessions["scheduled_time"] - (sessions["scheduled_time"] - moved).iloc[places].set_axis(sessions.index)
        is_let_down = is_let_down.iloc[places].set_axis(sessions.index)
    counted_on = scheduled_on if by_schedule else scheduled_on.where(~(moved < scheduled_on), moved.dt.floor("D"))
    is_final = sessions["status"] != "scheduled"
    last_day = scheduled_on[is_final & moved.isna()].max()
    day = (counted_on - scheduled_on.min()).dt.days
    kept = is_final & (day >= 0) & (counted_on <= last_day)
    shape = (len(ids), (last_day - scheduled_on.min()).days + 1)
    cell = np.ravel_multi_index((tutor[kept], day[kept].to_numpy(dtype=np.int64)), shape)
    counts = [
        np.bincount(cell, weights, minlength=shape[0] * shape[1]).reshape(shape)
        for weights in (None, is_let_down[kept].to_numpy(dtype=np.float64))
    ]
    first_day = scheduled_on.min().tz_localize(None)
    return History(name, counts[0].astype(np.float64), counts[1], first_day=first_day)


def _landing_file(folder: Path, name: str) -> Path:
    return next(folder.glob(f"{name}.csv*"))


# --- forecasts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Months:
    """Tutor-months that are forecast: flat arrays."""

    tutor: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    sessions: Floats
    log_score: Floats
    is_covered: Bools
    probability: Floats
    is_bad: Bools
    is_judged: Bools


def forecast(history: History, judgement: Judgement) -> Months:
    """Beta-binomial forecasts of the let-downs of each tutor's next 30 days, given their number of sessions.

    Tutors with 5 sessions in the 90 days before and one in the 30 days after. Bad is a true rate above the limit, or a
    raw one among 20 sessions or more where the truth is unknown.
    """
    parts = []
    enough = history.has_needs
    for day in history.origins:
        ahead = slice(day + 1, day + 1 + HORIZON_DAYS)
        n, k = history.sessions[:, ahead].sum(axis=1), history.let_downs[:, ahead].sum(axis=1)
        chosen = enough[:, day] & (n > 0)
        n, k = n[chosen], k[chosen]
        posterior = judgement.at(day, chosen)
        below, log_score = _distribution_at(posterior, n, k)
        if history.rates is None:
            is_bad, is_judged = k / n > LIMIT, n >= ENOUGH_TO_JUDGE
        else:
            is_bad, is_judged = history.rates[chosen, ahead].mean(axis=1) > LIMIT, np.ones(len(n), dtype=bool)
        is_covered = (below + np.exp(log_score) >= 0.05) & (below < 0.95)
        parts.append(
            (
                np.flatnonzero(chosen),
                np.full(len(n), day),
                n,
                log_score,
                is_covered,
                judgement.probability[chosen, day],
                is_bad,
                is_judged,
            )
        )
    return Months(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _distribution_at(posterior: BetaMixture, n: Floats, k: Floats) -> tuple[Floats, Floats]:
    """P(K < k) and log P(K = k) of the beta-binomial mixture; all arrays (tutor-months,)."""
    sizes = k.astype(np.int64) + 1
    row = np.repeat(np.arange(len(n)), sizes)
    count = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    trials = n[row]
    shares, alpha, beta = (part[:, row] for part in (posterior.shares, posterior.alpha, posterior.beta))
    log_choose = -special.betaln(trials - count + 1, count + 1) - np.log(trials + 1)
    by_part = special.betaln(alpha + count, beta + trials - count) - special.betaln(alpha, beta)
    by_count = special.logsumexp(by_part, axis=0, b=shares) + log_choose
    log_score = by_count[np.cumsum(sizes) - 1]
    return np.bincount(row, np.exp(by_count)) - np.exp(log_score), log_score


def _precision_recall(months: Months, flagged: int) -> tuple[float, float]:
    """Of so many tutor-months with the highest probability, how many are bad; and of the bad, how many these hold."""
    judged = months.is_judged
    order = np.argsort(-months.probability[judged], kind="stable")[:flagged]
    right = months.is_bad[judged][order].sum()
    return float(right / max(flagged, 1)), float(right / max(months.is_bad[judged].sum(), 1))


def _raised(probability: Floats, rule: Rules | None) -> Bools:
    return probability >= RULES.high_risk_probability if rule is None else concerns.is_raised(probability, rule)


def _onsets(raised: Bools) -> float:
    """New flags per tutor and year, from day LEAD_DAYS on."""
    begins = raised[:, LEAD_DAYS:] & ~raised[:, LEAD_DAYS - 1 : -1]
    return float(begins.mean() * 365)


def at_volume(probability: Floats, share: float) -> Bools:
    """Raised with hysteresis, with all log-odds of P shifted alike so that this share of tutor-days is raised."""
    shifted = special.logit(np.clip(probability, 1e-12, 1 - 1e-12))
    low, high = -8.0, 8.0
    for _ in range(16):
        middle = (low + high) / 2
        raised = concerns.is_raised(special.expit(shifted + middle), RULES)
        low, high = (middle, high) if raised[:, LEAD_DAYS:].mean() < share else (low, middle)
    return raised


def _show(console: Console, history: History, candidates: Sequence[Candidate]) -> None:
    """One row per candidate: its log score beside the old rule and the one kept, intervals, flags and onsets."""
    judged = [(candidate, candidate.judge(history)) for candidate in candidates]
    months = {candidate.name: forecast(history, judgement) for candidate, judgement in judged}
    old = months[candidates[0].name]
    kept = months[KEPT]
    likely = RULES.high_risk_probability
    flagged = int((old.probability[old.is_judged] >= likely).sum())
    share = float(judged[0][1].raised[:, LEAD_DAYS:].mean())
    table = Table(
        "rule",
        "log score",
        f"beside {KEPT}",
        "covered",
        "n ≥ 50",
        "P ≥ 0.8 right",
        "precision",
        "recall",
        "onsets",
        "raised",
        "at volume",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.columns[0].no_wrap = True

    def flags(probability: Floats, rule: Rules | None) -> list[str]:
        found = replace(old, probability=probability[old.tutor, old.day])
        sure = found.is_judged & (found.probability >= likely)
        precision, recall = _precision_recall(found, flagged)
        raised = _raised(probability, rule)
        same = raised if rule is None else at_volume(probability, share)
        return [
            f"{_share(found.is_bad[sure])} of {sure.sum()}",
            f"{precision:.1%}",
            f"{recall:.1%}",
            f"{_onsets(raised):.2f}",
            f"{raised[:, LEAD_DAYS:].mean():.1%}",
            f"{_onsets(same):.2f}",
        ]

    for candidate, judgement in judged:
        found = months[candidate.name]
        table.add_row(
            candidate.name,
            f"{found.log_score.mean():.3f}" if found is old else _gain(found, old),
            "" if found is kept else _gain(found, kept),
            _share(found.is_covered),
            _share(found.is_covered[found.sessions >= MANY_SESSIONS]),
            *flags(judgement.probability, judgement.rule),
        )
    unreliable = next(judgement.raised for candidate, judgement in judged if candidate.name == KEPT)
    for words, change_filter in _filters(history).items():
        now = _filter_probability(change_filter, history)
        table.add_row(words, "", "", "", "", *flags(now, RULES))
        either = unreliable | _raised(now, RULES)
        together = f"{_onsets(either):.2f}", f"{either[:, LEAD_DAYS:].mean():.1%}"
        table.add_row(f"  or {KEPT}", "", "", "", "", "", "", "", *together, "")
    console.print(
        f"\n{history.name}: {len(old.tutor):,} tutor-months, {flagged} flagged by the old rule", highlight=False
    )
    console.print(table)


def _gain(months: Months, other: Months) -> str:
    """Mean difference of the log scores, and its standard error with the months of a tutor as one cluster."""
    _, cluster = np.unique(months.tutor, return_inverse=True)
    gain = months.log_score - other.log_score
    sums = np.bincount(cluster, gain - gain.mean())
    return f"{gain.mean():+.3f} ({np.sqrt((sums**2).sum()) / len(gain):.3f})"


def _share(values: Bools) -> str:
    return f"{values.mean():.1%}" if len(values) else "-"


# --- jumps ----------------------------------------------------------------------------------------------------------

JUMP_ON, RECOVERED_ON, JUMP_DAYS = 240, 330, 510


def _show_jumps(console: Console, size: Size, candidates: Sequence[Candidate]) -> None:
    """Median days to the flag after a jump from 8% to 30%, and to its end after recovery."""
    world = worlds.steady(size.tutors, JUMP_DAYS, size.seed)
    others = _of_world("others", world)
    jumps = {}
    for pace in size.paces:
        world = worlds.jump(size.jumpers, JUMP_DAYS, JUMP_ON, RECOVERED_ON, pace, size.seed + pace)
        jumps[pace] = _of_world("jump", world)
    table = Table("rule", *(f"{pace} a day" for pace in size.paces), box=box.SIMPLE_HEAD)
    for candidate in candidates:
        table.add_row(candidate.name, *(_delays(candidate.judge(jumps[pace], others).raised) for pace in size.paces))
    for words, change_filter in _filters(others).items():
        table.add_row(words, *(_delays(_filter_raised(change_filter, jumps[pace])) for pace in size.paces))
    console.print(f"\njump from 8% to 30%, {size.jumpers} tutors at each pace:", highlight=False)
    console.print(
        "median days to the flag (mean; never within 90 days), median days it lasts after recovery", highlight=False
    )
    console.print(table)


def _filters(history: History, until: int = LEAD_DAYS) -> dict[str, ChangeFilter]:
    """The change filter with the reference as of one day: at φ = 1, and at φ as it is."""
    sessions, let_downs = history.sessions[:, :until], history.let_downs[:, :until]
    found = evidence(sessions, let_downs, half_life_weights())
    prior = mixture_prior(Evidence(*(part[:, -1] for part in found)), LIMIT, FALLBACK)
    phi = design_effect(sessions, let_downs)
    return {
        "filter, φ 1": ChangeFilter.of_prior(prior, LIMIT),
        f"filter, φ {phi:.2f}*": ChangeFilter.of_prior(prior, LIMIT, phi),
        "filter, φ 1.5": ChangeFilter.of_prior(prior, LIMIT, 1.5),
    }


def _filter_probability(change_filter: ChangeFilter, history: History) -> Floats:
    """P(rate now > limit), NaN where a tutor has too few sessions."""
    return np.where(history.has_needs, change_filter.run(history.sessions, history.let_downs).probability, np.nan)


def _filter_raised(change_filter: ChangeFilter, history: History) -> Bools:
    return concerns.is_raised(_filter_probability(change_filter, history), RULES)


def _delays(raised: Bools) -> str:
    """Days with the new rate until the flag, and days after recovery until it ends; without tutors flagged before."""
    clean = ~raised[:, JUMP_ON - 1]
    after = raised[clean, JUMP_ON:RECOVERED_ON]
    is_noticed = after.any(axis=1)
    delay = np.where(is_noticed, after.argmax(axis=1) + 1.0, np.inf)
    recovering = raised[raised[:, RECOVERED_ON - 1], RECOVERED_ON:]
    lingers = np.where(recovering.all(axis=1), np.inf, (~recovering).argmax(axis=1) + 1.0)
    mean = np.minimum(delay, RECOVERED_ON - JUMP_ON).mean()
    ends = f"{np.median(lingers):.0f}" if len(lingers) else "-"
    return f"{np.median(delay):.0f} ({mean:.0f}; {(~is_noticed).mean():.0%}), {ends}"


# --- no differences -------------------------------------------------------------------------------------------------


def _show_alike(console: Console, size: Size) -> None:
    """Share of tutor-days raised in each concern, and in any, where all tutors are alike."""
    counts = worlds.alike_in_everything(size.tutors, size.days + LEAD_DAYS, size.seed)
    history = History("alike", counts.sessions, counts.let_downs)
    raised: dict[str, Bools] = {}
    for name, concern in concerns.rate_concerns(LIMIT).items():
        _, _, probability = concerns.rate_probability(concern, counts)
        has_needs = discounted(getattr(counts, concern.trials), concern.needs_days) >= concern.needs
        raised[name] = concerns.is_raised(np.where(has_needs, probability, np.nan), RULES)
    _, _, probability = concerns.rating_probability(counts)
    has_needs = discounted(counts.ratings, half_life_weights(np.inf)) >= RULES.ratings_needed
    raised["low_ratings"] = concerns.is_raised(np.where(has_needs, probability, np.nan), RULES)
    strictest, *others = _filters(history).items()
    raised[f"getting_worse ({strictest[0]})"] = _filter_raised(strictest[1], history)
    raised["any of these"] = np.any(list(raised.values()), axis=0)
    raised |= {f"getting_worse ({words})": _filter_raised(other, history) for words, other in others}
    old = Candidate("old rule", half_life_weights(np.inf, 90), np.inf, is_old=True)
    raised["old rule"] = old.judge(history).raised
    table = Table("concern", "share of tutor-days", "onsets per tutor-year", box=box.SIMPLE_HEAD)
    for name, days in raised.items():
        table.add_row(name, f"{days[:, LEAD_DAYS:].mean():.3%}", f"{_onsets(days):.3f}")
    tutors, days = counts.sessions.shape
    console.print(f"\nno differences: {tutors} tutors, {days - LEAD_DAYS} days", highlight=False)
    console.print(table)
