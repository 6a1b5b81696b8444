"""One pair: its stored prediction, or one computed on the spot, and on request why."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from api.callers import AnyCaller
from api.database import Marts, Statement, columns
from api.matching.queries import HAS_CAPACITY, TUTORS, teach
from api.matching.schemas.people import MatchMeta, MatchStudent, MatchTutor
from api.matching.schemas.predictions import (
    Alternative,
    Contribution,
    MatchExplanation,
    Mismatch,
    PairPrediction,
    PairPredictionResponse,
    Prediction,
    PredictionModel,
    Ranked,
)
from api.matching.scoring import Risks, Scored, Scorer
from api.matching.version import MATCH_META_SQL, MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.paths import NO_STUDENT, NO_TUTOR
from api.problems import NotFoundError
from api.text_writing import TextDesk
from api.turns import Turns
from ml import explain
from ml.explain import MatchFacts, StatedPreferences
from ml.features import WORST_MISMATCH
from ml.rules import VERSION as RULES_VERSION

# Of the time for an explanation: what is left to put the answer together.
RESERVE_SECONDS = 0.25
# Answers under way, of one key and in all. An explanation may wait for the language model for seconds.
PER_KEY = 8
AT_A_TIME = 64
PATIENCE_SECONDS = 10
ALTERNATIVES = 3

PAIR = f"""
with student as (
    select {columns(MatchStudent, "people")} from marts.match_students as people where people.student_id = $1
),

tutor as (
    select {columns(MatchTutor, "people")} from {TUTORS} as people where people.tutor_id = $2
),

prediction as (
    select {columns(Prediction, "predictions")}
    from marts.match_predictions as predictions
    where predictions.bucket = ml.student_bucket($1) and predictions.student_id = $1 and predictions.tutor_id = $2
)

select
    {MATCH_VERSION},
    json_build_object(
        'student', (select row_to_json(student) from student),
        'tutor', (select row_to_json(tutor) from tutor),
        'prediction', (select row_to_json(prediction) from prediction),
        'sessions_together', (
            select count(*) from marts.fct_sessions as held
            where held.student_id = $1 and held.tutor_id = $2 and held.status = 'completed'
        ),
        'trained_at', (
            select models.trained_at
            from ml.models as models
            inner join prediction on models.model_version = prediction.model_version
        ),
        'is_touched', exists (
            select from ml.touched_people as touched
            where (touched.entity, touched.person_id) in (('student', $1), ('tutor', $2))
        ),
        'has_all', not exists (
            select from ml.prediction_buckets as buckets
            where buckets.bucket = ml.student_bucket($1) and buckets.kept = 'top'
        ),
        'meta', json_build_object({MATCH_META_SQL})
    )
from {SOURCE}
"""

# The pair's place among the active tutors of the chosen subject, or who fit these subjects; and of those who are less
# of a risk and have a free place, the best, without a raised concern before others.
COMPARED = f"""
with fitting as materialized (
    select matches.tutor_id, matches.churn_probability, rank() over (order by matches.churn_probability) as rank
    from marts.match_predictions as matches
    inner join marts.match_tutors as people on matches.tutor_id = people.tutor_id
    where matches.bucket = ml.student_bucket($1)
        and matches.student_id = $1
        and matches.tutor_id <> $2
        and people.is_active
        and {teach("people.subjects", "$4::text[]", "$6")}
),

found as (
    select
        matches.tutor_id,
        people.name,
        matches.churn_probability,
        matches.risk_level,
        fitting.rank,
        (select count(*) + 1 from fitting) as rank_of,
        matches.compatibility_score,
        people.free_capacity,
        people.attention,
        people.concerns
    from fitting
    inner join marts.match_predictions as matches
        on matches.bucket = ml.student_bucket($1)
        and matches.student_id = $1
        and fitting.tutor_id = matches.tutor_id
    inner join {TUTORS} as people on fitting.tutor_id = people.tutor_id
    where $5 and fitting.churn_probability < $3 and {HAS_CAPACITY}
    order by people.attention, fitting.churn_probability, fitting.tutor_id
    limit {ALTERNATIVES}
)

