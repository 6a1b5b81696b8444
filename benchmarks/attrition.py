"""Does the model of attrition find what is there? In a made-up marketplace, every tutor's hazard is known."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.harness import fresh_platform, settings_of
from core import dbt_runner
from core.database import Database
from ingest import load_folder
from ingest.ids import entity_uuid
from ml.evaluate import evaluation
from ml.features import ATTRITION, canonical, labels, outcome_times, times
from ml.retraining import retrain
from ml.split import time_split
from ml.training_set import training_set

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

UNTIL = date(2026, 6, 30)
FIGURES = {
    "auc": "AUC", "log_loss": "log loss", "calibration_error": "off by", "calibration_error_by_chance": "by chance",
}  # fmt: skip

# Log-odds that a tutor stops on a day: of one whose places are taken, who loses nobody and lets few sessions down.
USUAL, FREE_PLACES, LET_DOWNS, LOST_HEART = -8.0, 3.2, 9.0, 1.4
USUAL_LET_DOWNS = 0.1
STUDENT_LEAVES = 1 / 90  # a student a day
LOSES_HEART = 1 / 400  # a tutor a day: takes no new students any more, and stops sooner
AHEAD_DAYS = 9  # so many days ahead a session is booked
DAYS, SILENT_DAYS = 60, 30  # the label: nobody is taught in the last 30 of 60 days
PATHS = 100
BUSY_DAYS = 7


@dataclass(frozen=True)
class Size:
    tutors: int
    days: int
    seeds: tuple[int, ...] = (7, 1, 2)


SMALL = Size(tutors=500, days=730)
FULL = Size(tutors=2_000, days=730)
TINY = Size(tutors=150, days=560, seeds=(7,))


@dataclass(frozen=True)
class World:
    """Arrays (tutors, days): what a tutor is like on the eve of each day; and what stays, (tutors,)."""

    students: Integers
    is_listless: npt.NDArray[np.bool_]
    is_there: npt.NDArray[np.bool_]
    capacity: Integers
    pull: Floats  # new students a day and free place
    let_downs: Floats

    def hazard(self, tutor: Integers, students: Integers, is_listless: npt.NDArray[np.bool_]) -> Floats:
        """The chance that each tutor (rows,), of so many students, stops today."""
        odds = (
            USUAL
            + FREE_PLACES * (1 - students / self.capacity[tutor])
            + LET_DOWNS * (self.let_downs[tutor] - USUAL_LET_DOWNS)
            + LOST_HEART * is_listless
        )
        return 1 / (1 + np.exp(-odds))

    def truth(self, tutor: Integers, day: Integers, rng: np.random.Generator) -> Floats:
        """(rows,): the chance that each tutor teaches nobody in the last SILENT_DAYS of the DAYS from `day` on, from
        all that the world knows on its eve: by PATHS futures of each."""
        answer = np.empty(len(tutor))
        for rows in np.array_split(np.arange(len(tutor)), max(1, len(tutor) * PATHS // 2_000_000)):
            who = np.repeat(tutor[rows], PATHS)
            students = np.repeat(self.students[tutor[rows], day[rows]], PATHS)
            listless = np.repeat(self.is_listless[tutor[rows], day[rows]], PATHS)
            there = np.repeat(self.is_there[tutor[rows], day[rows]], PATHS)
            taught = np.zeros(len(who), dtype=np.bool_)
            for ahead in range(DAYS):
                there = there & (rng.random(len(who)) >= self.hazard(who, students, listless))
                if ahead >= DAYS - SILENT_DAYS:
                    quiet = (1 - (1 - self.let_downs[who]) / 7) ** students
                    taught |= there & (rng.random(len(who)) >= quiet)
                students, listless = self.after(who, students, listless, rng)
            answer[rows] = 1 - taught.reshape(-1, PATHS).mean(axis=1)
        return answer

    def after(
        self, tutor: Integers, students: Integers, is_listless: npt.NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[Integers, npt.NDArray[np.bool_]]:
        """What a day makes of students and heart."""
        free = np.maximum(self.capacity[tutor] - students, 0)
        come = np.where(is_listless, 0, rng.binomial(free, self.pull[tutor]))
        stay = rng.binomial(students, 1 - STUDENT_LEAVES)
        return stay + come, is_listless | (rng.random(len(tutor)) < LOSES_HEART)


def write_world(folder: Path, size: Size, seed: int) -> World:
    """Write tutors.csv and sessions.csv: each student has a session a week, on a day of the own; tutors lose students,
    get others while they have heart and free places, and stop by a hazard that depends on both, and on how often they
    let sessions down."""
    rng = np.random.default_rng(seed)
    count = size.tutors
    capacity = rng.integers(3, 13, count)
    everybody = np.arange(count)
    world = World(
        students=np.zeros((count, size.days + 1), dtype=np.int64),
        is_listless=np.zeros((count, size.days + 1), dtype=np.bool_),
        is_there=np.zeros((count, size.days + 1), dtype=np.bool_),
        capacity=capacity,
        pull=rng.uniform(0.01, 0.05, count),
        let_downs=np.clip(rng.beta(2, 18, count), 0.01, 0.4),
    )
    # Half are there from the beginning, the others begin later.
    begins = np.where(rng.random(count) < 0.5, 0, rng.integers(1, size.days, count))
    folder.mkdir(parents=True, exist_ok=True)
    ids = _ids(count)
    with (folder / "tutors.csv").open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["tutor_id", "capacity", "hired_at", "subjects"])
        for tutor in range(count):
            write([ids[tutor], capacity[tutor], _day(size, int(begins[tutor])).date().isoformat(), "maths"])
    with (folder / "sessions.csv").open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["session_id", "tutor_id", "student_id", "subject", "scheduled_time", "booked_at", "cancelled_at",
               "status", "initiator"])  # fmt: skip
        classes: list[list[tuple[int, int, int]]] = [[] for _ in range(count)]  # per tutor: student, weekday, since
        known = session = 0

        def lesson(tutor: int, student: int, day: int, since: int, called_off: int | None, by: str) -> None:
            nonlocal session
            start, off = _day(size, day), "" if called_off is None else f"{_day(size, called_off):%Y-%m-%d}T08:00:00Z"
            booked = _day(size, max(day - AHEAD_DAYS, since - 1))
            write([f"a-{session}", ids[tutor], f"s-{student}", "maths", f"{start:%Y-%m-%d}T15:00:00Z",
                   f"{booked:%Y-%m-%d}T09:00:00Z", off, "cancelled" if off else "completed", by])  # fmt: skip
            session += 1

        gone = np.zeros(count, dtype=np.bool_)
        for day in range(size.days):
            for tutor in np.flatnonzero(begins == day).tolist():
                for _ in range(int(rng.binomial(capacity[tutor], 0.7)) or 1):
                    classes[tutor].append((known, int(rng.integers(7)), day))
                    known += 1
            listless = world.is_listless[:, day]
            there = (begins <= day) & ~gone
            world.students[:, day], world.is_there[:, day] = [len(each) for each in classes], there
            stops = there & (rng.random(count) < world.hazard(everybody, world.students[:, day], listless))
            gone |= stops
            for tutor in np.flatnonzero(there).tolist():
                own = classes[tutor]
                for student, weekday, since in own:
                    if stops[tutor]:
                        # What is booked is called off.
                        for ahead in range(AHEAD_DAYS):
                            if (day + ahead) % 7 == weekday:
                                lesson(tutor, student, day + ahead, since, day, "tutor")
                    elif day % 7 == weekday:
                        is_let_down = rng.random() < world.let_downs[tutor]
                        lesson(tutor, student, day, since, day if is_let_down else None, "tutor" if is_let_down else "")
                leaves = np.ones(len(own), dtype=np.bool_) if stops[tutor] else rng.random(len(own)) < STUDENT_LEAVES
                if not stops[tutor]:
                    for student, weekday, since in (each for each, left in zip(own, leaves, strict=True) if left):
                        for ahead in range(1, AHEAD_DAYS):
                            if (day + ahead) % 7 == weekday:
                                lesson(tutor, student, day + ahead, since, day, "student")
                classes[tutor] = [each for each, left in zip(own, leaves, strict=True) if not left]
                if not listless[tutor] and not stops[tutor]:
                    for _ in range(int(rng.binomial(max(capacity[tutor] - len(own), 0), world.pull[tutor]))):
                        classes[tutor].append((known, int(rng.integers(7)), day + 1))
                        known += 1
            world.is_listless[:, day + 1] = listless | (rng.random(count) < LOSES_HEART)
    return world


def rows_of(size: Size, frame: pd.DataFrame) -> tuple[Integers, Integers]:
    """(rows,): which tutor and which day of the world the rows of the training set are about."""
    place = {str(entity_uuid(name)): number for number, name in enumerate(_ids(size.tutors))}
    first = _day(size, 0)
    days = (frame["known_before"].dt.tz_localize(None) - first).dt.days
    return np.array(frame["tutor_id"].map(place), dtype=np.int64), np.array(days, dtype=np.int64)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Per seed, make the marketplace, train, and print what rules, baseline, model and truth know about the last
    days."""
    for place, seed in enumerate(size.seeds):
        if place == 0:
            _one(size, seed, console, home, database)
        else:
            with fresh_platform() as (another_home, another):
                _one(size, seed, console, another_home, another)


