"""The hidden truth: what no platform could know. Columns are described in README.md beside this file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from demo.habits import DAYPART_HOURS, DAYPARTS, PATTERNS, SUBJECT_ODDS, WEEKDAY_ODDS, Pattern
from demo.landing import Row, words, write_rows, write_table
from demo.lessons import DaysOff
from demo.pairs import Pairs
from demo.people import CAUSES, NEVER, SEGMENTS, Students, Tutors
from demo.sessions import FELT_SPREAD, WENT_WRONG, Sessions
from demo.timeline import DAY_SECONDS, BoolArray, FloatArray, IntArray, Timeline
from demo.words import REASONS, SUBJECTS

FOLDER = ".truth"
# As concerns are defined in docs/scoring.md.
LET_DOWN_LIMIT, NO_SHOW_LIMIT, LATE_LIMIT, LOSS_MARGIN, STARS_MARGIN = 0.15, 0.03, 0.10, 0.05, 0.3


def write_truth(
    folder: Path,
    tutor_ids: list[str],
    student_ids: list[str],
    tutors: Tutors,
    students: Students,
    pairs: Pairs,
    days_off: DaysOff,
    sessions: Sessions,
    timeline: Timeline,
) -> BoolArray:
    """The files of `.truth`; returns (tutors,) who at the end let down more than the limit, and are still there."""
    truth = _Truth(tutors, pairs, sessions, timeline)
    home = folder / FOLDER
    home.mkdir(exist_ok=True)
    _write_tutors(home, tutor_ids, truth)
    concerns = ("tutor_id", "concern", "starts_on", "ends_on", "share", "threshold")
    write_rows(home / "concerns.csv", concerns, truth.concerns(tutor_ids))
    events = ("tutor_id", "event", "starts_on", "full_on", "share_before", "share_after", "reason")
    write_rows(home / "events.csv", events, _events(tutor_ids, tutors, days_off, timeline))
    patterns = ("tutor_id", "dimension", "level", "odds", "sessions", "rate", "other_rate")
    write_rows(home / "patterns.csv", patterns, _patterns(tutor_ids, truth))
    write_rows(home / "effects.csv", ("dimension", "level", "odds"), _effects(tutors))
    _write_students(home, student_ids, students, pairs, sessions, timeline)
    met = np.unique(sessions.pair)
    with write_table(home / "pairs.csv.gz") as write_pair_rows:
        write_pair_rows(
            {
                "tutor_id": pa.array(np.array(tutor_ids)[pairs.tutor[met]]),
                "student_id": pa.array(np.array(student_ids)[pairs.student[met]]),
                "subject": words(SUBJECTS, pairs.subject[met]),
                "continue_probability": pa.array(np.round(pairs.continue_probability[met], 4)),
                "goes_on": pa.array(pairs.lessons[met] > 1),
            }
        )
    return truth.is_poor


class _Truth:
    """Shares per tutor, some by day, as they truly are in the tutor's own slots and with the tutor's own students."""

    def __init__(self, tutors: Tutors, pairs: Pairs, sessions: Sessions, timeline: Timeline) -> None:
        self.tutors, self.sessions, self.timeline = tutors, sessions, timeline
        habits, count = tutors.habits, len(tutors)
        self.tutor = pairs.tutor[sessions.pair]
        self.subject = pairs.subject[sessions.pair]
        self.day = sessions.scheduled // DAY_SECONDS
        self.has_sessions = np.bincount(self.tutor, minlength=count) > 0
        usual = np.bincount(self.tutor, habits.call_offs[self.tutor, self.day], minlength=count)
        slots = np.divide(
            np.bincount(self.tutor, sessions.chance, minlength=count), usual, out=np.ones(count), where=usual > 0
        )
        call_offs = np.minimum(habits.call_offs * slots[:, np.newaxis], 0.99)
        # Only what was not called off can be missed.
        self.no_shows: FloatArray = (1 - call_offs) * habits.no_shows
        self.let_downs: FloatArray = call_offs + self.no_shows
        self.is_poor: BoolArray = self.let_downs[:, timeline.last_day] > LET_DOWN_LIMIT
        self.is_poor &= tutors.left_on > timeline.last_day
        met = np.unique(sessions.pair)
        self.loss = _mean(pairs.tutor[met], 1 - pairs.continue_probability[met], count)
        self.loss_limit = float(np.mean(1 - pairs.continue_probability[met])) + LOSS_MARGIN if len(met) else np.inf
        self.stars = _expected_stars(4.4 + 0.28 * tutors.quality + habits.stars)
        held = np.bincount(self.tutor, minlength=count)
        self.stars_limit = float(np.average(self.stars, weights=held)) - STARS_MARGIN if held.any() else -np.inf

    def recent_let_downs(self, days: int) -> FloatArray:
        """(tutors,): mean true chance of a let-down over final sessions of the last `days` days; NaN without any."""
        last = self.timeline.last_day
        recent = self.sessions.is_final & (self.day > last - days) & (self.day <= last)
        tutor, day = self.tutor[recent], self.day[recent]
        missed = self.tutors.habits.no_shows[tutor, day]
        return _mean(tutor, 1 - (1 - self.sessions.chance[recent]) * (1 - missed), len(self.tutors))

    def concerns(self, tutor_ids: list[str]) -> Iterator[Row]:
        """Stretches of days on which a true share is beyond its limit."""
        habits, days = self.tutors.habits, self.timeline.last_day + 1
        from_ = np.maximum(self.tutors.hired_on, 0)
        until = np.minimum(self.tutors.left_on, days)
        for tutor in np.flatnonzero(self.has_sessions).tolist():
            there = np.ones(days, dtype=bool)
            there[: from_[tutor]] = False
            there[until[tutor] :] = False
            shares = {
                "unreliable": (self.let_downs[tutor, :days], LET_DOWN_LIMIT),
                "no_shows": (self.no_shows[tutor, :days], NO_SHOW_LIMIT),
                "late_starts": (habits.late[tutor, :days], LATE_LIMIT),
                "loses_new_students": (np.repeat(self.loss[tutor], days), self.loss_limit),
                "low_ratings": (np.repeat(self.stars[tutor], days), self.stars_limit),
            }
            for concern, (share, limit) in shares.items():
                is_beyond = there & (share < limit if concern == "low_ratings" else share > limit)
                edges = np.diff(is_beyond.astype(np.int8), prepend=0, append=0)
                for start, end in zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0), strict=True):
                    days_of = (self._date(int(start)), self._date(int(end)) if end < days else None)
                    row = (*days_of, _rounded(share[start:end].mean()), _rounded(limit))
                    yield (tutor_ids[tutor], concern, *row)
                    if concern == "unreliable" and start > from_[tutor]:
                        yield (tutor_ids[tutor], "getting_worse", *row)

    def _date(self, day: int) -> str:
        return _date(self.timeline, day)


def _write_tutors(home: Path, tutor_ids: list[str], truth: _Truth) -> None:
    tutors, timeline = truth.tutors, truth.timeline
    habits, last = tutors.habits, timeline.last_day
    recent = truth.recent_let_downs(90)
    header = (
        "tutor_id",
        "plan",
        "segment",
        "left_on",
        "is_poor",
        "let_down_probability",
        "let_down_probability_90d",
        "cancel_share",
        "no_show_probability",
        "late_probability",
        "loss_probability",
        "expected_stars",
        "quality",
    )
    rows = (
        (
            tutor_ids[i],
            str(habits.plan[i]),
            SEGMENTS[tutors.segment[i]],
            _date(timeline, int(tutors.left_on[i])) if tutors.left_on[i] < NEVER else None,
            "true" if truth.is_poor[i] else "false",
            _rounded(truth.let_downs[i, last]),
            _rounded(recent[i]),
            float(habits.cancels[i]),
            _rounded(truth.no_shows[i, last]),
            _rounded(habits.late[i, last]),
            _rounded(truth.loss[i]),
            _rounded(truth.stars[i]),
            _rounded(tutors.quality[i]),
        )
        for i in range(len(tutors))
    )
    write_rows(home / "tutors.csv", header, rows)


def _events(tutor_ids: list[str], tutors: Tutors, days_off: DaysOff, timeline: Timeline) -> Iterator[Row]:
    last = timeline.last_day
    for event in tutors.habits.events:
        if event.day <= last and event.day < tutors.left_on[event.tutor]:
            shares = (_rounded(event.before), _rounded(event.after))
            days = (_date(timeline, event.day), _date(timeline, event.full_on))
            yield (tutor_ids[event.tutor], event.kind, *days, *shares, None)
    columns = (days_off.tutor, days_off.first_day, days_off.end_day, days_off.reason)
    for tutor, first, end, reason in zip(*(column.tolist() for column in columns), strict=True):
        if max(tutors.hired_on[tutor], 0) <= first <= min(last, tutors.left_on[tutor] - 1):
            days = (_date(timeline, first), _date(timeline, end - 1))
            yield (tutor_ids[tutor], "days_off", *days, None, None, REASONS[reason])


def _patterns(tutor_ids: list[str], truth: _Truth) -> Iterator[Row]:
    sessions, timeline = truth.sessions, truth.timeline
    hour = sessions.scheduled % DAY_SECONDS // 3600
    levels = {
        "weekday": timeline.weekday(truth.day),
        "daypart": np.searchsorted(DAYPART_HOURS[1:-1], hour, side="right"),
        "subject": truth.subject,
        "lesson": (sessions.number > 0).astype(np.int64),
    }
    for pattern in truth.tutors.habits.patterns:
        own = (truth.tutor == pattern.tutor) & sessions.is_final
        inside = own & (levels[pattern.dimension] == pattern.level)
        rates = (_rounded(sessions.chance[rows].mean()) if rows.any() else None for rows in (inside, own & ~inside))
        yield (
            tutor_ids[pattern.tutor], pattern.dimension, _level(pattern), round(pattern.odds, 2), int(inside.sum()),
            *rates,
        )  # fmt: skip


def _level(pattern: Pattern) -> str:
    """As `marts.tutor_patterns` has it."""
    names = (tuple(str(day) for day in range(1, 8)), DAYPARTS, SUBJECTS, ("first", "repeated"))
    return dict(zip(PATTERNS, names, strict=True))[pattern.dimension][pattern.level]


def _effects(tutors: Tutors) -> Iterator[Row]:
    for day, odds in enumerate(WEEKDAY_ODDS.tolist(), start=1):
        yield ("weekday", str(day), odds)
    for subject in range(tutors.teaches.shape[1]):
        yield ("subject", SUBJECTS[subject], float(SUBJECT_ODDS[subject % len(SUBJECT_ODDS)]))


def _write_students(
    home: Path, student_ids: list[str], students: Students, pairs: Pairs, sessions: Sessions, timeline: Timeline
) -> None:
    student, day = pairs.student[sessions.pair], sessions.scheduled // DAY_SECONDS
    hour = sessions.scheduled % DAY_SECONDS // 3600
    chance = students.no_show_chance(student, day, timeline.weekday(day), hour, sessions.number == 0)
    mean = _mean(student, chance, len(students))
    shown_from = np.where(
        (students.cause_from > 0) & (students.cause_from <= timeline.last_day), students.cause_from, -1
    )
    has_cause = (students.cause > 0) & (students.cause_from <= timeline.last_day)
    first_day = np.datetime64(timeline.first_day)
    with write_table(home / "students.csv.gz") as write_student_rows:
        write_student_rows(
            {
                "student_id": pa.array(student_ids),
                "cause": words(CAUSES, np.where(has_cause, students.cause, 0)),
                "cause_from": pa.array(np.datetime_as_string(first_day + shown_from), mask=shown_from < 0),
                "no_show_probability": pa.array(np.round(mean, 5), mask=np.isnan(mean)),
            }
        )


def _mean(index: IntArray, values: FloatArray, count: int) -> FloatArray:
    """Mean of the values of each index below `count`; NaN without any."""
    total, rows = np.bincount(index, values, minlength=count), np.bincount(index, minlength=count)
    mean: FloatArray = np.divide(total, rows, out=np.full(count, np.nan), where=rows > 0)
    return mean


def _expected_stars(felt: FloatArray) -> FloatArray:
    """Mean rating, 1-5, of what is felt around these means and rounded; a few lessons go wrong."""
    noise = np.random.default_rng(0).standard_normal(4000) * FELT_SPREAD
    wrong = np.arange(len(noise)) < WENT_WRONG[0] * len(noise)
    stars: FloatArray = np.stack([np.clip(np.rint(one + noise - WENT_WRONG[1] * wrong), 1, 5).mean() for one in felt])
    return stars


def _date(timeline: Timeline, day: int) -> str:
    return str(np.datetime64(timeline.first_day) + day)


def _rounded(share: float) -> float | None:
    return None if np.isnan(share) else round(float(share), 6)
