"""What became of every lesson: held, moved, missed or cancelled; by whom, when and why."""

from dataclasses import dataclass, fields

import numpy as np

from demo.pairs import Pairs, daily_target
from demo.people import BURST_LENGTHS, BURST_REACH, BURST_SHARE, Students, Tutors
from demo.timeline import DAY_SECONDS, BoolArray, FloatArray, IntArray, Timeline

STATUSES = ("scheduled", "completed", "rescheduled", "cancelled", "no_show")
SCHEDULED, COMPLETED, RESCHEDULED, CANCELLED, NO_SHOW = range(5)
INITIATORS = ("tutor", "student", "platform")
TUTOR, STUDENT, PLATFORM = range(3)
NOBODY = -1
NO_TIME = np.iinfo(np.int64).min

# Chances of a session that the tutor does not move.
OTHER_RESCHEDULE = (0.0020, 0.0006)  # by the student, by the platform
STUDENT_NO_SHOW = 0.012
CANCELLED_SHARE = 0.034
CANCELLED_BY = (0.14, 0.80, 0.06)
NEW_TIME_AGREED = 0.9
RATED = 0.6

LESSONS_A_DAY = 11
EARLIEST_MINUTE, LATEST_MINUTE = 6 * 60, 22 * 60
# A follow-up may be moved again; beyond this many times the lesson is given up.
MAX_MOVES = 4

# Reasons by index into words.REASONS: illness, conflict, emergency, technical, personal.
TUTOR_REASONS = (0.14, 0.46, 0.08, 0.11, 0.21)
BURST_REASONS = (0.65, 0.0, 0.2, 0.0, 0.15)
STUDENT_REASONS = (0.35, 0.4, 0.05, 0.05, 0.15)
TECHNICAL = 3


@dataclass(frozen=True)
class Sessions:
    """Arrays of one entry per session, in order of time. Times are local seconds, NO_TIME where there is none."""

    pair: IntArray
    scheduled: IntArray
    status: IntArray  # index into STATUSES
    initiator: IntArray  # index into INITIATORS or NOBODY: of a cancellation or no-show
    booked: IntArray
    completed: IntArray
    cancelled: IntArray
    rating: IntArray  # 1-5, 0 where not rated
    updated: IntArray
    # Of a rescheduled session only:
    moved_by: IntArray
    reason: IntArray
    requested: IntArray
    new_time: IntArray

    def __len__(self) -> int:
        return len(self.pair)

    @property
    def is_final(self) -> BoolArray:
        final: BoolArray = self.status != SCHEDULED
        return final


@dataclass(frozen=True)
class _Bursts:
    """Stretches of days on which a tutor moves nearly everything for one reason."""

    of_day: IntArray  # (tutors, days): index of the burst or -1
    first_day: IntArray
    end_day: IntArray  # first day after it
    reason: IntArray
    called_minute: IntArray  # when the tutor calls off, minutes after midnight of first_day


@dataclass(frozen=True)
class _Lessons:
    """Lessons as planned, and what was drawn for them. `parent` is the row this one replaces, or -1."""

    pair: IntArray
    number: IntArray  # 0 for the first lesson of a pair
    day: IntArray
    minute: IntArray  # wished start
    parent: IntArray
    status: IntArray
    by: IntArray
    burst: IntArray


