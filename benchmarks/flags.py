"""Are flags right? Every day of demos is replayed, and what is raised compared with what is true of each tutor.

Days are replayed by the recomputation that `tutorq verify` compares with dbt, and the last one is compared with the
marts here, too. Nothing is counted that was not known on its day.
"""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.harness import fresh_platform
from benchmarks.honesty import RULES as PATTERN_RULES
from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from demo import write_demo
from ingest import load_folder
from ingest.ids import entity_uuid
from verify.frames import load_kept, load_publication, load_raw
from verify.inputs import KeptDays, RawFrames
from verify.recompute.change_filter import ChangeFilter
from verify.recompute.concerns import (
    CONCERNS,
    DailyCounts,
    is_raised,
    rate_concerns,
    rate_probability,
    rating_probability,
)
from verify.recompute.counts import session_facts
from verify.recompute.evidence import BetaMixture, discounted
from verify.recompute.rules import Rules, published_rules
from verify.recompute.tutor_concerns import daily_counts

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

UNTIL = date(2026, 6, 28)  # a Sunday
OURS, EXCUSED, NAIVE = "tutorq", "days off excused", "30 days, raw"
NAIVE_DAYS, NAIVE_LEAST = 30, 5
# Until then the marketplace opens, and priors are made of next to nothing: flags of these days are not judged.
FIRST_JUDGED_DAY = 60
# What is true for less than this can hardly be noticed before it is over.
LEAST_DAYS = 30
OF_LET_DOWNS = ("unreliable", "getting_worse")
# Beyond the limit by so much of it is clear: 20% where 15% are allowed.
CLEARLY = 1 / 3


@dataclass(frozen=True)
class Size:
    tutors: int
    students: int
    days: int
    seeds: tuple[int, ...]


SMALL = Size(tutors=300, students=3_000, days=270, seeds=(1, 2, 3))
FULL = Size(tutors=300, students=3_000, days=364, seeds=tuple(range(1, 11)))
TINY = Size(tutors=30, students=200, days=120, seeds=(1,))


