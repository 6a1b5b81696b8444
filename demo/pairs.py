"""Who teaches whom: a student looks for a tutor per subject, stays or leaves, and looks again."""

from dataclasses import dataclass, fields

import numpy as np

from demo.people import Students, Tutors
from demo.timeline import WEEKDAY_WEIGHTS, BoolArray, FloatArray, IntArray, Timeline

# A student has a third of a session a day while there are enough tutors, who give five a day on average.
SESSIONS_PER_STUDENT_DAY = 1 / 3
SESSIONS_PER_TUTOR_DAY = 5.0
# Sessions a week of one pair: 1, 2 or 3.
FREQUENCY_WEIGHTS = (0.28, 0.42, 0.30)
# About as many weekly sessions as one search of a student brings, from which the number of searches follows.
WEEKLY_SESSIONS = 1.15

# Of the students who come with the opening, those who are there on its first day.
OPENING_SHARE = 0.45

CONTINUE_INTERCEPT = 2.66
MEAN_FURTHER_LESSONS = 24.0
# Between two tutors of a subject most students search for days, some pause for months.
PAUSE_PROBABILITY = 0.10
MEAN_SEARCH_DAYS, MEAN_PAUSE_DAYS = 6.0, 90.0

DURATIONS = np.array([30, 45, 60, 90])
WEEKDAY_HOURS = np.array(
    [0, 0, 0, 0, 0, 0, 0, 0, 5, 8, 12, 12, 15, 25, 70, 140, 190, 190, 150, 110, 60, 13, 0, 0], dtype=float
)
WEEKEND_HOURS = np.array(
    [0, 0, 0, 0, 0, 0, 0, 0, 10, 90, 160, 160, 90, 80, 110, 110, 90, 60, 30, 10, 0, 0, 0, 0], dtype=float
)


@dataclass(frozen=True)
class Pairs:
    """Arrays of one entry per student and tutor who agreed on lessons."""

    student: IntArray
    tutor: IntArray
    subject: IntArray
    first_day: IntArray
    frequency: IntArray  # lessons a week
    offsets: IntArray  # (pairs, 3): days from first_day to the lessons of the first week, the first being 0
    lessons: IntArray  # planned, before pauses
    continue_probability: FloatArray
    weekday_minute: IntArray  # usual start, minutes after midnight
    weekend_minute: IntArray
    duration_minutes: IntArray
    lead_hours: FloatArray  # from booking to the first lesson

    def __len__(self) -> int:
        return len(self.student)


@dataclass(frozen=True)
class _Searches:
    """Students looking for a tutor of a subject from a day on."""

    student: IntArray
    subject: IntArray
    day: IntArray

    def __getitem__(self, chosen: IntArray | BoolArray) -> "_Searches":
        return _Searches(self.student[chosen], self.subject[chosen], self.day[chosen])


