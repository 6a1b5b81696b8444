"""How well do forecasts come true, beside the old rule and what could be reached? Which patterns are found?"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.forecast import (
    DATA_VARIABLE,
    ENOUGH_TO_JUDGE,
    FALLBACK,
    HORIZON_DAYS,
    LEAD_DAYS,
    LIMIT,
    Bools,
    Candidate,
    History,
    Judgement,
    landing_history,
)
from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from demo import write_demo
from ingest import load_folder
from tests import worlds
from verify.recompute import concerns
from verify.recompute.change_filter import ChangeFilter, design_effect
from verify.recompute.evidence import Evidence, Floats, evidence, half_life_weights, mixture_prior
from verify.recompute.fairness import wilson
from verify.recompute.forecasts import predicted, rises
from verify.recompute.rules import RULES as SCORE_RULES
from verify.recompute.slots import PLATFORM, patterns

OLD = Candidate("flat 90 days, single prior (old)", half_life_weights(np.inf, 90), np.inf, is_old=True)
PUBLISHED = Candidate("as published", half_life_weights(), SCORE_RULES.evidence_cap)
NOW = PUBLISHED.name
# Where times of requests are made up, or long before the session, sessions are best counted as scheduled. Shuffled, the
# model is exact: what still differs comes from the way to count.
OTHER_WAYS: dict[str, dict[str, bool]] = {
    "by schedule": {"by_schedule": True},
    "let-downs shuffled": {"is_shuffled": True},
    "by schedule, let-downs shuffled": {"by_schedule": True, "is_shuffled": True},
}
SUMS = """
select
    sum(forecasts), sum(covered), sum(covered_expected), sum(judged), sum(above), sum(above_expected), sum(raised),
    sum(raised_above), sum(raised_above_expected), sum(rises), sum(rises_flagged), sum(flagged_after_days)
from marts.score_calibration
"""
BANDS = """
select probability_band, sum(judged), sum(above_expected), sum(above), sum(judged) ^ 2 / sum(judged_squares)
from marts.score_calibration group by probability_band having sum(judged) > 0 order by probability_band
"""


@dataclass(frozen=True)
class Size:
    """Of the demo, and how many worlds with and without planted patterns."""

    tutors: int
    students: int
    days: int
    worlds: int
    of_world: int
    planted: int
    seed: int = 7


SMALL = Size(tutors=300, students=3_000, days=365, worlds=10, of_world=300, planted=30)
FULL = Size(tutors=1_000, students=10_000, days=730, worlds=10, of_world=1_000, planted=30)
TINY = Size(tutors=30, students=200, days=200, worlds=1, of_world=60, planted=3)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Print calibration of the demo, or of the folder in FORECAST_DATA, what could be reached, and patterns found."""
    data = os.environ.get(DATA_VARIABLE)
    folder = Path(data) if data else home / "demo"
    if not data:
        until = pd.Timestamp("2026-06-30").date()
        write_demo(folder, tutors=size.tutors, students=size.students, days=size.days, seed=size.seed, until=until)
    load_folder(database.as_role(DatabaseRole.INGEST), folder, timezone="UTC")
    settings = Settings(home=home, database_url=database.url, as_of="latest")
    dbt_runner.build(settings, database, exclude=["tag:matching", "resource_type:test"])
    with database.connect() as connection:
        ours = [float(value or 0) for value in connection.execute(SUMS).fetchone() or ()]
        bands = connection.execute(BANDS).fetchall()
        judged = pd.DataFrame(
            connection.execute(JUDGED, (ENOUGH_TO_JUDGE,)).fetchall(),
            columns=JUDGED_COLUMNS,
        )
        origins = [day for (day,) in connection.execute(ORIGINS).fetchall()]
    found = {NOW: ours, OLD.name: _of_rule(OLD, landing_history(folder.name, folder), origins)[0]}
    flags = {NOW: judged}
    for words, ways in OTHER_WAYS.items() if data else ():
        found[words], flags[words] = _of_rule(PUBLISHED, landing_history(folder.name, folder, **ways), origins)
    _show_calibration(console, folder.name, found)
    _show_bands(console, bands)
    for words, judged in flags.items():
        _show_attainable(console, words, judged)
    _show_worlds(console, size)
    _show_patterns(console, size)


ORIGINS = "select distinct forecast_on from intermediate.int_forecast_outcomes order by forecast_on"
JUDGED_COLUMNS = ["sessions", "let_downs", "probability", "is_raised", "above"]
JUDGED = """
select sessions, let_downs, probability, is_raised, above from intermediate.int_forecast_outcomes where sessions >= %s
"""


