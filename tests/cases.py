"""A small marketplace as landing files: ordinary tutors, and among them the cases that concerns are made for.

Days are counted back from AS_OF. The files are the same each time.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np

AS_OF = date(2026, 1, 31)
HISTORY_DAYS = 150
ORDINARY_TUTORS = 50
STATUSES, STATUS_SHARES = ("completed", "rescheduled", "no_show"), (0.92, 0.075, 0.005)
RATINGS, RATING_SHARES = (5, 4, 3, 2), (0.5, 0.35, 0.1, 0.05)
SHARE_WHO_STAY = 0.75

CHANGED_DAYS = 28
SICK_ON = 4

TUTOR_COLUMNS = ("tutor_id", "name")
STUDENT_COLUMNS = ("student_id",)
SESSION_COLUMNS = (
    "session_id", "tutor_id", "student_id", "scheduled_time", "status", "initiator", "reason_code", "cancelled_at",
    "rating",
)  # fmt: skip
MOVE_COLUMNS = ("session_id", "initiator", "requested_at", "original_time", "new_time")


@dataclass
class Tutor:
    """One tutor, and rows of the files."""

    name: str
    sessions: list[Sequence[object]] = field(default_factory=list)
    moves: list[Sequence[object]] = field(default_factory=list)

    def lesson(
        self,
        days_ago: int,
        status: str = "completed",
        *,
        student: str = "regular",
        rating: float | None = None,
        reason: str | None = None,
    ) -> None:
        """A lesson that was scheduled or held, or that the tutor moved, cancelled or missed.

        `student` is one of this tutor's own. Moves and cancellations are of the morning of the lesson.
        """
        number = len(self.sessions)
        session_id = f"{self.name} {number}"
        starts_at = datetime.combine(AS_OF - timedelta(days_ago), time(9 + number % 10), UTC)
        told_at = starts_at.replace(hour=7)
        initiator = "tutor" if status in ("cancelled", "no_show") else None
        cancelled_at = told_at if status == "cancelled" else None
        student_id = f"{self.name}'s {student}"
        self.sessions.append(
            (session_id, self.name, student_id, starts_at, status, initiator, reason, cancelled_at, rating)
        )
        if status == "rescheduled":
            self.moves.append((session_id, "tutor", told_at, starts_at, starts_at + timedelta(days=2)))

    def new_students(self, stay: Iterable[bool]) -> None:
        """One first lesson a week, the last one five weeks ago; those who stay have another one the week after."""
        for week, stays in enumerate(stay, start=5):
            self.lesson(7 * week, student=f"new {week}")
            if stays:
                self.lesson(7 * week - 7, student=f"new {week}")

    def plan(self, lessons: int) -> None:
        """Lessons of the coming week."""
        for number in range(lessons):
            self.lesson(-1 - number % 7, "scheduled")

    def moved_evenly(self, days: range, per_day: int, share: float) -> None:
        """Lessons of which the tutor moves a share."""
        for number, days_ago in enumerate(np.repeat(days, per_day)):
            is_moved = int(share * (number + 1)) > int(share * number)
            self.lesson(int(days_ago), "rescheduled" if is_moved else "completed")


def ordinary(tutor: Tutor, rng: np.random.Generator) -> None:
    for days_ago in range(HISTORY_DAYS):
        status = rng.choice(STATUSES, p=STATUS_SHARES)
        is_rated = status == "completed" and rng.random() < 0.4
        tutor.lesson(days_ago, status, rating=rng.choice(RATINGS, p=RATING_SHARES) if is_rated else None)
    tutor.new_students(rng.random(12) < SHARE_WHO_STAY)


def cancels(tutor: Tutor) -> None:
    """34 of 60 lessons."""
    for days_ago in range(60):
        tutor.lesson(days_ago, "cancelled" if days_ago < 34 else "completed")


def steady(tutor: Tutor) -> None:
    for days_ago in range(60):
        tutor.lesson(days_ago)


def steady_but_missed_one(tutor: Tutor) -> None:
    for days_ago in range(60):
        tutor.lesson(days_ago, "no_show" if days_ago == 40 else "completed")


def steady_and_missed_one_more(tutor: Tutor) -> None:
    steady(tutor)
    tutor.lesson(1, "no_show")


def suddenly_worse(tutor: Tutor) -> None:
    """From 0 to 46% within four weeks, three lessons a day."""
    tutor.moved_evenly(range(CHANGED_DAYS, HISTORY_DAYS), 3, share=0)
    tutor.moved_evenly(range(CHANGED_DAYS), 3, share=0.46)
    tutor.plan(21)


def formerly_worse(tutor: Tutor) -> None:
    """More let-downs than the suddenly worse, but months ago."""
    tutor.moved_evenly(range(20, 90), 3, share=0.5)
    tutor.moved_evenly(range(20), 3, share=0)
    tutor.plan(21)


def loses_students_and_is_rated_low(tutor: Tutor) -> None:
    """9 of 24 new students stayed, the regular one among them, and the mean of 100 ratings is 3.49."""
    for days_ago in range(100):
        tutor.lesson(days_ago, rating=4 if days_ago * 49 % 100 < 49 else 3)
    tutor.new_students(week < 8 for week in range(23))


def misses(tutor: Tutor) -> None:
    """7 of 90 lessons."""
    for days_ago in range(90):
        tutor.lesson(days_ago, "no_show" if days_ago % 13 == 5 else "completed")


def loses_students(tutor: Tutor) -> None:
    """2 of 10 new students stayed, the regular one among them."""
    steady(tutor)
    tutor.new_students(week == 4 for week in range(9))


def was_ill_one_morning(tutor: Tutor) -> None:
    """Five lessons of one morning are called off; of the others 8 of 60 were moved."""
    tutor.moved_evenly(range(60), 1, share=0.134)
    for _ in range(5):
        tutor.lesson(SICK_ON, "cancelled", reason="sick")


CASES: tuple[Callable[[Tutor], None], ...] = (
    *(cancels, steady, steady_but_missed_one, steady_and_missed_one_more, suddenly_worse, formerly_worse),
    *(loses_students_and_is_rated_low, misses, loses_students, was_ill_one_morning),
)


def write_cases(folder: Path) -> None:
    """Write tutors, students, sessions and reschedules; each case is a tutor whose id is the function's name."""
    rng = np.random.default_rng(14)
    tutors = [Tutor(f"ordinary {number}") for number in range(ORDINARY_TUTORS)]
    for tutor in tutors:
        ordinary(tutor, rng)
    for case in CASES:
        tutors.append(Tutor(case.__name__))
        case(tutors[-1])
    sessions = [row for tutor in tutors for row in tutor.sessions]
    folder.mkdir()
    _write(folder / "tutors.csv", TUTOR_COLUMNS, [(tutor.name, tutor.name) for tutor in tutors])
    _write(folder / "students.csv", STUDENT_COLUMNS, sorted({(row[2],) for row in sessions}))
    _write(folder / "sessions.csv", SESSION_COLUMNS, sessions)
    _write(folder / "reschedules.csv", MOVE_COLUMNS, [row for tutor in tutors for row in tutor.moves])


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