def draw_pairs(rng: np.random.Generator, tutors: Tutors, students: Students, timeline: Timeline) -> Pairs:
    """All pairs that begin on a day of the timeline, in no particular order; no pair occurs twice."""
    searches = _first_searches(rng, tutors, students, timeline)
    known = np.empty(0, dtype=np.int64)
    rounds = []
    while len(searches.student):
        tutor = _choose_tutors(rng, tutors, searches, known)
        found = tutor >= 0
        searches, tutor = searches[found], tutor[found]
        known = np.union1d(known, searches.student * len(tutors) + tutor)
        pairs = _agree(rng, tutors, students, searches, tutor, timeline)
        rounds.append(pairs)
        last_lesson = pairs.lessons - 1
        ends_on = (
            pairs.first_day
            + pairs.offsets[np.arange(len(pairs)), last_lesson % pairs.frequency]
            + 7 * (last_lesson // pairs.frequency)
        )
        pauses = rng.random(len(pairs)) < PAUSE_PROBABILITY
        gap_days = rng.exponential(np.where(pauses, MEAN_PAUSE_DAYS, MEAN_SEARCH_DAYS))
        again_on = ends_on + 2 + gap_days.astype(np.int64)
        searches = _Searches(pairs.student, pairs.subject, again_on)[again_on <= timeline.horizon]
    if not rounds:
        rounds = [_agree(rng, tutors, students, searches, known, timeline)]
    return Pairs(*(np.concatenate([getattr(part, field.name) for part in rounds]) for field in fields(Pairs)))


def mismatches(tutors: Tutors, students: Students, tutor: IntArray, student: IntArray) -> tuple[FloatArray, ...]:
    """Pace |Δ| 0-4, style 0/0.5/1 (half if either is flexible), communication |Δ| 0-4 and age |Δ| in years."""
    pace = np.abs(tutors.pace[tutor] - students.pace[student]).astype(float)
    one, other = tutors.style[tutor], students.style[student]
    style = np.where(one == other, 0.0, np.where((one == 1) | (other == 1), 0.5, 1.0))
    communication = np.abs(tutors.communication[tutor] - students.communication[student]).astype(float)
    age = np.abs(tutors.age[tutor] - students.age[student]).astype(float)
    return pace, style, communication, age


def _first_searches(rng: np.random.Generator, tutors: Tutors, students: Students, timeline: Timeline) -> _Searches:
    """The marketplace opens with a wave of students over its first days and weeks; others follow all the time.

    Without those of the first days, the first week would have a handful of sessions, and a rate made of chance.
    """
    student, subject = np.nonzero(students.wants)
    sessions_per_day = daily_target(len(tutors), len(students))
    needed = min(len(student), round(sessions_per_day * 7 / WEEKLY_SESSIONS))
    chosen = np.sort(rng.permutation(len(student))[:needed])
    opening_days = min(30.0, (timeline.this_monday + 7) / 6)
    early = opening_days * rng.beta(1, 1.6, needed)
    early = np.where(rng.random(needed) < OPENING_SHARE, 0.0, early)
    later = rng.uniform(0, timeline.horizon, needed)
    day = np.where(rng.random(needed) < 0.78, early, later).astype(np.int64)
    return _Searches(student[chosen], subject[chosen], day)


def daily_target(tutors: int, students: int) -> float:
    """Sessions a day that the marketplace is meant to have."""
    return min(students * SESSIONS_PER_STUDENT_DAY, tutors * SESSIONS_PER_TUTOR_DAY)


def _choose_tutors(rng: np.random.Generator, tutors: Tutors, searches: _Searches, known: IntArray) -> IntArray:
    """A tutor of the subject who is there on the day and new to the student, by demand; -1 where none was found."""
    chosen = np.full(len(searches.student), -1)
    open_ = np.arange(len(chosen))
    for _ in range(12):
        if not len(open_):
            break
        tries = np.empty(len(open_), dtype=np.int64)
        subject = searches.subject[open_]
        for one in np.unique(subject):
            teaching = np.flatnonzero(tutors.teaches[:, one])
            cumulated = np.cumsum(tutors.demand[teaching])
            here = np.flatnonzero(subject == one)
            picks = np.searchsorted(cumulated, rng.random(len(here)) * cumulated[-1])
            tries[here] = teaching[np.minimum(picks, len(teaching) - 1)]
        day = searches.day[open_]
        key = searches.student[open_] * len(tutors) + tries
        # Two searches of one student may meet the same tutor in this very round: the first one has him.
        first_of_key = np.zeros(len(key), dtype=bool)
        first_of_key[np.unique(key, return_index=True)[1]] = True
        fits = (tutors.hired_on[tries] < day) & (tutors.closed_on[tries] > day) & first_of_key & ~np.isin(key, known)
        chosen[open_[fits]] = tries[fits]
        known = np.concatenate([known, key[fits]])
        open_ = open_[~fits]
    return chosen


def _agree(
    rng: np.random.Generator,
    tutors: Tutors,
    students: Students,
    searches: _Searches,
    tutor: IntArray,
    timeline: Timeline,
) -> Pairs:
    """Lesson days and hours of new pairs, and how long each goes on."""
    count = len(tutor)
    student = searches.student
    pace, style, communication, age = mismatches(tutors, students, tutor, student)
    # Who is in a hurry minds the wrong pace more; the young mind the wrong style more.
    burden = (
        0.26 * pace * np.where(students.urgency[student] >= 4, 1.5, 0.9)
        + 0.55 * style * np.where(students.age[student] < 14, 1.4, 0.9)
        + 0.20 * communication
        + 0.014 * np.minimum(age, 50)
    )
    lead_hours = np.clip(rng.lognormal(np.log(60), 0.8, count), 2, 21 * 24)
    liking = 0.65 * tutors.quality[tutor] + 0.5 * students.loyalty[student]
    logit = CONTINUE_INTERCEPT + liking - burden - 0.002 * (lead_hours - 60)
    logit += tutors.habits.first_session_logit[tutor]
    continue_probability = 1 / (1 + np.exp(-logit))
    goes_on = rng.random(count) < continue_probability
    ending = np.clip(np.exp(-0.3 * liking + 0.2 * (burden - 1.2)) / MEAN_FURTHER_LESSONS, 0.005, 0.5)
    lessons = np.where(goes_on, 1 + rng.geometric(ending), 1)

    frequency = rng.choice(3, count, p=FREQUENCY_WEIGHTS) + 1
    offsets = _lesson_days(rng, searches.day, frequency, timeline)
    first_day = searches.day + offsets[:, 0]
    weeks_left = np.maximum(timeline.horizon - first_day, 0) // 7 + 1
    return Pairs(
        student=student,
        tutor=tutor,
        subject=searches.subject,
        first_day=first_day,
        frequency=frequency,
        offsets=offsets - offsets[:, :1],
        lessons=np.minimum(lessons, frequency * weeks_left),
        continue_probability=continue_probability,
        weekday_minute=_usual_minute(rng, count, WEEKDAY_HOURS),
        weekend_minute=_usual_minute(rng, count, WEEKEND_HOURS),
        duration_minutes=DURATIONS[rng.choice(4, count, p=(0.1, 0.2, 0.55, 0.15))],
        lead_hours=lead_hours,
    )


def _lesson_days(rng: np.random.Generator, day: IntArray, frequency: IntArray, timeline: Timeline) -> IntArray:
    """(pairs, 3): ascending days after `day` of the weekly lessons; columns beyond the frequency are not used."""
    score = np.log(WEEKDAY_WEIGHTS) + rng.gumbel(size=(len(day), 7))
    weekdays = np.argsort(-score, axis=1)[:, :3]
    ahead = (weekdays - timeline.weekday(day)[:, np.newaxis]) % 7
    ahead[np.arange(3) >= frequency[:, np.newaxis]] = 99
    return np.sort(ahead, axis=1)


def _usual_minute(rng: np.random.Generator, count: int, hours: FloatArray) -> IntArray:
    hour = rng.choice(24, count, p=hours / hours.sum())
    quarter = rng.choice(4, count, p=(0.66, 0.04, 0.26, 0.04))
    minute: IntArray = hour * 60 + quarter * 15
    return minute