select
    {MATCH_VERSION},
    json_build_object(
        'rank', (select count(*) + 1 from fitting where churn_probability < $3),
        'rank_of', (select count(*) + 1 from fitting),
        'alternatives', coalesce((select json_agg(found) from found), '[]')
    )
from {SOURCE}
"""


# Whom the pair's tutor is compared with, where not all pairs are stored.
FITTING = f"""
select
    {MATCH_VERSION},
    (
        select json_build_object('data', coalesce(json_agg(fitting), '[]'))
        from (
            select {columns(MatchTutor, "people")}
            from {TUTORS} as people
            where people.is_active and {teach("people.subjects", "$1::text[]", "$2")}
        ) as fitting
    )
from {SOURCE}
"""


class _Fitting(BaseModel):
    """What the query gives."""

    data: list[MatchTutor]


class _Compared(Ranked):
    """What the query gives: the pair's place, and if asked for, who else would do."""

    alternatives: list[Alternative]


class _PairFacts(BaseModel):
    """What the query gives. `is_touched`: one of the two has changed since their pairs were predicted. `has_all`: all
    pairs of the student are stored, not only the best."""

    student: MatchStudent | None
    tutor: MatchTutor | None
    prediction: Prediction | None
    sessions_together: int
    trained_at: AwareDatetime | None
    is_touched: bool
    has_all: bool
    meta: MatchMeta


class Answer(NamedTuple):
    """The body, and a name for this state of it; None if it may be another the next time it is asked for."""

    body: bytes
    version: str | None


def _placed(compared: _Compared, prediction: Prediction, risks: Risks) -> _Compared:
    """The same with places among all who were scored, instead of among those on the list."""
    others = {tutor_id: risk for tutor_id, risk in risks.of_tutors.items() if tutor_id != prediction.tutor_id}

    def place(probability: float) -> dict[str, int]:
        lower = sum(risk < probability for risk in others.values())
        return {"rank": 1 + lower, "rank_of": 1 + len(others)}

    alternatives = [each.model_copy(update=place(each.churn_probability)) for each in compared.alternatives]
    return compared.model_copy(update={**place(prediction.churn_probability), "alternatives": alternatives})


def pair(student_id: UUID, tutor_id: UUID) -> Statement:
    """What `_PairFacts` is made from."""
    return Statement(PAIR, (student_id, tutor_id), version_sql=MATCH_VERSION_QUERY)