def _of_rule(rule: Candidate, history: History, mondays: list[date]) -> tuple[list[float], pd.DataFrame]:
    """The same sums and judged checks by another rule, or by another way to count."""
    first_day = history.first_day
    if first_day is None:
        raise ValueError("a history of a landing folder is needed: others have no dates")
    days = [(pd.Timestamp(monday) - first_day).days for monday in mondays]
    judgement = rule.judge(history)
    raised_days = judgement.probability >= SCORE_RULES.high_risk_probability
    if not rule.is_old:
        now = np.where(
            history.has_needs, _change_filter(history).run(history.sessions, history.let_downs).probability, np.nan
        )
        raised_days = _raised_on(judgement.probability, days) | _raised_on(now, days)
    found = checks(history, judgement, days)
    found["is_raised"] = raised_days[found["tutor"], found["day"]]
    judged = found[found["sessions"] >= ENOUGH_TO_JUDGE]
    raised = judged[judged["is_raised"]]
    sums = [
        len(found),
        *(found[name].sum() for name in ("is_covered", "inside")),
        *(value for part in (judged, raised) for value in (len(part), part["is_above"].sum(), part["above"].sum())),
    ]
    delays = _delays(rises(history.sessions, history.let_downs, LIMIT), raised_days, days)
    return [*sums, *delays], judged


