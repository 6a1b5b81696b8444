"""Predictions made in this process, by the champion, or by the rules where there is none."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
import numpy as np
import structlog

from api.database import with_connection
from api.matching.schemas.people import MatchStudent, MatchTutor
from api.matching.schemas.predictions import Prediction, PredictionModel
from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from ml import explain
from ml.features import MATCH, Floats, Integers, Matrix, risk_level, style_codes
from ml.model import Model
from ml.pairs import Ids, Students, Tutors, matrix, score
from ml.predictions import repredict
from ml.registry import Champion, champion
from ml.rules import rules_for

CHAMPION = "select model_version from ml.models where kind = $1 and is_champion"
REPREDICT_SECONDS = 5
# How soon a lost model is looked for again; each look reads the store.
LOST_SECONDS = 10

log = structlog.get_logger("api")


@dataclass(frozen=True)
class Scored:
    """A pair's prediction, what moved it, and what made it."""

    prediction: Prediction
    contributions: Sequence[explain.Contribution]
    model: PredictionModel


@dataclass(frozen=True)
class Risks:
    """The churn probabilities of a student with some tutors, as they would be stored, and what made them."""

    model_version: str
    of_tutors: dict[UUID, float]


class Scorer:
    """Scores pairs on the spot, and has stored predictions follow changed people.

    Models are loaded in threads, and stay loaded until another one is promoted. The rules answer for a lost one.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings, database: Database) -> None:
        self._pool = pool
        self._settings = settings
        self._database = database
        # The promoted version, what answers for it, and until when that is not looked up again.
        self._champion: tuple[str, Champion, float] | None = None
        self._loading = asyncio.Lock()
        # Who writes single people holds a lock in the database, and a second one would give up.
        self._repredicting = asyncio.Lock()

    def risk_level(self, probability: float) -> Literal["low", "medium", "high"]:
        level: Any = risk_level(probability, self._settings.match_medium_risk, self._settings.match_high_risk)
        return level  # type: ignore[no-any-return]

    async def champion(self) -> Champion:
        """The promoted model; the rules if there is none, or if it is lost or cannot be loaded now."""
        try:
            return await self._load()
        except (TutorqError, OSError) as error:
            log.error("model not loaded, rules answer", error=str(error))
            return Champion(rules_for(MATCH), None)

    async def pair(self, student: MatchStudent, tutor: MatchTutor) -> Scored:
        """The prediction for one pair, as of now."""
        return await asyncio.to_thread(self._pair, await self.champion(), student, tutor)

    async def risks(self, student: MatchStudent, tutors: Sequence[MatchTutor]) -> Risks:
        """The student with each of the tutors, as of now."""
        by = await self.champion()

        def work() -> Risks:
            churn = Grid(by.model, [student], tutors).churn[0].tolist() if tutors else []
            chances = (as_stored(np.float32(chance)) for chance in churn)
            return Risks(by.model.version, dict(zip((tutor.tutor_id for tutor in tutors), chances, strict=True)))

        return await asyncio.to_thread(work)

    async def follow(self, *, students: Sequence[UUID] = (), tutors: Sequence[UUID] = ()) -> None:
        """Predict the pairs of these people anew. What cannot be done now stays noted in `ml.touched_people`: until
        the next run does it, these pairs are scored on the spot."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(REPREDICT_SECONDS), self._repredicting:
                by = await self._load()
                if by.lost:
                    return  # the run sees for itself whether the model is lost, or this process only cannot see it
                # If time is up, the thread goes on to its end.
                await asyncio.to_thread(
                    repredict, self._settings, self._database, by.model, students=students, tutors=tutors, wait=False
                )
        except Exception as error:  # the change itself is committed, and must be answered
            log.warning(
                "pairs of a changed person not predicted",
                error=type(error).__qualname__,
                seconds=round(time.monotonic() - started, 3),
            )

    async def _load(self) -> Champion:
        version = await with_connection(self._pool, lambda connection: connection.fetchval(CHAMPION, MATCH.kind))
        if version is None:
            return Champion(rules_for(MATCH), None)
        async with self._loading:
            known = self._champion
            if known is None or known[0] != version or known[2] < time.monotonic():
                found = await asyncio.to_thread(champion, self._settings, self._database, MATCH.kind)
                if found.lost and (known is None or known[1].lost != found.lost):
                    log.error("model lost, rules answer", error=found.lost)
                until = time.monotonic() + LOST_SECONDS if found.lost else math.inf
                self._champion = known = (version, found, until)
            return known[1]

    def _pair(self, by: Champion, student: MatchStudent, tutor: MatchTutor) -> Scored:
        model, students, tutors = by.model, _students([student]), _tutors([tutor])
        [block] = score(model, students, tutors)
        probability = as_stored(block.probability[0])
        apart = {name: None if np.isnan(each[0]) else as_stored(each[0]) for name, each in block.mismatches.items()}
        return Scored(
            Prediction(
                student_id=student.student_id,
                tutor_id=tutor.tutor_id,
                churn_probability=probability,
                risk_level=self.risk_level(probability),
                compatibility_score=as_stored(block.compatibility[0]),
                **apart,
                model_version=model.version,
                predicted_at=datetime.now(UTC),
            ),
            explain.contributions(model, matrix(model, students, tutors))[0],
            PredictionModel(version=model.version, kind=model.source, trained_at=by.trained_at),
        )


