"""Tutors and students: what the files say about them, and the latent traits that drive what happens."""

import unicodedata
from dataclasses import dataclass

import numpy as np

from demo.habits import Habits, draw_habits
from demo.timeline import BoolArray, FloatArray, IntArray, Timeline
from demo.words import NAME_WEIGHTS, NAMES, SUBJECTS, TIME_ZONE_WEIGHTS, TIME_ZONES

NEVER = 1 << 30

# Shares of tutors by activity; everybody else is regular.
BRAND_NEW, LEFT, OCCASIONAL = 0.03, 0.04, 0.07

SEGMENTS = ("regular", "new", "left", "occasional")
# Who leaves takes no new students for the last weeks.
CLOSED_DAYS = 28

# Why students miss lessons without a word, with the share of students, and what it does to the odds where it does.
NO_SHOW = 0.0085
CAUSES = ("none", "forgetful", "mondays", "evenings", "losing_interest")
CAUSE_SHARES = (0.78, 0.07, 0.05, 0.05, 0.05)
CAUSE_ODDS = (1.0, 7.0, 12.0, 9.0, 9.0)
FIRST_LESSON_ODDS = 1.6
EVENING_HOUR = 18


@dataclass(frozen=True)
class Tutors:
    """Arrays of one entry per tutor; days count as in `Timeline`."""

    names: list[str]
    teaches: BoolArray  # (tutors, subjects)
    hired_on: IntArray  # day
    left_on: IntArray  # first day without sessions, NEVER while active
    closed_on: IntArray  # first day without new students, NEVER while active
    segment: IntArray  # index into SEGMENTS
    demand: FloatArray  # relative pull on students
    age: IntArray
    experience_years: FloatArray
    style: IntArray
    pace: IntArray
    communication: IntArray
    quality: FloatArray  # latent, about standard normal, as students feel it
    habits: Habits
    time_zone: IntArray  # index into TIME_ZONES

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Students:
    """Arrays of one entry per student."""

    names: list[str]
    wants: BoolArray  # (students, subjects)
    age: IntArray
    style: IntArray
    pace: IntArray
    communication: IntArray
    urgency: IntArray
    goal: IntArray
    loyalty: FloatArray  # latent, standard normal
    cause: IntArray  # index into CAUSES, why lessons are missed
    cause_from: IntArray  # day from which it does

    def __len__(self) -> int:
        return len(self.names)

    def no_show_chance(
        self, student: IntArray, day: IntArray, weekday: IntArray, hour: IntArray, is_first: BoolArray
    ) -> FloatArray:
        """True chance that a student misses each of these sessions."""
        cause = self.cause[student]
        applies = day >= self.cause_from[student]
        applies &= np.choose(cause, (applies, applies, weekday == 0, hour >= EVENING_HOUR, applies))
        odds = NO_SHOW / (1 - NO_SHOW) * np.where(applies, np.array(CAUSE_ODDS)[cause], 1.0)
        odds = odds * np.where(is_first, FIRST_LESSON_ODDS, 1.0)
        chance: FloatArray = odds / (1 + odds)
        return chance


