"""Lessons as planned: regular ones, those that replace what was moved, and what is drawn for each of them."""

from dataclasses import dataclass, fields

import numpy as np

from demo.draws import Draws
from demo.pairs import Pairs, daily_target
from demo.people import Students, Tutors
from demo.timeline import BoolArray, FloatArray, IntArray, Timeline

STATUSES = ("scheduled", "completed", "rescheduled", "cancelled", "no_show")
SCHEDULED, COMPLETED, RESCHEDULED, CANCELLED, NO_SHOW = range(5)
INITIATORS = ("tutor", "student", "platform")
TUTOR, STUDENT, PLATFORM = range(3)
NOBODY = -1

# Chances of a session that the tutor neither moves nor cancels: moved by the student, by the platform; cancelled.
OTHER_RESCHEDULE = (0.0020, 0.0006)
OTHER_CANCELLED = 0.028
CANCELLED_BY = (0.0, 0.93, 0.07)
NEW_TIME_AGREED = 0.9

# A part of what a tutor calls off comes in days off: a day or more on which nearly every session goes.
BURST_SHARE = 0.16
BURST_REACH = 0.9
BURST_LENGTHS = np.array([0.60, 0.27, 0.10, 0.005, 0.005, 0.005, 0.005, 0.010])
# Reasons by index into words.REASONS: illness, conflict, emergency, technical, personal.
BURST_REASONS = (0.65, 0.0, 0.2, 0.0, 0.15)

LESSONS_A_DAY = 11
# A follow-up may be moved again; beyond this many times the lesson is given up.
MAX_MOVES = 4


@dataclass(frozen=True)
class DaysOff:
    """Stretches of days on which a tutor calls off nearly everything for one reason."""

    of_day: IntArray  # (tutors, days): index of the stretch or -1
    tutor: IntArray
    first_day: IntArray
    end_day: IntArray  # first day after it
    reason: IntArray
    called_minute: IntArray  # when the tutor calls off, minutes after midnight of first_day


@dataclass(frozen=True)
class Lessons:
    """What was drawn for each lesson of the timeline. `parent` is the row this one replaces, or -1."""

    key: IntArray  # for Draws: the same lesson of the same pair, whatever else there is
    pair: IntArray
    number: IntArray  # 0 for the first lesson of a pair
    day: IntArray
    minute: IntArray  # wished start
    parent: IntArray
    status: IntArray
    by: IntArray
    day_off: IntArray  # index into DaysOff, or -1
    chance: FloatArray  # true chance that the tutor calls it off

    def __len__(self) -> int:
        return len(self.pair)