def draw_sessions(
    rng: np.random.Generator, tutors: Tutors, students: Students, pairs: Pairs, timeline: Timeline
) -> Sessions:
    """All sessions booked by `until`, on the days of the timeline and the two weeks after it.

    A session that is over at `until` is final, and so is one that was moved before; others are `scheduled`. Without
    the moves of sessions ahead, the last days would have fewer moves than all days before them.
    """
    bursts = _draw_bursts(rng, tutors, timeline)
    lessons = _draw_lessons(rng, tutors, students, pairs, timeline, bursts)
    duration = pairs.duration_minutes[lessons.pair]
    start = lessons.day * DAY_SECONDS + 60 * _lay_out(pairs, lessons, duration, timeline)
    # Ten minutes' grace, within which a lesson may run over.
    is_over = start + (duration + 10) * 60 <= timeline.until
    requested = _requested(rng, tutors, pairs, lessons, bursts, start)
    booked, requested = _booked(rng, pairs, lessons, start, duration, requested)
    is_known = is_over | ((lessons.status == RESCHEDULED) & (requested <= timeline.until))
    status = np.where(is_known, lessons.status, SCHEDULED)
    by = np.where(is_known, lessons.by, NOBODY)

    exists = booked <= timeline.until
    has_parent = lessons.parent >= 0
    for _ in range(MAX_MOVES):  # a lesson that replaces one which was not moved after all does not exist
        parent = lessons.parent[has_parent]
        exists[has_parent] &= exists[parent] & (status[parent] == RESCHEDULED)

    is_moved = status == RESCHEDULED
    new_time = np.full(len(start), NO_TIME)
    follow_up = np.flatnonzero(has_parent & exists)
    new_time[lessons.parent[follow_up]] = start[follow_up]
    completed, rating = _outcome(rng, tutors, students, pairs, lessons, start, duration, status)
    cancelled_at = np.maximum(start - (rng.lognormal(np.log(20), 1.0, len(start)) * 3600).astype(np.int64), booked)
    rated_at = completed + (rng.exponential(3, len(start)) * 3600).astype(np.int64)
    updated = np.choose(
        status, (booked, np.where(rating > 0, rated_at, completed), requested, cancelled_at, start + 20 * 60)
    )
    sessions = Sessions(
        pair=lessons.pair,
        scheduled=start,
        status=status,
        initiator=np.where((status == CANCELLED) | (status == NO_SHOW), by, NOBODY),
        booked=booked,
        completed=np.where(status == COMPLETED, completed, NO_TIME),
        cancelled=np.where(status == CANCELLED, cancelled_at, NO_TIME),
        rating=rating,
        updated=np.minimum(updated, timeline.until),
        moved_by=np.where(is_moved, by, NOBODY),
        reason=_reasons(rng, lessons, bursts, by),
        requested=np.where(is_moved, requested, NO_TIME),
        new_time=new_time,
    )
    kept = np.flatnonzero(exists)
    kept = kept[np.argsort(start[kept], kind="stable")]
    return Sessions(*(getattr(sessions, field.name)[kept] for field in fields(Sessions)))


def _draw_bursts(rng: np.random.Generator, tutors: Tutors, timeline: Timeline) -> _Bursts:
    """Bursts begin by chance, as often as the tutor's share of burst days needs."""
    longest = len(BURST_LENGTHS)
    tail = np.cumsum(BURST_LENGTHS[::-1])[::-1]  # chance of a length of at least 1, 2, … days
    days = np.arange(-longest, timeline.days)
    everyone = np.arange(len(tutors))
    probability = tutors.reschedule_probability(everyone[:, np.newaxis], days[np.newaxis, :])
    covered = BURST_SHARE * probability / BURST_REACH
    begins = covered / tail.sum()
    for _ in range(4):  # bursts overlap a little: raise the rate until the covered share is exact
        begins *= covered / (1 - np.prod(1 - begins[..., np.newaxis] * tail, axis=-1))
    tutor, at = np.nonzero(rng.random(begins.shape) < begins)
    first_day = days[at]
    length = rng.choice(longest, len(tutor), p=BURST_LENGTHS) + 1
    of_day = np.full((len(tutors), timeline.days), -1)
    for ahead in range(longest):
        day = first_day + ahead
        inside = (ahead < length) & (day >= 0) & (day < timeline.days)
        of_day[tutor[inside], day[inside]] = np.flatnonzero(inside)
    return _Bursts(
        of_day=of_day,
        first_day=first_day,
        end_day=first_day + length,
        reason=rng.choice(len(BURST_REASONS), len(tutor), p=BURST_REASONS),
        called_minute=rng.integers(6 * 60 + 30, 9 * 60, len(tutor)),
    )


