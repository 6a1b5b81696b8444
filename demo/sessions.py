"""What became of every lesson: held, moved, missed or cancelled; by whom, when and why."""

from dataclasses import dataclass, fields

import numpy as np

from demo.draws import Draws
from demo.lessons import (
    CANCELLED,
    COMPLETED,
    MAX_MOVES,
    NO_SHOW,
    NOBODY,
    RESCHEDULED,
    SCHEDULED,
    STUDENT,
    TUTOR,
    DaysOff,
    Lessons,
    draw_lessons,
    take,
)
from demo.pairs import Pairs
from demo.people import Students, Tutors
from demo.timeline import DAY_SECONDS, FUTURE_DAYS, BoolArray, FloatArray, IntArray, Timeline

NO_TIME = np.iinfo(np.int64).min
RATED = 0.6
FELT_SPREAD = 0.75
WENT_WRONG = (0.03, 1.8)  # share of lessons, and stars off

EARLIEST_MINUTE, LATEST_MINUTE = 6 * 60, 22 * 60
# Nothing is called off before the marketplace opens, on the morning of its first day.
OPENING = 5 * 3600

# Reasons by index into words.REASONS: illness, conflict, emergency, technical, personal, forgotten.
TUTOR_REASONS = (0.14, 0.46, 0.08, 0.11, 0.21, 0.0)
STUDENT_REASONS = (0.35, 0.4, 0.05, 0.05, 0.15, 0.0)
MISSED_REASONS = (0.15, 0.1, 0.05, 0.1, 0.1, 0.5)
TECHNICAL = 3


@dataclass(frozen=True)
class Sessions:
    """Arrays of one entry per session, in order of time. Times are local seconds, NO_TIME where there is none."""

    key: IntArray  # for Draws
    pair: IntArray
    number: IntArray  # 0 for the first lesson of a pair
    scheduled: IntArray
    status: IntArray  # index into STATUSES
    initiator: IntArray  # index into INITIATORS or NOBODY: of a cancellation or no-show
    booked: IntArray
    started: IntArray
    completed: IntArray
    cancelled: IntArray
    rating: IntArray  # 1-5, 0 where not rated
    updated: IntArray
    reason: IntArray  # index into words.REASONS, of what was called off or missed, or NOBODY
    chance: FloatArray  # true chance that the tutor calls it off
    # Of a rescheduled session only:
    moved_by: IntArray
    requested: IntArray
    new_time: IntArray

    def __len__(self) -> int:
        return len(self.pair)

    @property
    def is_final(self) -> BoolArray:
        final: BoolArray = self.status != SCHEDULED
        return final