class Pairs:
    """Answers about single pairs.

    Args:
        low, high: probabilities from which the risk is medium, and high.
        seconds: in which an explanation has to be there, counted from the start of the request.
    """

    def __init__(self, marts: Marts, scorer: Scorer, texts: TextDesk, *, low: float, high: float, seconds: float):
        self._marts = marts
        self._scorer = scorer
        self._texts = texts
        self._low = low
        self._high = high
        self._seconds = seconds
        self._turns = Turns("predictions", per_key=PER_KEY, in_all=AT_A_TIME)

    def turn(self, caller: AnyCaller) -> AbstractAsyncContextManager[None]:
        """To be held while a pair is predicted.

        Raises:
            TooManyAtOnceError, OverloadedError: other predictions take too long.
        """
        return self._turns.turn(caller, PATIENCE_SECONDS)

    async def predict(
        self, student_id: UUID, tutor_id: UUID, *, with_explanation: bool, subject: str | None = None
    ) -> Answer:
        """
        Raises:
            NotFoundError: there is no such student or tutor.
        """
        deadline = asyncio.get_running_loop().time() + self._seconds - RESERVE_SECONDS
        read = await self._marts.read(pair(student_id, tutor_id))
        assert read.body is not None
        facts = _PairFacts.model_validate_json(read.body)
        student, tutor, stored = facts.student, facts.tutor, facts.prediction
        if student is None:
            raise NotFoundError(NO_STUDENT)
        if tutor is None:
            raise NotFoundError(NO_TUTOR)
        version: str | None = f"{read.version}.{'touched' if facts.is_touched else 'stored'}"
        scored = None
        if with_explanation or stored is None or facts.is_touched:
            scored = await self._scorer.pair(student, tutor)
        if (
            stored is not None
            and not facts.is_touched
            and (scored is None or scored.model.version == stored.model_version)
        ):
            prediction, is_stored = stored, True
            model = PredictionModel(
                version=stored.model_version,
                kind="rules" if stored.model_version == RULES_VERSION else "model",
                trained_at=facts.trained_at,
            )
        else:
            assert scored is not None
            prediction, is_stored, model = scored.prediction, False, scored.model
            version = f"{version}.{model.version}"
        compared = await self._compare(student, tutor, prediction, subject, with_alternatives=with_explanation)
        if not facts.has_all:
            risks = await self._risks(student, tutor, subject)
            compared = _placed(compared, prediction, risks)
            # The others are scored by the champion, whatever stands in the rows.
            version = f"{version}.{risks.model_version}"
        explanation = None
        if with_explanation:
            assert scored is not None
            explanation, is_final = await self._explain(facts, prediction, scored, compared.alternatives, deadline)
            # What is told follows the champion and the language model at once, what is stored follows later.
            version = f"{version}.{scored.model.version}.{explanation.source}" if is_final else None
        data = PairPrediction(
            **prediction.model_dump(),
            rank=compared.rank,
            rank_of=compared.rank_of,
            student_name=student.name,
            tutor_name=tutor.name,
            tutor_attention=tutor.attention,
            tutor_concerns=tutor.concerns,
            tutor_let_down_probability=tutor.let_down_probability,
            tutor_let_down_level=tutor.let_down_level,
            sessions_together=facts.sessions_together,
            is_stored=is_stored,
            model=model,
            explanation=explanation,
        )
        return Answer(PairPredictionResponse(data=data, meta=facts.meta).model_dump_json().encode(), version)

    async def _compare(
        self,
        student: MatchStudent,
        tutor: MatchTutor,
        prediction: Prediction,
        subject: str | None,
        *,
        with_alternatives: bool,
    ) -> _Compared:
        """By the chosen subject, or the student's subjects; by the tutor's where the student names none."""
        subjects = student.subjects or tutor.subjects
        pair_ids = student.student_id, tutor.tutor_id
        read = await self._marts.read(
            Statement(COMPARED, (*pair_ids, prediction.churn_probability, subjects, with_alternatives, subject))
        )
        assert read.body is not None
        return _Compared.model_validate_json(read.body)

    async def _risks(self, student: MatchStudent, tutor: MatchTutor, subject: str | None) -> Risks:
        """Of the active tutors who fit, scored on the spot: the exact place needs all of them."""
        read = await self._marts.read(Statement(FITTING, (student.subjects or tutor.subjects, subject)))
        assert read.body is not None
        return await self._scorer.risks(student, _Fitting.model_validate_json(read.body).data)

    async def _explain(
        self,
        facts: _PairFacts,
        prediction: Prediction,
        scored: Scored,
        alternatives: list[Alternative],
        deadline: float,
    ) -> tuple[MatchExplanation, bool]:
        student, tutor = facts.student, facts.tutor
        assert student is not None
        assert tutor is not None
        apart = {name: getattr(prediction, name) for name in WORST_MISMATCH}
        is_comparable = any(value is not None for value in apart.values())
        about = MatchFacts(
            churn_probability=prediction.churn_probability,
            risk_level=prediction.risk_level,
            medium_from=self._low,
            high_from=self._high,
            compatibility_score=prediction.compatibility_score if is_comparable else None,
            student=StatedPreferences(
                pace=student.preferred_pace,
                communication=student.communication_style,
                style=student.preferred_teaching_style,
                urgency=student.urgency_level,
            ),
            tutor=StatedPreferences(
                pace=tutor.preferred_pace, communication=tutor.communication_style, style=tutor.teaching_style
            ),
            contributions=scored.contributions,
            model_version=prediction.model_version,
            sessions_together=facts.sessions_together,
        )
        written = await self._texts.write(explain.task(about), explain.rule_texts(about), deadline)
        explanation = MatchExplanation(
            source=written.source,
            **asdict(written.texts),
            contributions=[Contribution(**asdict(each)) for each in scored.contributions],
            mismatches=[
                Mismatch(name=each.name, label=each.label, value=each.value, max=each.most, severity=each.severity)
                for each in explain.mismatches(apart)
            ],
            alternatives=alternatives,
        )
        return explanation, written.is_final