def subject_count(tutors: int) -> int:
    """A dozen, but fewer in a small marketplace, so that a student can change to another tutor."""
    return int(np.clip(tutors // 6, 1, len(SUBJECTS)))


def draw_tutors(rng: np.random.Generator, homes_rng: np.random.Generator, count: int, timeline: Timeline) -> Tutors:
    """`count` tutors with habits of their own, and uneven pull on students.

    Where they live (`homes_rng`) makes no difference to anything.
    """
    this_monday = timeline.this_monday
    experience = np.minimum(rng.gamma(1.8, 3.2, count), 38)
    age = np.minimum(21 + experience + rng.gamma(1.6, 4.0, count), 76).astype(np.int64)
    quality = 0.85 * rng.standard_normal(count) + 0.2 * np.log1p(experience) - 0.3

    segment = np.zeros(count, dtype=np.int64)
    new, left, occasional = _split(rng.permutation(count), BRAND_NEW, LEFT, OCCASIONAL)
    segment[new], segment[left], segment[occasional] = 1, 2, 3
    teaches = _subjects(rng, count, subject_count(count), (0.2, 0.35, 0.3, 0.15))
    demand = _within_a_working_day(rng.lognormal(0, 0.75, count), teaches, quality)
    demand[occasional] *= rng.uniform(0.01, 0.06, len(occasional))
    demand[new] *= 2.5  # a platform shows its new tutors first
    hired_on = -rng.integers(20, 2200, count)
    joined = rng.random(count) < 0.08
    hired_on[joined] = rng.integers(0, max(1, this_monday - 30), count)[joined]
    hired_on[new] = this_monday - rng.integers(1, 15, len(new))
    left_on = np.full(count, NEVER)
    left_on[left] = rng.integers(this_monday // 4, max(this_monday, 1), len(left)) + 1
    habits = draw_habits(rng.spawn(1)[0], teaches, demand, left_on, timeline)

    return Tutors(
        names=_names(rng, count),
        teaches=teaches,
        hired_on=hired_on,
        left_on=left_on,
        closed_on=np.where(left_on == NEVER, NEVER, left_on - CLOSED_DAYS),
        segment=segment,
        demand=demand,
        age=age,
        experience_years=experience,
        style=rng.choice(3, count, p=(0.4, 0.3, 0.3)),
        pace=_one_to_five(rng, count),
        communication=_one_to_five(rng, count),
        quality=quality - 0.7 * habits.is_bad,
        habits=habits,
        time_zone=homes_rng.choice(len(TIME_ZONES), count, p=TIME_ZONE_WEIGHTS),
    )


def draw_students(rng: np.random.Generator, count: int, tutors: Tutors, timeline: Timeline) -> Students:
    """`count` students, mostly of school age, who want only subjects that somebody teaches."""
    school = rng.normal(14.5, 2.6, count)
    university = rng.normal(21, 2, count)
    adult = rng.gamma(3, 6, count) + 24
    group = rng.choice(3, count, p=(0.72, 0.17, 0.11))
    age = np.clip(np.choose(group, (school, university, adult)), 7, 74).astype(np.int64)
    taught = tutors.teaches.any(axis=0)
    wants = _subjects(rng, count, tutors.teaches.shape[1], (0.3, 0.4, 0.3)) & taught
    wants[~wants.any(axis=1), int(np.argmax(taught))] = True
    cause = rng.choice(len(CAUSES), count, p=CAUSE_SHARES)
    from_ = np.where(CAUSES.index("losing_interest") == cause, rng.integers(7, timeline.horizon, count), 0)
    return Students(
        names=_names(rng, count),
        wants=wants,
        age=age,
        style=rng.choice(3, count, p=(0.35, 0.3, 0.35)),
        pace=_one_to_five(rng, count),
        communication=_one_to_five(rng, count),
        urgency=rng.choice(5, count, p=(0.12, 0.25, 0.33, 0.2, 0.1)) + 1,
        goal=rng.integers(0, 7, count),
        loyalty=rng.standard_normal(count),
        cause=cause,
        cause_from=from_,
    )


def email(name: str, number: int) -> str:
    """An address at example.org, which never receives mail; unique through the number."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return f"{plain.lower().replace(' ', '.')}.{number}@example.org"


def _split(order: IntArray, *shares: float) -> list[IntArray]:
    """Disjoint groups of the given shares; the first has a member in any marketplace of five or more."""
    sizes = [round(share * len(order)) for share in shares]
    if len(order) >= 5:
        sizes[0] = max(1, sizes[0])
    return np.split(order, np.cumsum(sizes))[: len(shares)]


def _one_to_five(rng: np.random.Generator, count: int) -> IntArray:
    return rng.choice(5, count, p=(0.1, 0.22, 0.36, 0.22, 0.1)) + 1


def _popularity(subjects: int) -> FloatArray:
    return np.linspace(1.0, 0.4, subjects)


def _subjects(rng: np.random.Generator, people: int, subjects: int, sizes: tuple[float, ...]) -> BoolArray:
    """(people, subjects): every person has 1 … len(sizes) of them, the first subjects being the most popular."""
    # Gumbel noise on log weights: the k largest are a weighted draw without replacement.
    score = np.log(_popularity(subjects)) + rng.gumbel(size=(people, subjects))
    rank = np.argsort(np.argsort(-score, axis=1), axis=1)
    wanted = rng.choice(len(sizes), people, p=sizes) + 1
    return rank < wanted[:, np.newaxis]


def _within_a_working_day(demand: FloatArray, teaches: BoolArray, quality: FloatArray) -> FloatArray:
    """Lower the pull of tutors who would teach more than twice the mean; students stay longer with the good ones."""
    popularity = _popularity(teaches.shape[1])
    for _ in range(8):
        per_subject = teaches.T @ demand
        share = np.divide(popularity, per_subject, where=per_subject > 0, out=np.zeros_like(popularity))
        lessons = demand * (teaches @ share) * np.exp(0.45 * quality)
        demand = demand * np.minimum(1, 2 * lessons.mean() / lessons)
    return demand


def _names(rng: np.random.Generator, count: int) -> list[str]:
    cultures = rng.choice(len(NAMES), count, p=NAME_WEIGHTS)
    picks = rng.random((count, 2))
    names = []
    for culture, (first_pick, last_pick) in zip(cultures.tolist(), picks.tolist(), strict=True):
        first, last = NAMES[culture]
        names.append(f"{first[int(first_pick * len(first))]} {last[int(last_pick * len(last))]}")
    return names