def draw_sessions(
    draws: Draws, tutors: Tutors, students: Students, pairs: Pairs, days_off: DaysOff, timeline: Timeline
) -> Sessions:
    """All sessions booked by `until`, on the days up to it and the two weeks after it.

    A session that is over at `until` is final, and so is one that was moved or cancelled before; others are
    `scheduled`. Without the moves of sessions ahead, the last days would have fewer moves than all days before them.
    """
    lessons = draw_lessons(draws, tutors, students, pairs, timeline, days_off)
    duration = pairs.duration_minutes[lessons.pair]
    start = lessons.day * DAY_SECONDS + 60 * _lay_out(pairs, lessons, duration, timeline)
    # Ten minutes' grace, within which a lesson may run over.
    is_over = start + (duration + 10) * 60 <= timeline.until
    requested = _requested(draws, lessons, days_off, start)
    booked, requested = _booked(draws, pairs, lessons, start, duration, requested)
    is_called_off = (lessons.status == RESCHEDULED) | (lessons.status == CANCELLED)
    takes_place = is_called_off & (requested < OPENING)
    is_known = is_over | (is_called_off & ~takes_place & (requested <= timeline.until))
    status = np.where(is_known, np.where(takes_place, COMPLETED, lessons.status), SCHEDULED)
    by = np.where(is_known & ~takes_place, lessons.by, NOBODY)

    exists = (booked <= timeline.until) & (lessons.day <= timeline.last_day + FUTURE_DAYS)
    has_parent = lessons.parent >= 0
    for _ in range(MAX_MOVES):  # a lesson that replaces one which was not moved after all does not exist
        parent = lessons.parent[has_parent]
        exists[has_parent] &= exists[parent] & (status[parent] == RESCHEDULED)

    is_moved, is_held = status == RESCHEDULED, status == COMPLETED
    new_time = np.full(len(start), NO_TIME)
    follow_up = np.flatnonzero(has_parent & exists)
    new_time[lessons.parent[follow_up]] = start[follow_up]
    started, completed, rating = _outcome(draws, tutors, students, pairs, lessons, start, duration, is_held)
    rated_at = completed + (draws.exponential("rated", lessons.key) * 3 * 3600).astype(np.int64)
    updated = np.choose(
        status, (booked, np.where(rating > 0, rated_at, completed), requested, requested, start + 20 * 60)
    )
    sessions = Sessions(
        key=lessons.key,
        pair=lessons.pair,
        number=lessons.number,
        scheduled=start,
        status=status,
        initiator=np.where((status == CANCELLED) | (status == NO_SHOW), by, NOBODY),
        booked=booked,
        started=np.where(is_held, started, NO_TIME),
        completed=np.where(is_held, completed, NO_TIME),
        cancelled=np.where(status == CANCELLED, requested, NO_TIME),
        rating=rating,
        updated=np.minimum(updated, timeline.until),
        reason=_reasons(draws, lessons, days_off, status, by),
        chance=lessons.chance,
        moved_by=np.where(is_moved, by, NOBODY),
        requested=np.where(is_moved, requested, NO_TIME),
        new_time=new_time,
    )
    kept = np.flatnonzero(exists)
    kept = kept[np.argsort(start[kept], kind="stable")]
    return Sessions(*(getattr(sessions, field.name)[kept] for field in fields(Sessions)))


def _lay_out(pairs: Pairs, lessons: Lessons, duration: IntArray, timeline: Timeline) -> IntArray:
    """Start in minutes after midnight, near the wish and such that a tutor's lessons of a day do not overlap.

    Forward, a lesson waits for the end of the one before; then whole days that run late are pulled back.
    """
    if not len(duration):
        return duration
    tutor_day = pairs.tutor[lessons.pair] * (timeline.horizon + 1) + lessons.day
    order = np.lexsort((lessons.minute, tutor_day))
    length, wish = duration[order], lessons.minute[order]
    starts_segment = np.r_[True, np.diff(tutor_day[order]) != 0]
    segment = np.cumsum(starts_segment) - 1
    total = np.cumsum(length)
    before_segment = (total - length)[starts_segment]
    busy_before = total - length - before_segment[segment]
    # A running maximum per segment: segments are lifted far enough apart not to see each other.
    lift = segment * 1_000_000
    start = np.maximum.accumulate(wish - busy_before + lift) - lift + busy_before
    after_segment = np.r_[before_segment[1:], total[-1]]
    still_to_teach = after_segment[segment] - (total - length)
    start = np.maximum(np.minimum(start, LATEST_MINUTE - still_to_teach), EARLIEST_MINUTE)
    result: IntArray = np.empty_like(start)
    result[order] = start
    return result


def _requested(draws: Draws, lessons: Lessons, days_off: DaysOff, start: IntArray) -> IntArray:
    """When a lesson was called off; without meaning for others. Unreliable tutors give less notice."""
    key = lessons.key
    median_hours = np.where((lessons.by == TUTOR) & (lessons.chance > 0.15), 16.0, 30.0)
    notice = np.clip(median_hours * np.exp(1.15 * draws.normal("notice", key)), 0.4, 12 * 24)
    requested = start - (notice * 3600).astype(np.int64)
    # Nobody writes at night: what would fall there was sent the evening before.
    second_of_day = requested % DAY_SECONDS
    night = second_of_day < 6.5 * 3600
    requested = requested - np.where(night, second_of_day + draws.between("evening", key, 1800, 3 * 3600), 0)
    called = (
        take(days_off.first_day, lessons.day_off) * DAY_SECONDS
        + take(days_off.called_minute, lessons.day_off) * 60
        + draws.between("called", key, 0, 1200)
    )
    asked: IntArray = np.where(lessons.day_off >= 0, np.minimum(called, start - 900), requested)
    return asked


