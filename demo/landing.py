"""Writes the landing files. A file appears whole or not at all."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from demo.draws import Draws
from demo.lessons import INITIATORS, RESCHEDULED, STATUSES
from demo.pairs import Pairs
from demo.people import Students, Tutors, email
from demo.sessions import NO_TIME, Sessions
from demo.timeline import DAY_SECONDS, BoolArray, IntArray, Timeline
from demo.words import GOALS, REASON_TEXTS, REASONS, STYLES, SUBJECTS, TIME_ZONES

CHUNK_ROWS = 50_000

Row = Sequence[str | int | float | None]
Column: TypeAlias = "pa.Array[Any]"


def write_tutors(folder: Path, tutors: Tutors, pairs: Pairs, sessions: Sessions, timeline: Timeline) -> list[str]:
    """`tutors.csv`; returns the tutor ids."""
    ids = _tutor_ids(len(tutors))
    header = (
        "tutor_id",
        "name",
        "email",
        "subjects",
        "is_active",
        "hired_at",
        "capacity",
        "age",
        "experience_years",
        "teaching_style",
        "preferred_pace",
        "communication_style",
        "time_zone",
    )
    capacity = _capacity(tutors, pairs, sessions, timeline)
    first = np.datetime64(timeline.first_day)
    rows = (
        (
            ids[i],
            tutors.names[i],
            email(tutors.names[i], i + 1),
            _subject_list(tutors.teaches[i]),
            "true" if tutors.left_on[i] > timeline.last_day else "false",
            str(first + tutors.hired_on[i]),
            int(capacity[i]),
            int(tutors.age[i]),
            float(tutors.experience_years[i]),
            STYLES[tutors.style[i]],
            int(tutors.pace[i]),
            int(tutors.communication[i]),
            TIME_ZONES[tutors.time_zone[i]],
        )
        for i in range(len(tutors))
    )
    write_rows(folder / "tutors.csv", header, rows)
    return ids


def write_students(folder: Path, draws: Draws, students: Students) -> list[str]:
    """`students.csv`; returns the student ids."""
    ids: list[str] = draws.uuids("student", np.arange(len(students))).tolist()
    header = (
        "student_id",
        "name",
        "age",
        "subjects",
        "preferred_teaching_style",
        "preferred_pace",
        "communication_style",
        "urgency_level",
        "learning_goals",
    )
    rows = (
        (
            ids[i],
            students.names[i],
            int(students.age[i]),
            _subject_list(students.wants[i]),
            STYLES[students.style[i]],
            int(students.pace[i]),
            int(students.communication[i]),
            int(students.urgency[i]),
            GOALS[students.goal[i]].format(subject=SUBJECTS[int(np.argmax(students.wants[i]))]),
        )
        for i in range(len(students))
    )
    write_rows(folder / "students.csv", header, rows)
    return ids


def write_sessions(
    folder: Path,
    draws: Draws,
    tutor_ids: list[str],
    student_ids: list[str],
    pairs: Pairs,
    sessions: Sessions,
    timeline: Timeline,
) -> None:
    """`sessions.csv.gz` and `reschedules.csv.gz`, a chunk of rows at a time."""
    tutor_names, student_names = np.array(tutor_ids), np.array(student_ids)
    with (
        write_table(folder / "sessions.csv.gz") as write_session_rows,
        write_table(folder / "reschedules.csv.gz") as write_reschedule_rows,
    ):
        for start in range(0, max(len(sessions), 1), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            pair, key = sessions.pair[rows], sessions.key[rows]
            ids = draws.uuids("session", key)
            rating, reason = sessions.rating[rows], sessions.reason[rows]
            moved = sessions.status[rows] == RESCHEDULED
            write_session_rows(
                {
                    "session_id": pa.array(ids),
                    "tutor_id": pa.array(tutor_names[pairs.tutor[pair]]),
                    "student_id": pa.array(student_names[pairs.student[pair]]),
                    "scheduled_time": _times(sessions.scheduled[rows], timeline),
                    "status": words(STATUSES, sessions.status[rows]),
                    "subject": words(SUBJECTS, pairs.subject[pair]),
                    "booked_at": _times(sessions.booked[rows], timeline),
                    "started_at": _times(sessions.started[rows], timeline),
                    "completed_time": _times(sessions.completed[rows], timeline),
                    "cancelled_at": _times(sessions.cancelled[rows], timeline),
                    "duration_minutes": pa.array(pairs.duration_minutes[pair]),
                    "rating": pa.array(rating, mask=rating == 0),
                    "initiator": words(INITIATORS, sessions.initiator[rows]),
                    "reason_code": words(REASONS, np.where(moved, -1, reason)),
                    "updated_at": _times(sessions.updated[rows], timeline),
                }
            )
            text = draws.between("text", key[moved], 0, len(REASON_TEXTS[0]))
            write_reschedule_rows(
                {
                    "session_id": pa.array(ids[moved]),
                    "initiator": words(INITIATORS, sessions.moved_by[rows][moved]),
                    "reason_code": words(REASONS, reason[moved]),
                    "reason": pa.array(np.array(REASON_TEXTS)[reason[moved], text]),
                    "requested_at": _times(sessions.requested[rows][moved], timeline),
                    "original_time": _times(sessions.scheduled[rows][moved], timeline),
                    "new_time": _times(sessions.new_time[rows][moved], timeline),
                }
            )


def _capacity(tutors: Tutors, pairs: Pairs, sessions: Sessions, timeline: Timeline) -> IntArray:
    """Students at a time: as many as the tutor had in the busiest four weeks, and some room."""
    block = sessions.scheduled // (28 * DAY_SECONDS)
    block_count = timeline.horizon // 28 + 1
    taught = np.unique(sessions.pair * block_count + block)
    tutor, of_block = pairs.tutor[taught // block_count], taught % block_count
    students = np.bincount(tutor * block_count + of_block, minlength=len(tutors) * block_count)
    busiest = students.reshape(len(tutors), block_count).max(axis=1)
    capacity: IntArray = np.maximum(np.ceil(busiest * 1.15).astype(np.int64) + 1, 3)
    return capacity


def _tutor_ids(count: int) -> list[str]:
    width = max(4, len(str(count)))
    return [f"tutor-{number:0{width}d}" for number in range(1, count + 1)]


def _subject_list(flags: BoolArray) -> str:
    return ";".join(SUBJECTS[i] for i in np.flatnonzero(flags))


def words(vocabulary: Sequence[str], index: IntArray) -> Column:
    """Texts by index; a negative index is an empty field."""
    texts: npt.NDArray[np.str_] = np.array(vocabulary)[index]
    return pa.array(texts, mask=index < 0)


def _times(local_seconds: IntArray, timeline: Timeline) -> Column:
    """ISO 8601 in UTC; NO_TIME is an empty field."""
    missing = local_seconds == NO_TIME
    instants = timeline.to_utc(np.where(missing, 0, local_seconds)).astype("datetime64[s]")
    return pa.array(np.datetime_as_string(instants, timezone="UTC"), mask=missing)


def write_rows(path: Path, header: tuple[str, ...], rows: Iterable[Row]) -> None:
    with _replacing(path) as binary, io.TextIOWrapper(binary, encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


class _TableWriter:
    """Appends columns to a CSV stream; the first call writes the header."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._writer: pyarrow.csv.CSVWriter | None = None

    def __call__(self, columns: dict[str, Column]) -> None:
        table = pa.table(columns)
        if self._writer is None:
            self._stream.write((",".join(columns) + "\n").encode())
            # Without quotes: the writer refuses a value that would need them.
            options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
            self._writer = pyarrow.csv.CSVWriter(self._stream, table.schema, write_options=options)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


@contextmanager
def write_table(path: Path) -> Iterator[_TableWriter]:
    """A gzipped CSV file; the same rows give the same bytes, since no time or name goes into its header."""
    with (
        _replacing(path) as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0) as stream,
    ):
        writer = _TableWriter(cast("IO[bytes]", stream))
        yield writer
        writer.close()


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when it is complete; until then its name hides it from loaders."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