def _one(size: Size, seed: int, console: Console, home: Path, database: Database) -> None:
    settings = settings_of(home, database_url=database.url, as_of=UNTIL.isoformat())
    world = write_world(home / "world", size, seed)
    load_folder(database, home / "world", timezone=settings.timezone)
    dbt_runner.build(settings, database)
    candidate = retrain(settings, database, ATTRITION.kind).candidate
    console.print(f"attrition: {size.tutors:,} tutors, {size.days} days, seed {seed}")
    console.print(f"{'promoted' if candidate.is_promoted else 'not promoted'}: {candidate.reason}", highlight=False)
    if candidate.model is None:
        return
    table = Table("on the last days, by time", "rows", "stopped", *FIGURES.values())
    shown = {"rules": "rules", "baseline": "additive logistic", "model": "XGBoost"}
    rows = {words: candidate.metrics[name] for name, words in shown.items()}
    frame = canonical(ATTRITION, training_set(database, ATTRITION))
    test = frame.iloc[time_split(times(ATTRITION, frame), outcome_times(ATTRITION, frame)).test]
    label, chance = labels(ATTRITION, test), world.truth(*rows_of(size, test), np.random.default_rng(seed))
    rows["the truth, hearts known: the ceiling"] = dict(evaluation(label, chance))
    # Of whom nobody could say that they have gone already.
    busy = np.array(test["days_since_session"] < BUSY_DAYS)
    if candidate.scores is not None:
        said = {"XGBoost": candidate.scores.probability, "the truth": chance}
        for words, probability in said.items():
            rows[f"{words}, of those with a session in the last week"] = dict(
                evaluation(label[busy], probability[busy])
            )
    for words, figures in rows.items():
        table.add_row(
            words, f"{figures['rows']:,}", f"{figures['positives']:,}", *(f"{figures[name]:.4f}" for name in FIGURES)
        )
    console.print(table)
    strongest = sorted(candidate.metrics["influence"].items(), key=lambda item: -item[1])[:5]
    console.print("what moves it: " + ", ".join(f"{name} {share:.0%}" for name, share in strongest), highlight=False)


def _ids(count: int) -> list[str]:
    return [f"t-{number}" for number in range(count)]


def _day(size: Size, day: int) -> pd.Timestamp:
    """Day 0 is so long ago that the last one ends with UNTIL."""
    return pd.Timestamp(UNTIL) - pd.Timedelta(days=size.days - 1 - day)
