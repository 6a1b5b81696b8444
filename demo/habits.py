"""What tutors do to sessions, day by day: habits that stay, change, are coached, or show in one kind of slot only."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from demo.timeline import BoolArray, FloatArray, IntArray, Timeline

# One habit at most is planted in a tutor; everybody else is ordinary.
ORDINARY = "ordinary"
PLANS = {
    "unreliable": 0.075,
    "worsening": 0.03,
    "relapsing": 0.025,  # gets worse, and better again
    "improving": 0.015,
    "cancelling": 0.015,  # unreliable, but cancels instead of moving
    "missing": 0.025,
    "late": 0.05,
    "losing_new_students": 0.035,
    "badly_rated": 0.03,
    "patterned": 0.06,
}
BAD = ("unreliable", "worsening", "relapsing", "improving", "cancelling")

# Sessions that a tutor moves or cancels. Ordinary tutors: mean 0.092, standard deviation 0.016.
ORDINARY_BETA = (28.0, 278.0)
BAD_RANGE = (0.27, 0.42)
CANCELS = (0.03, 0.75)  # of these, by ordinary and by cancelling tutors
ORDINARY_NO_SHOWS, BAD_NO_SHOWS, MISSING_NO_SHOWS = (2.0, 420.0), (0.02, 0.06), (0.05, 0.09)
ORDINARY_LATE, LATE_RANGE = (2.0, 50.0), (0.22, 0.45)

# Days until a change shows in full: one tutor in two changes at once.
SUDDEN_DAYS, SLOW_DAYS = 2, 28
RELAPSE_DAYS = (35, 75)
# Tutors with bad habits who are talked to, some weeks after these began; what is left of their rate afterwards.
COACHED_SHARE, COACHED_AFTER = 0.35, (25, 60)
COACHING_DAYS, COACHING_FACTOR, COACHING_WORKS = 10, 0.3, 0.75
# Who leaves lets go some weeks before.
LEAVING_DAYS, LEAVING_FACTOR = (14, 42), 1.8

# Odds of a let-down, for everybody: by weekday (Monday first) and by subject, repeated for a longer list.
WEEKDAY_ODDS = np.array([1.30, 0.95, 0.90, 0.95, 1.10, 0.90, 0.80])
SUBJECT_ODDS = np.array([1.0, 0.85, 1.25, 1.10, 1.0, 0.85, 0.95, 1.15, 1.0, 1.05, 0.90, 0.80])
# Of one tutor in one kind of slot.
PATTERN_ODDS = (4.5, 7.0)
PATTERNS = ("weekday", "daypart", "subject", "lesson")
DAYPART_HOURS = (0, 9, 14, 18, 24)
DAYPARTS = ("0-9", "9-14", "14-18", "18-24")


class Event(NamedTuple):
    """Something that happened to a tutor on a day, and the share of sessions before and once it shows in full."""

    tutor: int
    kind: str
    day: int
    full_on: int
    before: float
    after: float


class Pattern(NamedTuple):
    """Slots in which the odds of a tutor's let-downs are higher; `level` is an index into the dimension's levels."""

    tutor: int
    dimension: str
    level: int
    odds: float


@dataclass(frozen=True)
class Habits:
    """Chances per tutor and day of the timeline (0 … horizon), in usual slots; arrays (tutors,) where not said."""

    plan: npt.NDArray[np.str_]
    call_offs: FloatArray  # (tutors, days): sessions moved or cancelled
    cancels: FloatArray  # share of these that is cancelled
    no_shows: FloatArray  # (tutors, days)
    late: FloatArray  # (tutors, days): of sessions held
    first_session_logit: FloatArray  # added to that of going on after a first lesson
    stars: FloatArray  # added to what students feel
    events: list[Event]
    patterns: list[Pattern]
    _odds: FloatArray = field(repr=False)  # (tutors, dimensions of PATTERNS, levels)

    @property
    def is_bad(self) -> BoolArray:
        """(tutors,): unreliable at some time."""
        return np.isin(self.plan, BAD)

    def chance(
        self, tutor: IntArray, day: IntArray, weekday: IntArray, subject: IntArray, hour: IntArray, is_first: BoolArray
    ) -> FloatArray:
        """True chance that `tutor` moves or cancels each of these sessions, days off included."""
        usual = self.call_offs[tutor, day]
        odds = usual / (1 - usual) * WEEKDAY_ODDS[weekday] * SUBJECT_ODDS[subject % len(SUBJECT_ODDS)]
        daypart = np.searchsorted(DAYPART_HOURS[1:-1], hour, side="right")
        for dimension, level in enumerate((weekday, daypart, subject, (~is_first).astype(np.int64))):
            odds = odds * self._odds[tutor, dimension, level]
        chance: FloatArray = odds / (1 + odds)
        return chance


def draw_habits(
    rng: np.random.Generator, teaches: BoolArray, demand: FloatArray, left_on: IntArray, timeline: Timeline
) -> Habits:
    """Habits of tutors, by subjects taught (tutors, subjects), pull on students and first day without sessions."""
    count, days = len(teaches), timeline.horizon + 1
    plan = _plans(rng, count, demand)
    is_bad = np.isin(plan, BAD)
    ordinary, bad = rng.beta(*ORDINARY_BETA, count), rng.uniform(*BAD_RANGE, count)
    changes = _Changes(rng, count, days, timeline)

    # What else is planted comes on top, and should not make them unreliable, too.
    ordinary = np.where(np.isin(plan, ("patterned", "missing")), 0.65 * ordinary, ordinary)
    call_offs = changes.steady(np.where(is_bad & ~np.isin(plan, ("worsening", "relapsing")), bad, ordinary))
    changes.apply(call_offs, "worse", np.isin(plan, ("worsening", "relapsing")), changes.began, bad)
    changes.apply(call_offs, "better", plan == "relapsing", changes.ended, ordinary)
    changes.apply(call_offs, "better", plan == "improving", changes.began, ordinary)
    began = np.where(plan == "worsening", changes.began, timeline.this_monday // 4)
    coached_on = began + rng.integers(*COACHED_AFTER, count)
    is_coached = np.isin(plan, ("unreliable", "worsening", "cancelling")) & (rng.random(count) < COACHED_SHARE)
    factor = np.where(rng.random(count) < COACHING_WORKS, COACHING_FACTOR, 1.0)
    changes.apply(
        call_offs, "coached", is_coached & (coached_on < timeline.this_monday - 7), coached_on, bad * factor,
        np.full(count, COACHING_DAYS),
    )  # fmt: skip
    lets_go_on = left_on - rng.integers(*LEAVING_DAYS, count)
    leaves = (left_on <= timeline.horizon) & (lets_go_on > 0)
    at_last = call_offs[np.arange(count), np.clip(lets_go_on, 0, days - 1)] * LEAVING_FACTOR
    changes.apply(call_offs, "lets_go", leaves, lets_go_on, np.minimum(at_last, 0.6), np.full(count, SUDDEN_DAYS))

    few, many = rng.beta(*ORDINARY_NO_SHOWS, count), rng.uniform(*MISSING_NO_SHOWS, count)
    at_worst = rng.uniform(*BAD_NO_SHOWS, count)
    starts_to = rng.random(count) < 0.5
    no_shows = changes.steady(np.where((plan == "missing") & ~starts_to, many, few))
    # Who calls much off misses some, too: while that is so.
    no_shows[is_bad] = at_worst[is_bad, np.newaxis] * call_offs[is_bad] / bad[is_bad, np.newaxis]
    changes.apply(no_shows, "starts_missing", (plan == "missing") & starts_to, changes.began, many)
    rare, often = rng.beta(*ORDINARY_LATE, count), rng.uniform(*LATE_RANGE, count)
    late = changes.steady(np.where((plan == "late") & ~starts_to, often, rare))
    changes.apply(late, "starts_late", (plan == "late") & starts_to, changes.began, often)

    patterns = _draw_patterns(rng, np.flatnonzero(plan == "patterned"), teaches)
    odds = np.ones((count, len(PATTERNS), max(7, teaches.shape[1])))
    for pattern in patterns:
        odds[pattern.tutor, PATTERNS.index(pattern.dimension), pattern.level] = pattern.odds
    return Habits(
        plan=plan,
        call_offs=call_offs,
        cancels=np.where(plan == "cancelling", CANCELS[1], CANCELS[0]),
        no_shows=no_shows,
        late=late,
        first_session_logit=np.where(plan == "losing_new_students", -1.6, 0.0),
        stars=np.where(plan == "badly_rated", -0.9, 0.0),
        events=sorted(changes.events, key=lambda event: (event.tutor, event.day)),
        patterns=patterns,
        _odds=odds,
    )


def _plans(rng: np.random.Generator, count: int, demand: FloatArray) -> npt.NDArray[np.str_]:
    """A plan per tutor. Patterns are for the busier half: of few sessions nobody could tell."""
    plan = np.full(count, ORDINARY, dtype=f"U{max(map(len, PLANS))}")
    order = rng.permutation(count)
    busy = order[demand[order] >= np.median(demand)]
    plan[busy[: round(PLANS["patterned"] * count)]] = "patterned"
    rest = order[plan[order] == ORDINARY]
    at = 0
    for name, share in PLANS.items():
        if name == "patterned":
            continue
        # One is unreliable in any marketplace of five or more.
        size = max(round(share * count), int(name == "unreliable" and count >= 5))
        plan[rest[at : at + size]] = name
        at += size
    return plan


class _Changes:
    """Draws when habits change, applies changes to chances, and takes note of them."""

    def __init__(self, rng: np.random.Generator, count: int, days: int, timeline: Timeline) -> None:
        self.events: list[Event] = []
        self._days = np.arange(days)
        # At random over the history, rather late than early: what is new is what a platform looks at.
        ago = 5 + (max(timeline.this_monday - 35, 1)) * rng.random(count) ** 1.5
        self.began = np.maximum(timeline.this_monday - ago.astype(np.int64), 1)
        self.ended = self.began + rng.integers(*RELAPSE_DAYS, count)
        self.lasting = np.where(rng.random(count) < 0.5, SUDDEN_DAYS, SLOW_DAYS)
        self._last = timeline.horizon

    def steady(self, chance: FloatArray) -> FloatArray:
        return np.repeat(chance[:, np.newaxis], len(self._days), axis=1)

    def apply(
        self,
        chances: FloatArray,
        kind: str,
        chosen: BoolArray,
        day: IntArray,
        after: FloatArray,
        lasting: IntArray | None = None,
    ) -> None:
        """From `day` on, the chances of the chosen tutors go to `after` in a straight line."""
        lasting = self.lasting if lasting is None else lasting
        for tutor in np.flatnonzero(chosen & (day >= 0) & (day <= self._last)).tolist():
            start, full_on = int(day[tutor]), int(day[tutor] + lasting[tutor])
            before = float(chances[tutor, start])
            progress = np.clip((self._days[start:] - start) / lasting[tutor], 0, 1)
            chances[tutor, start:] = before + (after[tutor] - before) * progress
            self.events.append(Event(tutor, kind, start, full_on, before, float(after[tutor])))


def _draw_patterns(rng: np.random.Generator, tutors: IntArray, teaches: BoolArray) -> list[Pattern]:
    """One pattern per tutor, in slots that are neither most of the tutor's sessions nor next to none."""
    patterns = []
    for place, tutor in enumerate(tutors.tolist()):
        dimension = PATTERNS[place % len(PATTERNS)]
        subjects = np.flatnonzero(teaches[tutor])
        if dimension == "subject" and len(subjects) < 2:
            dimension = "weekday"
        level = {
            "weekday": int(rng.integers(0, 5)),
            "daypart": int(rng.choice((1, 3))),
            "subject": int(subjects[-1]),  # the least popular
            "lesson": 0,  # the first
        }[dimension]
        patterns.append(Pattern(tutor, dimension, level, float(rng.uniform(*PATTERN_ODDS))))
    return patterns