@dataclass
class Verdict:
    """Of one concern and rule, over all tutors and seeds."""

    planted: int = 0
    found: int = 0
    clear: int = 0
    clear_found: int = 0
    flags: int = 0
    right: int = 0
    days: int = 0
    days_right: int = 0
    delays: tuple[float, ...] = ()
    clear_delays: tuple[float, ...] = ()

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Patterns:
    planted: int
    testable: int
    found: int
    named: int


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Print, per concern, how much of what is true was found, how many flags were right, and how long it took."""
    verdicts: dict[tuple[str, str], Verdict] = {}
    patterns: dict[str, list[Patterns]] = {}
    differing = 0
    for seed in size.seeds:
        if seed == size.seeds[0]:
            found = _judge(size, seed, home, database)
        else:
            with fresh_platform() as (other_home, other_database):
                found = _judge(size, seed, other_home, other_database)
        for key, verdict in found.verdicts.items():
            verdicts[key] = verdicts.get(key, Verdict()) + verdict
        for rule, counted in found.patterns.items():
            patterns.setdefault(rule, []).append(counted)
        differing += found.differing
    seeds = ", ".join(map(str, size.seeds))
    console.print(
        f"\nflags: demos of {size.tutors} tutors, {size.students:,} students, {size.days} days until {UNTIL}, "
        f"seeds {seeds}; flags from day {FIRST_JUDGED_DAY + 1} on. "
        f"Statuses of the last day that differ from the marts: {differing}.",
        highlight=False,
    )
    _show(console, verdicts)
    _show_patterns(console, patterns)


@dataclass(frozen=True)
class Found:
    verdicts: dict[tuple[str, str], Verdict]
    patterns: dict[str, Patterns]
    differing: int


def _judge(size: Size, seed: int, home: Path, database: Database) -> Found:
    """One demo through the pipeline, its days replayed."""
    folder = home / "demo"
    write_demo(folder, tutors=size.tutors, students=size.students, days=size.days, seed=seed, until=UNTIL)
    load_folder(database.as_role(DatabaseRole.INGEST), folder, timezone="UTC")
    settings = Settings.model_construct(home=home, database_url=database.url, as_of=UNTIL.isoformat(), timezone="UTC")
    dbt_runner.build(settings, database, exclude=["tag:matching", "resource_type:test"])
    with database.connect() as connection:
        basis, frames, kept = load_publication(connection), load_raw(connection), load_kept(connection)
        statuses = connection.execute("select tutor_id::text, concern, status from marts.tutor_concerns").fetchall()
        (first_session,) = (
            connection.execute("select min(counted_on) from intermediate.int_tutor_days").fetchone() or ()
        )
        cells = pd.DataFrame(
            connection.execute(CELLS).fetchall(),
            columns=["tutor_id", "dimension", "level", *COUNTS, "is_pattern"],
        )
    names = pd.read_csv(folder / ".truth" / "tutors.csv")["tutor_id"]
    ids = pd.Index([str(entity_uuid(name)) for name in names])
    rules, limit = published_rules(basis), basis.risk_threshold
    counts = daily_counts(ids, session_facts(frames, basis), basis)
    replayed = replay(counts, kept, limit, rules)
    excused = daily_counts(ids, session_facts(replace(frames, excuses=_of_days_off(folder, frames)), basis), basis)
    replayed_excused = replay(excused, kept, limit, rules)
    truth = _truth(folder, names, counts.sessions.shape[1])
    first_day = counts.sessions.shape[1] - (UNTIL - first_session).days - 1 + FIRST_JUDGED_DAY
    verdicts = {}
    for concern in CONCERNS:
        by_rule = {OURS: replayed[concern].raised, NAIVE: naive(concern, counts, limit, rules)}
        if concern in OF_LET_DOWNS:
            by_rule = {OURS: by_rule[OURS], EXCUSED: replayed_excused[concern].raised, NAIVE: by_rule[NAIVE]}
        for rule, raised in by_rule.items():
            verdicts[concern, rule] = judge(concern, raised, truth, replayed[concern].has_needs, first_day)
    today = {
        (ids[tutor], name) for name, each in replayed.items() for tutor in np.flatnonzero(each.raised[:, -1]).tolist()
    }
    differing = today ^ {(tutor, concern) for tutor, concern, status in statuses if status == "raised"}
    return Found(verdicts, _judge_patterns(folder, cells), len(differing))


def _of_days_off(folder: Path, frames: RawFrames) -> pd.DataFrame:
    """The sessions of stretches of days off, as somebody would excuse them who knows of the illness."""
    events = pd.read_csv(folder / ".truth" / "events.csv", parse_dates=["starts_on", "full_on"])
    off = events[events["event"] == "days_off"]
    off = off.assign(tutor_id=off["tutor_id"].map(lambda name: str(entity_uuid(name))))
    sessions = frames.sessions[["session_id", "tutor_id", "scheduled_time"]].astype({"tutor_id": "str"})
    both = sessions.merge(off, on="tutor_id")
    day = both["scheduled_time"].dt.tz_localize(None).dt.normalize()
    is_off = (day >= both["starts_on"]) & (day <= both["full_on"])
    return pd.DataFrame({"session_id": both.loc[is_off, "session_id"].unique()})


@dataclass(frozen=True)
class Replayed:
    """(tutors, days): whether a concern was raised, and whether the tutor had what it needs."""

    raised: Bools
    has_needs: Bools


def replay(counts: DailyCounts, kept: KeptDays, limit: float, rules: Rules) -> dict[str, Replayed]:
    """All concerns on all days of the counts."""
    found = {}
    for name, concern in rate_concerns(limit, rules).items():
        _, _, probability = rate_probability(concern, counts, rules=rules)
        in_window = discounted(getattr(counts, concern.trials), concern.needs_days)
        found[name] = _raised(probability, in_window >= concern.needs, rules)
    narrow_alpha, narrow_beta, broad_alpha, broad_beta = kept.filter_prior
    prior = BetaMixture(
        np.array([1 - rules.broad_share, rules.broad_share]),
        np.array([narrow_alpha, broad_alpha]),
        np.array([narrow_beta, broad_beta]),
    )
    change_filter = ChangeFilter.of_prior(prior, limit, kept.design_effect, rules)
    fast = change_filter.run(counts.sessions, counts.let_downs).probability
    found["getting_worse"] = _raised(fast, found["unreliable"].has_needs, rules)
    _, _, below = rating_probability(counts, rules=rules)
    enough = discounted(counts.ratings, np.ones(rules.evidence_days)) >= rules.ratings_needed
    found["low_ratings"] = _raised(below, enough, rules)
    return found


def _raised(probability: Floats, has_needs: Bools, rules: Rules) -> Replayed:
    return Replayed(is_raised(np.nan_to_num(probability), rules) & has_needs, has_needs)


def naive(concern: str, counts: DailyCounts, limit: float, rules: Rules) -> Bools:
    """(tutors, days): the raw rate of 30 days is beyond the limit, of five sessions (starts …) or more.

    Of first meetings those of the 30 days before the last 30, whose outcomes are known.
    """
    window = np.ones(NAIVE_DAYS)
    if concern == "low_ratings":
        trials, total = discounted(counts.ratings, window), discounted(counts.rating_sums, window)
        platform = total.sum(axis=0) / np.maximum(trials.sum(axis=0), 1)
        mean = np.divide(total, trials, out=np.full_like(total, np.inf), where=trials > 0)
        return np.asarray((trials >= NAIVE_LEAST) & (mean < platform - rules.rating_margin))
    rule = rate_concerns(limit, rules)["unreliable" if concern == "getting_worse" else concern]
    if rule.limit is None:
        patience = rules.first_session_follow_up_days
        window = np.concatenate([np.zeros(patience), window])
    trials, events = (discounted(getattr(counts, name), window) for name in (rule.trials, rule.events))
    limits = events.sum(axis=0) / np.maximum(trials.sum(axis=0), 1) + rule.margin if rule.limit is None else rule.limit
    return np.asarray((trials >= NAIVE_LEAST) & (events > limits * trials))


def _truth(folder: Path, names: "pd.Series[str]", days: int) -> pd.DataFrame:
    """Stretches: concern, tutor (place), start and end as days of the replay, is_clear."""
    known = pd.read_csv(folder / ".truth" / "concerns.csv", parse_dates=["starts_on", "ends_on"])
    last = pd.Timestamp(UNTIL)
    place = {name: at for at, name in enumerate(names)}
    low = known["concern"] == "low_ratings"
    beyond = np.where(low, known["threshold"] - known["share"], known["share"] - known["threshold"])
    # Of ratings and first meetings the limit is so far from the platform's own.
    room = known["concern"].map({"low_ratings": 0.3, "loses_new_students": 0.05}).fillna(known["threshold"] * CLEARLY)
    return pd.DataFrame(
        {
            "concern": known["concern"],
            "tutor": known["tutor_id"].map(place),
            "start": days - 1 - (last - known["starts_on"]).dt.days,
            "end": (days - (last - known["ends_on"]).dt.days - 1).fillna(days).astype(int),
            "is_clear": beyond >= room,
        }
    )


def _stretches(truth: pd.DataFrame, concern: str) -> list[tuple[int, int, int, int]]:
    """(tutor, first day, day after the last one, whether it is clear) of what is true of a concern."""
    columns = truth.loc[truth["concern"] == concern, ["tutor", "start", "end", "is_clear"]]
    return [(int(row[0]), int(row[1]), int(row[2]), int(row[3])) for row in columns.to_numpy(dtype=np.int64)]


def judge(concern: str, raised: Bools, truth: pd.DataFrame, has_needs: Bools, first_day: int) -> Verdict:
    """Flags (stretches of raised days) are right if what they say was true on their first day.

    Planted is what is true on 30 days or more on which the tutor has what the concern needs; it is found if it is
    raised on one of them. The delay is from the first of them. Flags are judged from `first_day` on.
    """
    verdict = Verdict()
    for tutor, start, end, is_clear in _stretches(truth, concern):
        days = slice(start, end)
        judged = np.flatnonzero(has_needs[tutor, days])
        if len(judged) < LEAST_DAYS:
            continue
        seen = np.flatnonzero(raised[tutor, days])
        delay = tuple(float(day - judged[0]) for day in seen[seen >= judged[0]][:1])
        clear = delay if is_clear else ()
        verdict += Verdict(1, len(delay), is_clear, len(clear), delays=delay, clear_delays=clear)
    # A sudden change is right about everybody who is above the limit now, whenever that began.
    is_true = np.zeros_like(raised)
    for tutor, start, end, _ in _stretches(truth, "unreliable" if concern in OF_LET_DOWNS else concern):
        is_true[tutor, start:end] = True
    begins = raised & ~np.concatenate([np.zeros((len(raised), 1), dtype=bool), raised[:, :-1]], axis=1)
    begins, raised, is_true = begins[:, first_day:], raised[:, first_day:], is_true[:, first_day:]
    return verdict + Verdict(
        flags=int(begins.sum()),
        right=int((begins & is_true).sum()),
        days=int(raised.sum()),
        days_right=int((raised & is_true).sum()),
    )


def _show(console: Console, verdicts: dict[tuple[str, str], Verdict]) -> None:
    table = Table(
        "concern", "rule", "planted", "found", "recall", "days", "clear ones", "recall", "days", "flags", "false",
        "precision", "of days", box=box.SIMPLE_HEAD,
    )  # fmt: skip
    for (concern, rule), verdict in verdicts.items():
        table.add_row(
            concern if rule == OURS else "",
            rule,
            f"{verdict.planted}",
            f"{verdict.found}",
            _share(verdict.found, verdict.planted),
            _median(verdict.delays),
            f"{verdict.clear}",
            _share(verdict.clear_found, verdict.clear),
            _median(verdict.clear_delays),
            f"{verdict.flags}",
            f"{verdict.flags - verdict.right}",
            _share(verdict.right, verdict.flags),
            _share(verdict.days_right, verdict.days),
        )
    console.print(table)


def _median(days: tuple[float, ...]) -> str:
    return f"{np.median(days):.0f}" if days else "-"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


# --- patterns -------------------------------------------------------------------------------------------------------

COUNTS = ("sessions", "let_downs", "other_sessions", "other_let_downs")
CELLS = f"""
select tutor_id::text, dimension, level, {", ".join(COUNTS)}, is_pattern
from marts.tutor_patterns where tutor_id is not null
"""


def _judge_patterns(folder: Path, cells: pd.DataFrame) -> dict[str, Patterns]:
    """What stands out in the last 180 days, against what is planted; a cell with too few sessions is not tested."""
    planted = pd.read_csv(folder / ".truth" / "patterns.csv", dtype={"level": str})
    key = ["tutor_id", "dimension", "level"]
    planted["tutor_id"] = planted["tutor_id"].map(lambda name: str(entity_uuid(name)))
    tested = cells.merge(planted[key].assign(is_planted=True), on=key, how="left")
    is_planted = tested["is_planted"].notna()
    counted = {}
    for rule, of_cells in PATTERN_RULES.items():
        named = of_cells(tested)
        counted[rule] = Patterns(len(planted), int(is_planted.sum()), int((named & is_planted).sum()), int(named.sum()))
    return counted


def _show_patterns(console: Console, patterns: dict[str, list[Patterns]]) -> None:
    table = Table(
        "patterns", "planted", "tested", "found", "recall", "named", "false", "precision", box=box.SIMPLE_HEAD
    )
    for rule, parts in patterns.items():
        planted, testable, found, named = (
            sum(getattr(part, name) for part in parts) for name in Patterns.__dataclass_fields__
        )
        counts = (f"{planted}", f"{testable}", f"{found}", _share(found, planted), f"{named}", f"{named - found}")
        table.add_row(rule, *counts, _share(found, named))
    console.print(table)