class Grid:
    """Predictions of every student with every tutor: `churn` and `compatibility`, (students, tutors) each.

    Computed when it is made, which takes a second for a million pairs.
    """

    def __init__(self, model: Model, students: Sequence[MatchStudent], tutors: Sequence[MatchTutor]) -> None:
        self._model = model
        self._students, self._tutors = _students(students), _tutors(tutors)
        blocks = list(score(model, self._students, self._tutors))
        shape = len(students), len(tutors)
        self.churn = _joined([block.probability for block in blocks]).reshape(shape)
        self.compatibility = _joined([block.compatibility for block in blocks]).reshape(shape)

    def contributions(self, rows: Integers, columns: Integers) -> list[list[explain.Contribution]]:
        """What moves the predictions of the pairs (rows[i], columns[i]), in that order."""
        features = np.empty((len(rows), len(self._model.features)), dtype=np.float32)
        for column in np.unique(columns):
            of_tutor = np.flatnonzero(columns == column)
            one: Integers = np.array([column], dtype=np.int64)
            features[of_tutor] = matrix(self._model, self._students[rows[of_tutor]], self._tutors[one])
        return explain.contributions(self._model, features)


def as_stored(value: np.float32) -> float:
    """A number in single precision as Postgres writes it: the shortest that is read as the same."""
    return float(str(value))


def _joined(parts: list[Matrix]) -> Matrix:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)


def _students(rows: Sequence[MatchStudent]) -> Students:
    return Students(
        ids=_ids([row.student_id for row in rows]),
        pace=_numbers([row.preferred_pace for row in rows]),
        style=style_codes([row.preferred_teaching_style for row in rows]),
        communication=_numbers([row.communication_style for row in rows]),
        age=_numbers([row.age for row in rows]),
        urgency=_numbers([row.urgency_level for row in rows]),
        first_meetings=_numbers([row.student_first_meetings for row in rows]),
        pending_meetings=_numbers([row.student_pending_meetings for row in rows]),
        continuation_rate=_numbers([row.student_continuation_rate for row in rows]),
        sessions_per_pair=_numbers([row.student_sessions_per_pair for row in rows]),
        rating_given=_numbers([row.student_rating_given for row in rows]),
    )


def _tutors(rows: Sequence[MatchTutor]) -> Tutors:
    return Tutors(
        ids=_ids([row.tutor_id for row in rows]),
        pace=_numbers([row.preferred_pace for row in rows]),
        style=style_codes([row.teaching_style for row in rows]),
        communication=_numbers([row.communication_style for row in rows]),
        age=_numbers([row.age for row in rows]),
        experience_years=_numbers([row.experience_years for row in rows]),
        sessions_90d=_numbers([row.tutor_sessions_90d for row in rows]),
        let_down_rate=_numbers([row.tutor_let_down_rate for row in rows]),
        reschedule_rate=_numbers([row.tutor_reschedule_rate for row in rows]),
        no_show_rate=_numbers([row.tutor_no_show_rate for row in rows]),
        continuation_rate=_numbers([row.tutor_continuation_rate for row in rows]),
        rating=_numbers([row.tutor_rating for row in rows]),
        rating_all_time=_numbers([row.tutor_rating_all_time for row in rows]),
    )


def _ids(ids: Sequence[UUID]) -> Ids:
    return np.frombuffer(b"".join(each.bytes for each in ids), dtype=np.uint8).reshape(len(ids), 16)


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