def _draw_lessons(
    rng: np.random.Generator, tutors: Tutors, students: Students, pairs: Pairs, timeline: Timeline, bursts: _Bursts
) -> _Lessons:
    """Regular lessons less the weeks off, then the follow-ups of what was moved, and theirs in turn."""
    pair = np.repeat(np.arange(len(pairs)), pairs.lessons)
    number = np.arange(len(pair)) - np.repeat(np.cumsum(pairs.lessons) - pairs.lessons, pairs.lessons)
    frequency = pairs.frequency[pair]
    day = pairs.first_day[pair] + pairs.offsets[pair, number % frequency] + 7 * (number // frequency)
    there = (day <= timeline.horizon) & (day < tutors.left_on[pairs.tutor[pair]])
    pair, number, day = pair[there], number[there], day[there]
    held = _held(rng, number, day, daily_target(len(tutors), len(students)), timeline)
    pair, number, day = pair[held], number[held], day[held]
    fits = _fits_into_day(rng, pairs.tutor[pair] * (timeline.horizon + 1) + day, number)
    pair, number, day = pair[fits], number[fits], day[fits]
    minute = np.where(timeline.weekday(day) < 5, pairs.weekday_minute[pair], pairs.weekend_minute[pair])
    minute = minute + rng.choice([-60, -30, 0, 30, 60], len(day), p=(0.02, 0.02, 0.92, 0.02, 0.02))

    generation = _decide(rng, tutors, pairs, timeline, bursts, pair, number, day, minute, np.full(len(pair), -1))
    generations = [generation]
    rows_before = 0
    for _ in range(MAX_MOVES):
        moved = np.flatnonzero(generation.status == RESCHEDULED)
        moved = moved[rng.random(len(moved)) < NEW_TIME_AGREED]
        burst = generation.burst[moved]
        free_from = np.where(burst >= 0, _take(bursts.end_day, burst) - 1, generation.day[moved])
        wait = rng.choice(7, len(moved), p=(0.25, 0.25, 0.17, 0.12, 0.08, 0.05, 0.08)) + 1
        day = np.maximum(free_from, generation.day[moved]) + wait
        day += (timeline.weekday(day) == 6) & (rng.random(len(day)) < 0.6)
        pair = generation.pair[moved]
        kept = (day < tutors.left_on[pairs.tutor[pair]]) & (day <= timeline.horizon)
        moved, pair, day = moved[kept], pair[kept], day[kept]
        minute = np.where(timeline.weekday(day) < 5, pairs.weekday_minute[pair], pairs.weekend_minute[pair])
        minute = minute + rng.choice([-90, -60, -30, 0, 30, 60], len(day))
        parent = moved + rows_before
        rows_before += len(generation.pair)
        generation = _decide(rng, tutors, pairs, timeline, bursts, pair, generation.number[moved], day, minute, parent)
        generations.append(generation)
    return _Lessons(*(np.concatenate([getattr(part, f.name) for part in generations]) for f in fields(_Lessons)))


def _held(rng: np.random.Generator, number: IntArray, day: IntArray, target: float, timeline: Timeline) -> BoolArray:
    """Which regular lessons take place: first ones always, the others with the season, up to the daily target."""
    past = day <= timeline.last_day
    season = timeline.season[day]
    later = number > 0
    # Follow-ups of moved sessions come on top: about an eighth.
    wanted = target * timeline.days / 1.125 - np.count_nonzero(past & ~later)
    planned = float(season[past & later].sum())
    level = np.clip(wanted / planned, 0.5, 0.92) if planned else 0.92
    return ~later | (rng.random(len(day)) < np.minimum(level * season, 0.98))


def _fits_into_day(rng: np.random.Generator, tutor_day: IntArray, number: IntArray) -> BoolArray:
    """Which lessons a tutor's day has room for: first ones always, of the others as many as a long day holds."""
    order = np.lexsort((rng.random(len(number)), number > 0, tutor_day))
    _, first_place, size = np.unique(tutor_day[order], return_index=True, return_counts=True)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(first_place, size)
    fits: BoolArray = (place < LESSONS_A_DAY) | (number == 0)
    return fits


def _decide(
    rng: np.random.Generator,
    tutors: Tutors,
    pairs: Pairs,
    timeline: Timeline,
    bursts: _Bursts,
    pair: IntArray,
    number: IntArray,
    day: IntArray,
    minute: IntArray,
    parent: IntArray,
) -> _Lessons:
    """Status and who caused it; lessons after the last day are moved by single decisions or stay scheduled."""
    count = len(pair)
    tutor = pairs.tutor[pair]
    past = day <= timeline.last_day
    burst = np.where(past, bursts.of_day[tutor, np.minimum(day, timeline.last_day)], -1)
    probability = tutors.reschedule_probability(tutor, day)
    # Bursts and single moves together make the tutor's probability.
    single = 1 - (1 - probability) / (1 - BURST_SHARE * probability)
    in_burst = (burst >= 0) & (rng.random(count) < BURST_REACH)
    by_tutor = in_burst | (rng.random(count) < single)
    chance = rng.random(count)
    chances = [
        np.full(count, OTHER_RESCHEDULE[0]),
        np.full(count, OTHER_RESCHEDULE[1]),
        tutors.no_show_probability[tutor],
        np.full(count, STUDENT_NO_SHOW),
        np.full(count, CANCELLED_SHARE),
    ]
    limits = np.cumsum(chances, axis=0)
    event = (chance >= limits).sum(axis=0)
    status = np.array([RESCHEDULED, RESCHEDULED, NO_SHOW, NO_SHOW, CANCELLED, COMPLETED])[event]
    by = np.array([STUDENT, PLATFORM, TUTOR, STUDENT, NOBODY, NOBODY])[event]
    by = np.where(event == 4, rng.choice(3, count, p=CANCELLED_BY), by)
    status, by = np.where(by_tutor, RESCHEDULED, status), np.where(by_tutor, TUTOR, by)
    return _Lessons(
        pair=pair,
        number=number,
        day=day,
        minute=minute,
        parent=parent,
        status=np.where(past | (status == RESCHEDULED), status, SCHEDULED),
        by=np.where(past | (status == RESCHEDULED), by, NOBODY),
        burst=np.where(in_burst, burst, -1),
    )


def _lay_out(pairs: Pairs, lessons: _Lessons, duration: IntArray, timeline: Timeline) -> IntArray:
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


def _requested(
    rng: np.random.Generator,
    tutors: Tutors,
    pairs: Pairs,
    lessons: _Lessons,
    bursts: _Bursts,
    start: IntArray,
) -> IntArray:
    """When a move was asked for; without meaning for other sessions. Unreliable tutors give less notice."""
    probability = tutors.reschedule_probability(pairs.tutor[lessons.pair], lessons.day)
    median_hours = np.where((lessons.by == TUTOR) & (probability > 0.15), 16.0, 30.0)
    notice = np.clip(median_hours * rng.lognormal(0, 1.15, len(start)), 0.4, 12 * 24)
    requested = start - (notice * 3600).astype(np.int64)
    # Nobody writes at night: what would fall there was sent the evening before.
    second_of_day = requested % DAY_SECONDS
    night = second_of_day < 6.5 * 3600
    requested = requested - np.where(night, second_of_day + rng.integers(1800, 3 * 3600, len(start)), 0)
    in_burst = lessons.burst >= 0
    called = (
        _take(bursts.first_day, lessons.burst) * DAY_SECONDS
        + _take(bursts.called_minute, lessons.burst) * 60
        + rng.integers(0, 1200, len(start))
    )
    return np.where(in_burst, np.minimum(called, start - 900), requested)


def _booked(
    rng: np.random.Generator, pairs: Pairs, lessons: _Lessons, start: IntArray, duration: IntArray, requested: IntArray
) -> tuple[IntArray, IntArray]:
    """Booking times, and `requested` put between booking and start.

    A first lesson is booked days ahead, the regular ones in blocks of some weeks once the first is over,
    a follow-up right after the request that made it necessary.
    """
    count = len(start)
    is_regular = lessons.parent < 0
    first = is_regular & (lessons.number == 0)
    first_start = np.zeros(len(pairs), dtype=np.int64)
    first_start[lessons.pair[first]] = start[first]
    lead = np.where(
        first, (pairs.lead_hours[lessons.pair] * 3600).astype(np.int64), rng.integers(7, 29, count) * DAY_SECONDS
    )
    booked = start - lead - rng.integers(0, 3600, count)
    after_first = first_start[lessons.pair] + duration * 60 + rng.integers(900, 10 * 3600, count)
    booked = np.where(first, booked, np.minimum(np.maximum(booked, after_first), start - 3600))
    requested = requested.copy()
    rows = np.flatnonzero(is_regular)
    for _ in range(MAX_MOVES + 1):
        requested[rows] = np.clip(requested[rows], booked[rows] + 300, start[rows] - 300)
        is_parent = np.zeros(count, dtype=bool)
        is_parent[rows] = True
        rows = np.flatnonzero(~is_regular & is_parent[lessons.parent])
        booked[rows] = requested[lessons.parent[rows]] + rng.integers(30, 240, len(rows))
    return booked, requested


def _outcome(
    rng: np.random.Generator,
    tutors: Tutors,
    students: Students,
    pairs: Pairs,
    lessons: _Lessons,
    start: IntArray,
    duration: IntArray,
    status: IntArray,
) -> tuple[IntArray, IntArray]:
    """When a completed lesson ended, and its stars (0 = not rated, as all that were not completed)."""
    count = len(start)
    completed = start + duration * 60 + np.clip(rng.normal(60, 120, count), -420, 540).astype(np.int64)
    quality = tutors.quality[pairs.tutor[lessons.pair]]
    felt = 4.4 + 0.28 * quality + 0.12 * students.loyalty[pairs.student[lessons.pair]] + rng.normal(0, 0.75, count)
    felt -= 1.8 * (rng.random(count) < 0.03)  # a lesson that went wrong
    rating = np.clip(np.rint(felt), 1, 5).astype(np.int64)
    return completed, np.where((status == COMPLETED) & (rng.random(count) < RATED), rating, 0)


def _reasons(rng: np.random.Generator, lessons: _Lessons, bursts: _Bursts, by: IntArray) -> IntArray:
    count = len(by)
    of_tutor = rng.choice(len(TUTOR_REASONS), count, p=TUTOR_REASONS)
    of_tutor = np.where(lessons.burst >= 0, _take(bursts.reason, lessons.burst), of_tutor)
    of_student = rng.choice(len(STUDENT_REASONS), count, p=STUDENT_REASONS)
    return np.where(by == TUTOR, of_tutor, np.where(by == STUDENT, of_student, TECHNICAL))


def _take(values: IntArray, index: IntArray) -> IntArray:
    """`values[index]`, and 0 where the index is -1."""
    taken: IntArray = np.append(values, 0)[index]
    return taken


def true_probability(tutors: Tutors, pairs: Pairs, sessions: Sessions, timeline: Timeline, days: int) -> FloatArray:
    """Mean true reschedule probability of a tutor's final sessions of the last `days` days; NaN without any."""
    day = sessions.scheduled // DAY_SECONDS
    recent = sessions.is_final & (day > timeline.last_day - days) & (day <= timeline.last_day)
    tutor = pairs.tutor[sessions.pair[recent]]
    total = np.bincount(tutor, tutors.reschedule_probability(tutor, day[recent]), minlength=len(tutors))
    count = np.bincount(tutor, minlength=len(tutors))
    mean: FloatArray = np.divide(total, count, out=np.full(len(tutors), np.nan), where=count > 0)
    return mean
