"""Does the model of student no-shows find what is there? In a made-up marketplace, every chance is known."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.harness import settings_of
from core import dbt_runner
from core.database import Database
from ingest import load_folder
from ingest.ids import entity_uuid
from ml.evaluate import evaluation
from ml.features import STUDENT_NO_SHOW, canonical, labels, times
from ml.retraining import retrain
from ml.split import time_split
from ml.training_set import training_set

UNTIL = date(2026, 6, 30)
SUBJECTS = {"maths": 0.5, "physics": 0.3, "english": 0.0, "biology": -0.2, "history": -0.5, "music": -0.9}
FIGURES = {"auc": "AUC", "pr_auc": "PR-AUC", "log_loss": "log loss", "calibration_error": "off by"}

# Log-odds that a student misses a session: 5% of students who are like most, at a usual hour.
USUAL, HABIT, LATE_EVENING, MONDAY, LEAD = -2.95, 1.0, 0.6, 0.4, 0.45
TUTOR_NO_SHOW, CANCELLED = 0.02, 0.05


@dataclass(frozen=True)
class Size:
    tutors: int
    students: int
    days: int
    seed: int = 7
    unnamed: float = 0.0  # share of the students' no-shows without an initiator


SMALL = Size(tutors=40, students=500, days=240)
FULL = Size(tutors=400, students=5_000, days=365)
TINY = Size(tutors=20, students=200, days=200)


def write_world(folder: Path, size: Size) -> "pd.Series[float]":
    """Write sessions.csv of a marketplace whose students differ in how often they do not come, and by hour, weekday,
    subject and lead time. Returns the chance of each session that its student misses it, by session_id as stored."""
    rng = np.random.default_rng(size.seed)
    habit = HABIT * rng.normal(size=size.students)
    tutor = rng.integers(0, size.tutors, size.students)
    subject = rng.integers(0, len(SUBJECTS), size.students)
    a_week = rng.choice([1, 2, 3], size.students)
    count = size.students * size.days
    student = np.repeat(np.arange(size.students), size.days)
    day = np.tile(np.arange(size.days), size.students)
    is_held = rng.random(count) < a_week[student] / 7
    student, day = student[is_held], day[is_held]
    rows = len(student)
    hour = rng.choice(np.arange(14, 22), rows)
    lead_hours = np.clip(rng.lognormal(np.log(60), 1.0, rows), 2, 21 * 24)
    start = pd.Timestamp(UNTIL) - pd.to_timedelta(size.days - 1 - day, unit="D") + pd.to_timedelta(hour, unit="h")
    odds = (
        USUAL
        + habit[student]
        + np.array(list(SUBJECTS.values()))[subject[student]]
        + LATE_EVENING * (hour >= 20)
        + MONDAY * (start.dayofweek == 0)
        + LEAD * np.log(lead_hours / 60)
    )
    # Who cancels, or has a tutor who does not come, cannot miss it any more.
    is_by_tutor, is_off = rng.random(rows) < TUTOR_NO_SHOW, rng.random(rows) < CANCELLED
    chance: npt.NDArray[np.float64] = (1 - TUTOR_NO_SHOW) * (1 - CANCELLED) / (1 + np.exp(-np.asarray(odds)))
    is_missed = ~is_by_tutor & ~is_off & (rng.random(rows) < 1 / (1 + np.exp(-np.asarray(odds))))
    is_named = rng.random(rows) >= size.unnamed
    booked = start - pd.to_timedelta(lead_hours, unit="h").round("s")
    names = list(SUBJECTS)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "sessions.csv").open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["session_id", "tutor_id", "student_id", "subject", "scheduled_time", "booked_at", "status", "initiator"])
        for row in range(rows):
            status, initiator = "completed", ""
            if is_off[row]:
                status, initiator = "cancelled", "platform"
            elif is_by_tutor[row]:
                status, initiator = "no_show", "tutor"
            elif is_missed[row]:
                status, initiator = "no_show", "student" if is_named[row] else ""
            who = student[row]
            write([f"n-{row}", f"t-{tutor[who]}", f"s-{who}", names[subject[who]], f"{start[row].isoformat()}Z",
                   f"{booked[row].isoformat()}Z", status, initiator])  # fmt: skip
    return pd.Series(chance, index=[str(entity_uuid(f"n-{row}")) for row in range(rows)])


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Make the marketplace, train, and print what rules, baseline, model and truth know about the last sessions."""
    settings = settings_of(home, database_url=database.url, as_of=UNTIL.isoformat())
    truth = write_world(home / "world", size)
    load_folder(database, home / "world", timezone=settings.timezone)
    dbt_runner.build(settings, database)
    candidate = retrain(settings, database, STUDENT_NO_SHOW.kind).candidate
    console.print(f"student no-shows: {size.students:,} students, {size.tutors:,} tutors, {size.days} days")
    console.print(f"{'promoted' if candidate.is_promoted else 'not promoted'}: {candidate.reason}", highlight=False)
    if candidate.model is None:
        return
    table = Table("on the last sessions, by time", "rows", *FIGURES.values())
    shown = {"rules": "rules", "baseline": "additive logistic", "model": "XGBoost"}
    rows = {words: candidate.metrics[name] for name, words in shown.items()}
    frame = canonical(STUDENT_NO_SHOW, training_set(database, STUDENT_NO_SHOW))
    test = frame.iloc[time_split(times(STUDENT_NO_SHOW, frame)).test]
    rows["the truth, habits known: the ceiling"] = dict(
        evaluation(labels(STUDENT_NO_SHOW, test), truth.loc[test["session_id"]].to_numpy().astype(np.float64))
    )
    for words, figures in rows.items():
        table.add_row(words, f"{figures['rows']:,}", *(f"{figures[name]:.4f}" for name in FIGURES))
    console.print(table)
