"""Made-up tutors with a known true rate of let-downs: it drifts, jumps, has sick spells or seasons, or is all the same.

Arrays are (tutors, days). The same arguments give the same world.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from verify.recompute.concerns import DailyCounts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TERM_DAYS = 182
RATING_SHARES = (0.01, 0.03, 0.08, 0.28, 0.60)  # of 1 to 5


@dataclass(frozen=True)
class World:
    """True rates (0-1), and the sessions and let-downs drawn from them."""

    rates: Floats
    sessions: Ints
    let_downs: Ints


def draw(rng: np.random.Generator, rates: Floats, sessions_per_day: npt.ArrayLike) -> World:
    """Poisson sessions and binomial let-downs; `sessions_per_day` broadcasts with the rates."""
    sessions = rng.poisson(np.broadcast_to(sessions_per_day, rates.shape))
    return World(rates, sessions, rng.binomial(sessions, rates))


def usual_pace(rng: np.random.Generator, tutors: int) -> Floats:
    """Sessions a day (tutors, 1): half of the tutors between 0.7 and 2.2."""
    return np.exp(rng.normal(np.log(1.2), 0.85, (tutors, 1)))


def usual_rates(rng: np.random.Generator, tutors: int, days: int) -> Floats:
    """Rates that differ between tutors and stay: median 8%, one tutor in thirteen above 15%."""
    base = special.expit(rng.normal(special.logit(0.08), 0.5, (tutors, 1)))
    return np.repeat(base, days, axis=1)


def alike(tutors: int, days: int, seed: int, rate: float = 0.08) -> World:
    """No differences at all."""
    rng = np.random.default_rng(seed)
    return draw(rng, np.full((tutors, days), rate), usual_pace(rng, tutors))


def steady(tutors: int, days: int, seed: int) -> World:
    """Tutors differ and stay as they are."""
    rng = np.random.default_rng(seed)
    return draw(rng, usual_rates(rng, tutors, days), usual_pace(rng, tutors))


# Of the prior that scores assume: mean and imaginary sessions of its narrow part, and of its broad part where the limit
# is 15%: its mean is twice the other one's.
NARROW, BROAD, BROAD_SHARE = (0.11, 18.5), (0.22, 1 / 0.22), 0.1


def as_assumed(tutors: int, days: int, seed: int, broad_share: float = BROAD_SHARE) -> World:
    """Rates are drawn from the prior that scores assume, and stay as they are."""
    rng = np.random.default_rng(seed)
    narrow, broad = (rng.beta(m * size, (1 - m) * size, (tutors, 1)) for m, size in (NARROW, BROAD))
    base = np.where(rng.random((tutors, 1)) < broad_share, broad, narrow)
    return draw(rng, np.repeat(base, days, axis=1), usual_pace(rng, tutors))


def drifting(tutors: int, days: int, seed: int) -> World:
    """Log-odds move by a random walk, about 0.5 in 100 days, and back towards the tutor's own mean."""
    rng = np.random.default_rng(seed)
    own = special.logit(usual_rates(rng, tutors, days))
    offset = np.zeros((tutors, days))
    for day in range(1, days):
        offset[:, day] = 0.995 * offset[:, day - 1] + rng.normal(0, 0.06, tutors)
    return draw(rng, special.expit(own + offset), usual_pace(rng, tutors))


def jumping(tutors: int, days: int, seed: int) -> World:
    """Each tutor takes a new rate on days that are 180 days apart on average; one new rate in four is bad."""
    rng = np.random.default_rng(seed)
    rates = usual_rates(rng, tutors, days)
    for tutor, day in zip(*np.nonzero(rng.random(rates.shape) < 1 / 180), strict=True):
        is_bad = rng.random() < 0.25
        rates[tutor, day:] = rng.uniform(0.2, 0.45) if is_bad else usual_rates(rng, 1, 1)
    return draw(rng, rates, usual_pace(rng, tutors))


def with_sick_spells(tutors: int, days: int, seed: int) -> World:
    """Steady tutors who twice a year, for one to five days, call off nearly everything."""
    rng = np.random.default_rng(seed)
    rates = usual_rates(rng, tutors, days)
    for tutor, day in zip(*np.nonzero(rng.random(rates.shape) < 2 / 365), strict=True):
        rates[tutor, day : day + rng.integers(1, 6)] = 0.9
    return draw(rng, rates, usual_pace(rng, tutors))


def seasonal(tutors: int, days: int, seed: int) -> World:
    """Half-year terms whose last four weeks have twice the sessions, and everybody's odds are 1.6 times as high."""
    rng = np.random.default_rng(seed)
    is_exam = np.arange(days) % TERM_DAYS >= TERM_DAYS - 28
    rates = special.expit(special.logit(usual_rates(rng, tutors, days)) + np.log(1.6) * is_exam)
    return draw(rng, rates, usual_pace(rng, tutors) * np.where(is_exam, 2.0, 1.0))


