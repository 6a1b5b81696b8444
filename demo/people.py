"""Tutors and students: what the files say about them, and the latent traits that drive what happens."""

import unicodedata
from dataclasses import dataclass

import numpy as np

from demo.timeline import BoolArray, FloatArray, IntArray, Timeline
from demo.words import NAME_WEIGHTS, NAMES, SUBJECTS

NEVER = 1 << 30

# Shares of tutors by reliability; everybody else is ordinary and steady.
STEADY_POOR, WORSENING, IMPROVING = 0.085, 0.02, 0.01
# Shares of tutors by activity; everybody else is regular.
BRAND_NEW, LEFT, OCCASIONAL = 0.03, 0.04, 0.07

DRIFTS = ("steady", "worsening", "improving")
SEGMENTS = ("regular", "new", "left", "occasional")

# Ordinary tutors: mean 0.091, standard deviation 0.017, one in 1,000 above 0.15.
ORDINARY_BETA = (26.0, 260.0)
POOR_RANGE = (0.25, 0.40)
# A change of habits takes two weeks to show in full.
DRIFT_DAYS = 14

# A part of a tutor's reschedules comes in bursts: a day or more on which nearly every session moves.
BURST_SHARE = 0.16
BURST_REACH = 0.9
BURST_LENGTHS = np.array([0.55, 0.30, 0.15])


@dataclass(frozen=True)
class Tutors:
    """Arrays of one entry per tutor; days count as in `Timeline`."""

    names: list[str]
    teaches: BoolArray  # (tutors, subjects)
    hired_on: IntArray  # day
    left_on: IntArray  # first day without sessions, NEVER while active
    segment: IntArray  # index into SEGMENTS
    demand: FloatArray  # relative pull on students
    age: IntArray
    experience_years: FloatArray
    style: IntArray
    pace: IntArray
    communication: IntArray
    quality: FloatArray  # latent, about standard normal, as students feel it
    probability_before: FloatArray  # reschedules per session, before `changes_on`
    probability_after: FloatArray
    changes_on: IntArray
    drift: IntArray  # index into DRIFTS
    no_show_probability: FloatArray

    def __len__(self) -> int:
        return len(self.names)

    def reschedule_probability(self, tutor: IntArray, day: IntArray) -> FloatArray:
        """True chance that `tutor` moves a session of `day`, bursts included."""
        progress = np.clip((day - self.changes_on[tutor]) / DRIFT_DAYS, 0, 1)
        before = self.probability_before[tutor]
        return before + (self.probability_after[tutor] - before) * progress


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

    def __len__(self) -> int:
        return len(self.names)


def subject_count(tutors: int) -> int:
    """A dozen, but fewer in a small marketplace, so that a student can change to another tutor."""
    return int(np.clip(tutors // 6, 1, len(SUBJECTS)))


def draw_tutors(rng: np.random.Generator, count: int, timeline: Timeline) -> Tutors:
    """`count` tutors with steady, worsening and improving habits, and uneven pull on students."""
    last = timeline.last_day
    order = rng.permutation(count)
    poor, worsening, improving = _split(order, STEADY_POOR, WORSENING, IMPROVING)
    before = rng.beta(*ORDINARY_BETA, count)
    after = before.copy()
    bad = rng.uniform(*POOR_RANGE, count)
    before[poor] = after[poor] = bad[poor]
    after[worsening] = bad[worsening]
    before[improving] = bad[improving]
    changes_on = np.full(count, NEVER)
    changes_on[worsening] = last - rng.integers(20, 61, len(worsening))
    changes_on[improving] = last - rng.integers(30, 91, len(improving))
    drift = np.zeros(count, dtype=np.int64)
    drift[worsening], drift[improving] = 1, 2

    experience = np.minimum(rng.gamma(1.8, 3.2, count), 38)
    age = np.minimum(21 + experience + rng.gamma(1.6, 4.0, count), 76).astype(np.int64)
    unreliable = np.maximum(before, after) > POOR_RANGE[0] - 0.05
    quality = 0.85 * rng.standard_normal(count) + 0.2 * np.log1p(experience) - 0.3 - 0.7 * unreliable
    no_show = rng.beta(2, 380, count)
    no_show[unreliable] = rng.uniform(0.02, 0.06, int(unreliable.sum()))

    segment = np.zeros(count, dtype=np.int64)
    new, left, occasional = _split(rng.permutation(count), BRAND_NEW, LEFT, OCCASIONAL)
    segment[new], segment[left], segment[occasional] = 1, 2, 3
    teaches = _subjects(rng, count, subject_count(count), (0.2, 0.35, 0.3, 0.15))
    demand = _within_a_working_day(rng.lognormal(0, 0.75, count), teaches, quality)
    demand[occasional] *= rng.uniform(0.01, 0.06, len(occasional))
    demand[new] *= 2.5  # a platform shows its new tutors first
    hired_on = -rng.integers(20, 2200, count)
    joined = rng.random(count) < 0.08
    hired_on[joined] = rng.integers(0, max(1, last - 30), count)[joined]
    hired_on[new] = last - rng.integers(5, 22, len(new))
    left_on = np.full(count, NEVER)
    left_on[left] = rng.integers(last // 4, max(last, 1), len(left)) + 1

    return Tutors(
        names=_names(rng, count),
        teaches=teaches,
        hired_on=hired_on,
        left_on=left_on,
        segment=segment,
        demand=demand,
        age=age,
        experience_years=experience,
        style=rng.choice(3, count, p=(0.4, 0.3, 0.3)),
        pace=_one_to_five(rng, count),
        communication=_one_to_five(rng, count),
        quality=quality,
        probability_before=before,
        probability_after=after,
        changes_on=changes_on,
        drift=drift,
        no_show_probability=no_show,
    )


def draw_students(rng: np.random.Generator, count: int, tutors: Tutors) -> Students:
    """`count` students, mostly of school age, who want only subjects that somebody teaches."""
    school = rng.normal(14.5, 2.6, count)
    university = rng.normal(21, 2, count)
    adult = rng.gamma(3, 6, count) + 24
    group = rng.choice(3, count, p=(0.72, 0.17, 0.11))
    age = np.clip(np.choose(group, (school, university, adult)), 7, 74).astype(np.int64)
    taught = tutors.teaches.any(axis=0)
    wants = _subjects(rng, count, tutors.teaches.shape[1], (0.3, 0.4, 0.3)) & taught
    wants[~wants.any(axis=1), int(np.argmax(taught))] = True
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