def _booked(
    draws: Draws, pairs: Pairs, lessons: Lessons, start: IntArray, duration: IntArray, requested: IntArray
) -> tuple[IntArray, IntArray]:
    """Booking times, and `requested` put between booking and start.

    A first lesson is booked days ahead, the regular ones in blocks of some weeks once the first is over,
    a follow-up right after the request that made it necessary.
    """
    key = lessons.key
    is_regular = lessons.parent < 0
    first = is_regular & (lessons.number == 0)
    first_start = np.zeros(len(pairs), dtype=np.int64)
    first_start[lessons.pair[first]] = start[first]
    lead = np.where(
        first,
        (pairs.lead_hours[lessons.pair] * 3600).astype(np.int64),
        draws.between("lead", key, 7, 29) * DAY_SECONDS,
    )
    booked = start - lead - draws.between("booked", key, 0, 3600)
    after_first = first_start[lessons.pair] + duration * 60 + draws.between("after first", key, 900, 10 * 3600)
    booked = np.where(first, booked, np.minimum(np.maximum(booked, after_first), start - 3600))
    requested = requested.copy()
    rows = np.flatnonzero(is_regular)
    for _ in range(MAX_MOVES + 1):
        requested[rows] = np.clip(requested[rows], booked[rows] + 300, start[rows] - 300)
        is_parent = np.zeros(len(start), dtype=bool)
        is_parent[rows] = True
        rows = np.flatnonzero(~is_regular & is_parent[lessons.parent])
        booked[rows] = requested[lessons.parent[rows]] + draws.between("booked", key[rows], 30, 240)
    return booked, requested


def _outcome(
    draws: Draws,
    tutors: Tutors,
    students: Students,
    pairs: Pairs,
    lessons: Lessons,
    start: IntArray,
    duration: IntArray,
    is_held: BoolArray,
) -> tuple[IntArray, IntArray, IntArray]:
    """When a completed lesson began and ended, and its stars (0 = not rated, as all that were not completed)."""
    key, tutor = lessons.key, pairs.tutor[lessons.pair]
    is_late = draws.uniform("late", key) < tutors.habits.late[tutor, lessons.day]
    minutes_late = np.minimum(6 + 7 * draws.exponential("minutes late", key), duration / 2)
    started = start + np.where(is_late, (minutes_late * 60).astype(np.int64), draws.between("start", key, -180, 280))
    completed = start + duration * 60 + np.clip(60 + 120 * draws.normal("end", key), -420, 540).astype(np.int64)
    felt = 4.4 + 0.28 * tutors.quality[tutor] + 0.12 * students.loyalty[pairs.student[lessons.pair]]
    felt += tutors.habits.stars[tutor] + FELT_SPREAD * draws.normal("stars", key)
    felt -= WENT_WRONG[1] * (draws.uniform("went wrong", key) < WENT_WRONG[0])
    rating = np.clip(np.rint(felt), 1, 5).astype(np.int64)
    return started, completed, np.where(is_held & (draws.uniform("rated at all", key) < RATED), rating, 0)


def _reasons(draws: Draws, lessons: Lessons, days_off: DaysOff, status: IntArray, by: IntArray) -> IntArray:
    of_tutor = draws.pick("reason of tutor", lessons.key, TUTOR_REASONS)
    of_tutor = np.where(lessons.day_off >= 0, take(days_off.reason, lessons.day_off), of_tutor)
    of_student = draws.pick("reason of student", lessons.key, STUDENT_REASONS)
    of_student = np.where(status == NO_SHOW, draws.pick("reason of a miss", lessons.key, MISSED_REASONS), of_student)
    reason = np.where(by == TUTOR, of_tutor, np.where(by == STUDENT, of_student, TECHNICAL))
    return np.where(by == NOBODY, NOBODY, reason)