WORLDS = {
    "steady": steady,
    "drifting": drifting,
    "jumping": jumping,
    "sick spells": with_sick_spells,
    "seasonal": seasonal,
}


def jump(tutors: int, days: int, on: int, until: int, sessions_per_day: float, seed: int) -> World:
    """Every tutor at 8%, at 30% from day `on` to day `until`, then at 8% again."""
    rng = np.random.default_rng(seed)
    rates = np.full((tutors, days), 0.08)
    rates[:, on:until] = 0.30
    return draw(rng, rates, sessions_per_day)


def alike_in_everything(tutors: int, days: int, seed: int) -> DailyCounts:
    """All tutors alike: 8% let-downs, an eighth of them no-shows; 4% late starts; 28% of first meetings lost."""
    rng = np.random.default_rng(seed)
    world = alike(tutors, days, seed)
    held = world.sessions - world.let_downs
    first_meetings = rng.binomial(held, 0.08)
    ratings = rng.multinomial(rng.binomial(held, 0.6), RATING_SHARES)
    stars = np.arange(1, 6)
    counts = (
        world.sessions,
        world.let_downs,
        rng.binomial(world.let_downs, 1 / 8),
        held,
        rng.binomial(held, 0.04),
        first_meetings,
        rng.binomial(first_meetings, 0.28),
        ratings.sum(axis=-1),
        ratings @ stars,
        ratings @ stars**2,
    )
    return DailyCounts(*(part.astype(np.float64) for part in counts))


@dataclass(frozen=True)
class SlotWorld:
    """Sessions in slots, as `verify.recompute.slots.slots` gives them, and the cells in which let-downs were planted.

    `counts` are daily sessions and let-downs (tutors, days), for the design effect.
    """

    slots: pd.DataFrame
    planted: frozenset[str]
    counts: tuple[Ints, Ints]


DAYPARTS = ("0-9", "9-14", "14-18", "18-24")
SLOT_DAYS = 180


def in_slots(seed: int, tutors: int = 300, planted: int = 0, odds: float = 4) -> SlotWorld:
    """Tutors who differ, fall ill twice a year, and let down alike in all slots; `planted` of them, by `odds` more on
    one weekday or in one daypart. Those with many let-downs in all are not chosen: there is little to be seen there."""
    rng = np.random.default_rng(seed)
    base = usual_rates(rng, tutors, SLOT_DAYS)
    spells = np.zeros((tutors, SLOT_DAYS), dtype=bool)
    for tutor, day in zip(*np.nonzero(rng.random(base.shape) < 2 / 365), strict=True):
        spells[tutor, day : day + rng.integers(1, 4)] = True
    sessions = rng.poisson(np.broadcast_to(usual_pace(rng, tutors), base.shape))
    tutor, day = np.nonzero(sessions)
    repeats = sessions[tutor, day]
    tutor, day = np.repeat(tutor, repeats), np.repeat(day, repeats)
    weekday = day % 7 + 1
    shares = rng.dirichlet((0.5, 2, 4, 3), tutors).cumsum(axis=1)
    daypart = (rng.random(len(tutor))[:, np.newaxis] > shares[tutor]).sum(axis=1).clip(0, 3)
    subject = np.array(["maths", "physics", "english"])[rng.integers(0, 3, len(tutor))]
    log_odds = special.logit(base[tutor, day])
    chosen = rng.choice(np.flatnonzero(base[:, 0] < 0.15), planted, replace=False)
    cells = set()
    for place, each in enumerate(chosen):
        if place % 2:
            level = int(rng.integers(1, 6))
            log_odds[(tutor == each) & (weekday == level)] += np.log(odds)
            cells.add(f"{each} weekday {level}")
        else:
            level = int(rng.integers(1, 4))
            log_odds[(tutor == each) & (daypart == level)] += np.log(odds)
            cells.add(f"{each} daypart {DAYPARTS[level]}")
    rate = np.where(spells[tutor, day], 0.9, special.expit(log_odds))
    is_let_down = rng.random(len(tutor)) < rate
    slots = pd.DataFrame(
        {
            "tutor_id": tutor.astype(str),
            "is_let_down": is_let_down,
            "weekday": weekday.astype(str),
            "daypart": np.array(DAYPARTS)[daypart],
            "subject": subject,
            "lesson": np.where(rng.random(len(tutor)) < 0.1, "first", "repeated"),
        }
    )
    let_downs = np.zeros_like(sessions)
    np.add.at(let_downs, (tutor, day), is_let_down)
    return SlotWorld(slots, frozenset(cells), (sessions, let_downs))
