"""One pair: its stored prediction, or one computed on the spot."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from api.database import Statement, columns
from api.matching.people import NO_STUDENT, NO_TUTOR
from api.matching.schemas import (
    MatchMeta,
    MatchStudent,
    MatchTutor,
    PairPrediction,
    PairPredictionResponse,
    Prediction,
    PredictionModel,
)
from api.matching.version import MATCH_META_SQL, MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.problems import NotFoundError

RULES = "rules"

PAIR = f"""
with student as (
    select {columns(MatchStudent, "people")} from marts.match_students as people where people.student_id = $1
),

tutor as (
    select {columns(MatchTutor, "people")} from marts.match_tutors as people where people.tutor_id = $2
),

prediction as (
    select {columns(Prediction, "predictions")}
    from marts.match_predictions as predictions
    where predictions.student_id = $1 and predictions.tutor_id = $2
)

select
    {MATCH_VERSION},
    json_build_object(
        'student', (select row_to_json(student) from student),
        'tutor', (select row_to_json(tutor) from tutor),
        'prediction', (select row_to_json(prediction) from prediction),
        'trained_at', (
            select models.trained_at
            from ml.models as models
            inner join prediction on models.model_version = prediction.model_version
        ),
        'meta', json_build_object({MATCH_META_SQL})
    )
from {SOURCE}
"""


class PairFacts(BaseModel):
    """What the query gives."""

    student: MatchStudent | None
    tutor: MatchTutor | None
    prediction: Prediction | None
    trained_at: AwareDatetime | None
    meta: MatchMeta


def pair(student_id: UUID, tutor_id: UUID) -> Statement:
    """What `PairFacts` is made from."""
    return Statement(PAIR, (student_id, tutor_id), version_sql=MATCH_VERSION_QUERY)


def shape(facts_json: bytes) -> bytes:
    """The body of the answer.

    Raises:
        NotFoundError: there is no such student or tutor.
    """
    facts = PairFacts.model_validate_json(facts_json)
    if facts.student is None:
        raise NotFoundError(NO_STUDENT)
    if facts.tutor is None:
        raise NotFoundError(NO_TUTOR)
    if facts.prediction is None:
        raise NotFoundError("This pair has not been predicted yet.")
    version = facts.prediction.model_version
    data = PairPrediction(
        **facts.prediction.model_dump(),
        student_name=facts.student.name,
        tutor_name=facts.tutor.name,
        is_stored=True,
        model=PredictionModel(
            version=version, kind="rules" if version.startswith(RULES) else "model", trained_at=facts.trained_at
        ),
        explanation=None,
    )
    return PairPredictionResponse(data=data, meta=facts.meta).model_dump_json().encode()
