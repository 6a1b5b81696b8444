"""Puts the demo marketplace together."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np

from core.errors import TutorqError
from demo.draws import Draws
from demo.landing import write_sessions, write_students, write_tutors
from demo.lessons import CANCELLED, COMPLETED, NO_SHOW, RESCHEDULED, TUTOR, draw_days_off
from demo.pairs import Pairs, draw_pairs
from demo.people import draw_students, draw_tutors
from demo.sessions import Sessions, draw_sessions
from demo.timeline import DAY_SECONDS, BoolArray, Timeline
from demo.truth import write_truth
from ingest import PROCESSED, landing_files

FILES = ("tutors.csv", "students.csv", "sessions.csv.gz", "reschedules.csv.gz")


@dataclass(frozen=True)
class DemoSummary:
    """What was written. Shares are fractions of final sessions, None where there is nothing to divide by."""

    folder: Path
    first_day: date
    until: datetime
    tutors: int
    poor_tutors: int
    students: int
    pairs: int
    sessions: int
    """Final sessions."""
    scheduled_sessions: int
    sessions_per_day: float
    reschedules: int
    reschedule_share: float | None
    tutor_share_of_reschedules: float | None
    no_show_share: float | None
    cancelled_share: float | None
    first_session_churn: float | None
    """Share of pairs without a second completed session within 30 days of the first, once these are over."""


def write_demo(
    folder: Path,
    *,
    tutors: int = 300,
    students: int = 3000,
    days: int = 180,
    seed: int = 7,
    until: datetime | date | None = None,
    timezone: str = "UTC",
) -> DemoSummary:
    """Write landing files of a made-up marketplace, and the truth about it under `folder/.truth`.

    The same arguments give the same bytes. It begins on a Monday: as many whole weeks as `days` has, and the week of
    `until` up to it. Another `until` of the same week shows the same marketplace, more or less far; one of another week
    differs by the season. None is now, a datetime without a zone is local to `timezone`, a date means its end. About a
    third of a session per student and day; a session that is over or called off at `until` is final, and bookings reach
    two weeks further.

    Raises:
        TutorqError: a size is not positive, the seed is negative, the zone is unknown, or the folder holds
            landing files that are no demo.
    """
    if min(tutors, students, days) < 1:
        raise TutorqError("a demo needs at least one tutor, one student and one day")
    if seed < 0:
        raise TutorqError("the seed of a demo must not be negative")
    if _holds_data(folder) and not (folder / ".truth").is_dir():
        raise TutorqError(f"{folder} holds landing files that are no demo; choose another folder")
    timeline = Timeline.ending(until, days, timezone)
    # One stream per part, so that a change in one leaves the others as they were.
    tutors_rng, students_rng, pairs_rng, days_off_rng, homes_rng = (
        np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(5)
    )
    draws = Draws(seed)
    all_tutors = draw_tutors(tutors_rng, homes_rng, tutors, timeline)
    all_students = draw_students(students_rng, students, all_tutors, timeline)
    pairs = draw_pairs(pairs_rng, all_tutors, all_students, timeline)
    days_off = draw_days_off(days_off_rng, all_tutors, timeline)
    sessions = draw_sessions(draws, all_tutors, all_students, pairs, days_off, timeline)

    folder.mkdir(parents=True, exist_ok=True)
    tutor_ids = write_tutors(folder, all_tutors, pairs, sessions, timeline)
    student_ids = write_students(folder, draws, all_students)
    write_sessions(folder, draws, tutor_ids, student_ids, pairs, sessions, timeline)
    is_poor = write_truth(folder, tutor_ids, student_ids, all_tutors, all_students, pairs, days_off, sessions, timeline)
    return _summary(folder, timeline, is_poor, students, pairs, sessions)


def _holds_data(folder: Path) -> bool:
    """Landing files lie there, or did: it is a landing directory that has been in use."""
    return folder.is_dir() and (bool(landing_files(folder)) or (folder / PROCESSED).is_dir())


def _summary(
    folder: Path, timeline: Timeline, is_poor: BoolArray, students: int, pairs: Pairs, sessions: Sessions
) -> DemoSummary:
    final = int(sessions.is_final.sum())

    def share(status: int) -> float | None:
        return int((sessions.status == status).sum()) / final if final else None

    moved_by = sessions.moved_by[sessions.status == RESCHEDULED]
    return DemoSummary(
        folder=folder,
        first_day=timeline.first_day,
        until=timeline.until_utc,
        tutors=len(is_poor),
        poor_tutors=int(is_poor.sum()),
        students=students,
        pairs=len(np.unique(sessions.pair)),
        sessions=final,
        scheduled_sessions=len(sessions) - final,
        sessions_per_day=final / timeline.days,
        reschedules=len(moved_by),
        reschedule_share=share(RESCHEDULED),
        tutor_share_of_reschedules=float((moved_by == TUTOR).mean()) if len(moved_by) else None,
        no_show_share=share(NO_SHOW),
        cancelled_share=share(CANCELLED),
        first_session_churn=_first_session_churn(pairs, sessions, timeline),
    )


def _first_session_churn(pairs: Pairs, sessions: Sessions, timeline: Timeline) -> float | None:
    never = np.iinfo(np.int64).max
    completed = np.flatnonzero(sessions.status == COMPLETED)  # in order of time, as all sessions are
    pair, day = sessions.pair[completed], sessions.scheduled[completed] // DAY_SECONDS
    first = np.full(len(pairs), never)
    _, at = np.unique(pair, return_index=True)
    first[pair[at]] = day[at]
    second = np.full(len(pairs), never)
    rest = np.ones(len(pair), dtype=bool)
    rest[at] = False
    _, at = np.unique(pair[rest], return_index=True)
    second[pair[rest][at]] = day[rest][at]
    known = first <= timeline.last_day - 30
    return float((second[known] > first[known] + 30).mean()) if known.any() else None