def checks(history: History, judgement: Judgement, days: Iterable[int]) -> pd.DataFrame:
    """One row per day and tutor with the needs and a session in the 30 days after: what was said, and what came.

    `above` is the forecast of `is_above`, a rate of these days above the limit; `probability` is that of a true rate
    above it.
    """
    parts = []
    for day in days:
        ahead = slice(day + 1, day + 1 + HORIZON_DAYS)
        n, k = (counts[:, ahead].sum(axis=1).astype(int) for counts in (history.sessions, history.let_downs))
        chosen = history.has_needs[:, day] & (n > 0)
        n, k = n[chosen], k[chosen]
        said = predicted(judgement.at(day, chosen), n, LIMIT)
        columns = {
            "tutor": np.flatnonzero(chosen), "day": day, "sessions": n, "let_downs": k,
            "probability": judgement.probability[chosen, day], "above": said.above, "is_above": k / n > LIMIT,
            "inside": said.inside, "is_covered": (k >= said.low) & (k <= said.high),
        }  # fmt: skip
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def by_chance(found: pd.DataFrame, said: str = "above") -> pd.DataFrame:
    """Per tenth of `said`: judged checks, mean forecast of a rate above the limit, the share that came, and its
    interval as the API makes it: checks of a tutor in one month say as much as if they were one. (The mart also splits
    tutors who pass from one band of volume to the next.)"""
    judged = found[found["sessions"] >= ENOUGH_TO_JUDGE]
    tenth = np.minimum(9, np.floor(judged[said] * 10)).astype(int).rename("tenth")
    bands = judged.groupby(tenth).agg(checks=("above", "size"), said=("above", "mean"), came=("is_above", "mean"))
    of_tutor = judged.groupby([tenth, "tutor", judged["day"] // HORIZON_DAYS]).size()
    worth = bands["checks"] ** 2 / (of_tutor**2).groupby("tenth").sum()
    ends = [wilson(came, each) for came, each in zip(bands["came"], worth, strict=True)]
    return bands.assign(low=[low for low, _ in ends], high=[high for _, high in ends])


def _change_filter(history: History) -> ChangeFilter:
    """With the reference of the last day, as a first run sets it."""
    found = evidence(history.sessions, history.let_downs, half_life_weights())
    prior = mixture_prior(Evidence(*(part[:, -1] for part in found)), LIMIT, FALLBACK)
    return ChangeFilter.of_prior(prior, LIMIT, design_effect(history.sessions, history.let_downs))


def _raised_on(probability: Floats, days: list[int]) -> Bools:
    """(tutors, days): raised, where of all days only these are known, as of the time before a first run."""
    known = np.full_like(probability, np.nan)
    known[:, days] = probability[:, days]
    return concerns.is_raised(known, SCORE_RULES)


def _delays(rose: np.ndarray, raised: np.ndarray, days: list[int]) -> list[float]:
    """Rises in the weeks before these days, how many were flagged within 30 days, and after how many days in all."""
    delays = []
    for day in days:
        for tutor, ahead in zip(*np.nonzero(rose[:, max(0, day - 6) : day + 1]), strict=True):
            start = max(0, day - 6) + ahead
            later = np.flatnonzero(raised[tutor, start : start + HORIZON_DAYS + 1])
            delays.append(later[0] if len(later) else np.nan)
    found = np.array(delays, dtype=float)
    return [float(len(found)), float((~np.isnan(found)).sum()), float(np.nansum(found))]


def _show_calibration(console: Console, name: str, rules: dict[str, list[float]]) -> None:
    table = Table(
        "rule", "forecasts", "ranges held", "should", "above", "should", "flags right", "should", "false alarms",
        "rises flagged", "after days", box=box.SIMPLE_HEAD,
    )  # fmt: skip
    for rule, sums in rules.items():
        n, covered, inside, judged, above, above_said, raised, right, right_said, rose, flagged, after = sums
        table.add_row(
            rule,
            f"{n:,.0f}",
            *(_share(part, n) for part in (covered, inside)),
            *(_share(part, judged) for part in (above, above_said)),
            f"{_share(right, raised)} of {raised:.0f}",
            _share(right_said, raised),
            _share(raised - right, raised),
            f"{flagged:.0f} of {rose:.0f}",
            f"{after / flagged:.1f}" if flagged else "-",
        )
    console.print(f"\n{name}: forecasts of Mondays against the 30 days after", highlight=False)
    console.print(table)


def _show_bands(console: Console, bands: list[tuple[float, ...]]) -> None:
    """Forecasts of one event, a rate of 30 days above the limit, against that event."""
    table = Table("chance of a month above", "checks", "said", "were above", "95% interval", box=box.SIMPLE_HEAD)
    for band, *values in bands:
        judged, said, above, worth = map(float, values)
        low, high = wilson(above / judged, worth)
        interval = f"{low:.0%}-{high:.0%}"
        table.add_row(_tenth(int(band)), f"{judged:,.0f}", _share(said, judged), _share(above, judged), interval)
    console.print(table)


def _tenth(band: int) -> str:
    return f"{band * 10}-{band * 10 + 10}%"


# --- where the truth is known ---------------------------------------------------------------------------------------

WORLD_DAYS = LEAD_DAYS + 7 * HORIZON_DAYS
AS_ASSUMED = "as the model assumes"
NOTHING_FADES = Candidate("nothing fades", half_life_weights(np.inf, WORLD_DAYS), np.inf)


def checks_of_world(name: str, tutors: int, seed: int, *, days_apart: int = HORIZON_DAYS) -> pd.DataFrame:
    """Checks in a world of `tests.worlds`, by the published rule; or, `AS_ASSUMED`, in one that is as the model says.

    There rates come from its prior and stay, so nothing fades; the prior's narrow part is learned from tutors drawn
    from that part alone.
    """
    origins = range(LEAD_DAYS, WORLD_DAYS - HORIZON_DAYS, days_apart)
    if name != AS_ASSUMED:
        history = _history(worlds.WORLDS[name](tutors, WORLD_DAYS, seed))
        return checks(history, PUBLISHED.judge(history), origins)
    history = _history(worlds.as_assumed(tutors, WORLD_DAYS, seed))
    narrow = _history(worlds.as_assumed(tutors, WORLD_DAYS, seed + 1, broad_share=0))
    return checks(history, NOTHING_FADES.judge(history, narrow), origins)


def _history(world: worlds.World) -> History:
    return History("made up", world.sessions.astype(np.float64), world.let_downs.astype(np.float64), world.rates)


def _show_worlds(console: Console, size: Size) -> None:
    """Said and came, by world: where the model is true, and where rates move."""
    found = {name: checks_of_world(name, size.of_world, size.seed) for name in (AS_ASSUMED, *worlds.WORLDS)}
    bands = {name: by_chance(each) for name, each in found.items()}
    table = Table("chance of a month above", *found, box=box.SIMPLE_HEAD)
    for tenth in range(10):
        rows = [each.loc[tenth] if tenth in each.index else None for each in bands.values()]
        cells = ["-" if row is None else f"{row.said:.0%}, {row.came:.0%} of {row.checks:.0f}" for row in rows]
        table.add_row(_tenth(tenth), *cells)
    ranges = [f"{each['inside'].mean():.1%}, {each['is_covered'].mean():.1%}" for each in found.values()]
    table.add_row("ranges", *ranges)
    console.print("\nworlds of known truth: said, came", highlight=False)
    console.print(table)


# --- what could be reached ------------------------------------------------------------------------------------------

Ints = npt.NDArray[np.int64]


STEPS = 30


class Attainable(NamedTuple):
    """Shares of checks that somebody who knows each tutor's rate of the month would have right by the same measure:
    a raw rate above the limit. Fractions; `right` is NaN where no rate is above the limit."""

    right: float
    """Of flags for all rates above the limit."""
    missed: float
    """Above the limit by chance, of those without a flag."""
    right_of_as_many: float
    """Of as many flags, for the highest rates."""


def attainable(sessions: Ints, let_downs: Ints, flagged: int, limit: float) -> Attainable:
    """What perfect knowledge of rates would reach, from counts of months (checks,) with one session at least.

    The distribution of true rates is the one under which the counts are likeliest (nonparametric maximum likelihood:
    Laird, N. (1978), "Nonparametric maximum likelihood estimation of a mixing distribution", JASA 73, 805-811), on 300
    rates, by expectation maximisation. It is stopped early, which smooths: at its end few points are left. In made-up
    worlds `right` and `missed` are within 6 and 2 points of the truth, `right_of_as_many` within 10.
    """
    rates = ((np.arange(300) + 0.5) / 300) ** 1.5
    (n, k), repeats = np.unique(np.stack([sessions, let_downs]), axis=1, return_counts=True)
    likelihood = stats.binom.pmf(k[:, np.newaxis], n[:, np.newaxis], rates)
    shares = np.full(len(rates), 1 / len(rates))
    for _ in range(STEPS):
        weights = likelihood * shares
        shares = repeats @ (weights / weights.sum(axis=1, keepdims=True)) / repeats.sum()
    # The greatest count that is not above the limit, as k/n is compared.
    counts, volumes = np.unique(sessions, return_counts=True)
    at_most = [np.flatnonzero(np.arange(m + 1) / m <= limit)[-1] for m in counts]
    above = volumes @ stats.binom.sf(np.array(at_most)[:, np.newaxis], counts[:, np.newaxis], rates) / volumes.sum()
    is_high = rates > limit
    # From the highest rate down, until as many are flagged.
    beyond = np.cumsum(shares[::-1])[::-1] - shares
    highest = np.clip(flagged / len(sessions) - beyond, 0, shares)

    def mean_above(parts: Floats) -> float:
        return float(above @ parts / parts.sum()) if parts.sum() > 0 else np.nan

    return Attainable(mean_above(shares * is_high), mean_above(shares * ~is_high), mean_above(highest))


def _show_attainable(console: Console, name: str, judged: pd.DataFrame) -> None:
    """Flags by kind, and somebody who knows all rates."""
    if judged.empty:
        return
    above = judged["let_downs"] / judged["sessions"] > LIMIT
    raised = judged["is_raised"].astype(bool)
    is_sure = judged["probability"] >= SCORE_RULES.high_risk_probability
    is_held = raised & ~is_sure & (judged["probability"] >= SCORE_RULES.watch_probability)
    table = Table("flags", "checks", "right", "should", box=box.SIMPLE_HEAD)
    kinds = {
        "all": raised,
        "chance of 80% or more": raised & is_sure,
        "chance of 50-80% (held, or getting_worse)": is_held,
        "chance below 50% (getting_worse)": raised & ~is_sure & ~is_held,
    }
    for kind, flags in kinds.items():
        shares = (_share(float(part[flags].sum()), float(flags.sum())) for part in (above, judged["above"]))
        table.add_row(kind, f"{flags.sum():,}", *shares)
    n, k = (judged[column].to_numpy(dtype=np.int64) for column in ("sessions", "let_downs"))
    known = attainable(n, k, int(raised.sum()), LIMIT)
    table.add_row("who knows the rates: all above the limit", "", f"{known.right:.1%}", "")
    table.add_row("who knows the rates: as many, the highest", "", f"{known.right_of_as_many:.1%}", "")
    console.print(f"\nflags, {name}", highlight=False)
    console.print(table)
    missed = float((above & ~raised).sum())
    console.print(
        f"not flagged, above: {_share(missed, float((~raised).sum()))}; who knows the rates: {known.missed:.1%}",
        highlight=False,
    )


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"


# --- patterns -------------------------------------------------------------------------------------------------------

Rule = Callable[[pd.DataFrame], "pd.Series[bool]"]


def _naive(cells: pd.DataFrame) -> "pd.Series[bool]":
    """Three let-downs or more, and twice the rate of the other sessions."""
    other = cells["other_let_downs"] / cells["other_sessions"]
    return (cells["let_downs"] >= 3) & (cells["let_downs"] / cells["sessions"] >= 2 * other)


RULES: dict[str, Rule] = {"patterns": lambda cells: cells["is_pattern"], "naive rule": _naive}


def _show_patterns(console: Console, size: Size) -> None:
    table = Table("rule", "none planted: found", "planted", "found", "false", box=box.SIMPLE_HEAD)
    counts = {rule: np.zeros(3, dtype=int) for rule in RULES}
    for seed in range(size.worlds):
        for planted in (0, size.planted):
            world = worlds.in_slots(size.seed + seed, tutors=size.of_world, planted=planted, odds=6)
            cells = patterns(world.slots, design_effect(*world.counts))
            cells = cells[~cells.index.str.startswith(PLATFORM)]
            for name, rule in RULES.items():
                named = set(cells.index[rule(cells)])
                right = len(named & world.planted)
                counts[name] += [len(named), 0, 0] if planted == 0 else [0, right, len(named) - right]
    for name, (false_alone, right, false_beside) in counts.items():
        table.add_row(name, f"{false_alone}", f"{size.worlds * size.planted}", f"{right}", f"{false_beside}")
    console.print(f"\npatterns: {size.worlds} worlds of {size.of_world} tutors, 180 days", highlight=False)
    console.print(table)