def draw_lessons(
    draws: Draws, tutors: Tutors, students: Students, pairs: Pairs, timeline: Timeline, days_off: DaysOff
) -> Lessons:
    """Regular lessons less the weeks off, then the follow-ups of what was moved, and theirs in turn."""
    pair = np.repeat(np.arange(len(pairs)), pairs.lessons)
    number = np.arange(len(pair)) - np.repeat(np.cumsum(pairs.lessons) - pairs.lessons, pairs.lessons)
    frequency = pairs.frequency[pair]
    day = pairs.first_day[pair] + pairs.offsets[pair, number % frequency] + 7 * (number // frequency)
    there = (day <= timeline.horizon) & (day < tutors.left_on[pairs.tutor[pair]])
    pair, number, day = pair[there], number[there], day[there]
    held = _held(draws, _key(pair, number, 0), number, day, daily_target(len(tutors), len(students)), timeline)
    pair, number, day = pair[held], number[held], day[held]
    fits = _fits_into_day(draws, _key(pair, number, 0), pairs.tutor[pair] * (timeline.horizon + 1) + day, number)
    pair, number, day = pair[fits], number[fits], day[fits]
    key = _key(pair, number, 0)
    minute = _usual_minute(pairs, pair, day, timeline)
    minute = minute + np.array([-60, -30, 0, 30, 60])[draws.pick("minute", key, (0.02, 0.02, 0.92, 0.02, 0.02))]

    def decide(key: IntArray, pair: IntArray, number: IntArray, day: IntArray, minute: IntArray) -> Lessons:
        return _decide(draws, tutors, students, pairs, timeline, days_off, key, pair, number, day, minute)

    generation = decide(key, pair, number, day, minute)
    generations = [generation]
    rows_before = 0
    for again in range(1, MAX_MOVES + 1):
        moved = np.flatnonzero(generation.status == RESCHEDULED)
        moved = moved[draws.uniform("new time agreed", generation.key[moved]) < NEW_TIME_AGREED]
        key = _key(generation.pair[moved], generation.number[moved], again)
        off = generation.day_off[moved]
        free_from = np.where(off >= 0, take(days_off.end_day, off) - 1, generation.day[moved])
        wait = draws.pick("wait", key, (0.25, 0.25, 0.17, 0.12, 0.08, 0.05, 0.08)) + 1
        day = np.maximum(free_from, generation.day[moved]) + wait
        day += (timeline.weekday(day) == 6) & (draws.uniform("not on Sunday", key) < 0.6)
        pair = generation.pair[moved]
        kept = (day < tutors.left_on[pairs.tutor[pair]]) & (day <= timeline.horizon)
        moved, pair, day, key = moved[kept], pair[kept], day[kept], key[kept]
        minute = _usual_minute(pairs, pair, day, timeline)
        minute = minute + np.array([-90, -60, -30, 0, 30, 60])[draws.between("minute", key, 0, 6)]
        follow_ups = decide(key, pair, generation.number[moved], day, minute)
        follow_ups.parent[:] = moved + rows_before
        rows_before += len(generation)
        generation = follow_ups
        generations.append(generation)
    return Lessons(*(np.concatenate([getattr(part, f.name) for part in generations]) for f in fields(Lessons)))


def draw_days_off(rng: np.random.Generator, tutors: Tutors, timeline: Timeline) -> DaysOff:
    """They begin by chance, as often as the tutor's share of such days needs."""
    longest = len(BURST_LENGTHS)
    tail = np.cumsum(BURST_LENGTHS[::-1])[::-1]  # chance of a length of at least 1, 2, … days
    count, horizon = len(tutors), timeline.horizon
    days = np.arange(-longest, horizon + 1)
    covered = BURST_SHARE * tutors.habits.call_offs[:, np.maximum(days, 0)] / BURST_REACH
    begins = covered / tail.sum()
    for _ in range(4):  # stretches overlap a little: raise the rate until the covered share is exact
        begins *= covered / (1 - np.prod(1 - begins[..., np.newaxis] * tail, axis=-1))
    tutor, at = np.nonzero(rng.random(begins.shape) < begins)
    first_day = days[at]
    length = rng.choice(longest, len(tutor), p=BURST_LENGTHS) + 1
    of_day = np.full((count, horizon + 1), -1)
    for ahead in range(longest):
        day = first_day + ahead
        inside = (ahead < length) & (day >= 0) & (day <= horizon)
        of_day[tutor[inside], day[inside]] = np.flatnonzero(inside)
    return DaysOff(
        of_day=of_day,
        tutor=tutor,
        first_day=first_day,
        end_day=first_day + length,
        reason=rng.choice(len(BURST_REASONS), len(tutor), p=BURST_REASONS),
        called_minute=rng.integers(6 * 60 + 30, 9 * 60, len(tutor)),
    )


def take(values: IntArray, index: IntArray) -> IntArray:
    """`values[index]`, and 0 where the index is -1."""
    taken: IntArray = np.append(values, 0)[index]
    return taken


def _key(pair: IntArray, number: IntArray, again: int) -> IntArray:
    return (pair << 20) + (number << 3) + again


def _usual_minute(pairs: Pairs, pair: IntArray, day: IntArray, timeline: Timeline) -> IntArray:
    return np.where(timeline.weekday(day) < 5, pairs.weekday_minute[pair], pairs.weekend_minute[pair])


def _held(draws: Draws, key: IntArray, number: IntArray, day: IntArray, target: float, timeline: Timeline) -> BoolArray:
    """Which regular lessons take place: first ones always, the others with the season, up to the daily target."""
    season = timeline.season[day]
    later = number > 0
    # Follow-ups of moved sessions come on top: about an eighth.
    wanted = target * (timeline.horizon + 1) / 1.125 - np.count_nonzero(~later)
    planned = float(season[later].sum())
    level = np.clip(wanted / planned, 0.5, 0.92) if planned else 0.92
    return ~later | (draws.uniform("held", key) < np.minimum(level * season, 0.98))


def _fits_into_day(draws: Draws, key: IntArray, tutor_day: IntArray, number: IntArray) -> BoolArray:
    """Which lessons a tutor's day has room for: first ones always, of the others as many as a long day holds."""
    order = np.lexsort((draws.uniform("place in the day", key), number > 0, tutor_day))
    _, first_place, size = np.unique(tutor_day[order], return_index=True, return_counts=True)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(first_place, size)
    fits: BoolArray = (place < LESSONS_A_DAY) | (number == 0)
    return fits


def _decide(
    draws: Draws,
    tutors: Tutors,
    students: Students,
    pairs: Pairs,
    timeline: Timeline,
    days_off: DaysOff,
    key: IntArray,
    pair: IntArray,
    number: IntArray,
    day: IntArray,
    minute: IntArray,
) -> Lessons:
    """Status and who caused it, as it will be when the day has come."""
    tutor, student = pairs.tutor[pair], pairs.student[pair]
    habits, weekday, hour, is_first = tutors.habits, timeline.weekday(day), minute // 60, number == 0
    chance = habits.chance(tutor, day, weekday, pairs.subject[pair], hour, is_first)
    off = days_off.of_day[tutor, day]
    # Days off and single decisions together make the chance.
    single = 1 - (1 - chance) / (1 - BURST_SHARE * habits.call_offs[tutor, day])
    is_off = (off >= 0) & (draws.uniform("day off", key) < BURST_REACH)
    by_tutor = is_off | (draws.uniform("call off", key) < single)
    cancels = draws.uniform("cancel", key) < habits.cancels[tutor]
    chances = np.stack(
        [
            np.full(len(key), OTHER_RESCHEDULE[0]),
            np.full(len(key), OTHER_RESCHEDULE[1]),
            habits.no_shows[tutor, day],
            students.no_show_chance(student, day, weekday, hour, is_first),
            np.full(len(key), OTHER_CANCELLED),
        ]
    )
    event = (draws.uniform("event", key) >= np.cumsum(chances, axis=0)).sum(axis=0)
    status = np.array([RESCHEDULED, RESCHEDULED, NO_SHOW, NO_SHOW, CANCELLED, COMPLETED])[event]
    by = np.array([STUDENT, PLATFORM, TUTOR, STUDENT, NOBODY, NOBODY])[event]
    by = np.where(event == 4, draws.pick("cancelled by", key, CANCELLED_BY), by)
    return Lessons(
        key=key,
        pair=pair,
        number=number,
        day=day,
        minute=minute,
        parent=np.full(len(key), -1),
        status=np.where(by_tutor, np.where(cancels, CANCELLED, RESCHEDULED), status),
        by=np.where(by_tutor, TUTOR, by),
        day_off=np.where(is_off, off, -1),
        chance=chance,
    )
