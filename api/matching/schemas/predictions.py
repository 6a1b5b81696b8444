"""Predictions for pairs, their lists and explanations, and the run that predicts all pairs."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.fields import Count, Fraction
from api.matching.schemas.people import MatchMeta, MatchPageMeta, RaisedConcerns, SortOrder, TutorConcerns
from api.paging import PageFilters
from api.tutors.schemas import SearchText

RiskLevel = Literal["low", "medium", "high"]


class Prediction(BaseModel):
    """How likely it is that the student leaves after the first session of a pair (the leaving risk)."""

    student_id: UUID
    tutor_id: UUID
    churn_probability: Fraction = Field(description="Probability of no second session within 30 days of the first.")
    risk_level: RiskLevel = Field(description="Level of `churn_probability`. It does not cover let-downs by the tutor.")
    compatibility_score: Fraction = Field(
        description="1 is the best fit of preferences, 0 the worst; 0.5 if no preferences can be compared."
    )
    pace_mismatch: float | None = Field(description="0 to 4; null if a preference is unknown.", examples=[1])
    style_mismatch: float | None = Field(description="0 same, 0.5 if either is flexible, else 1.", examples=[0.5])
    communication_mismatch: float | None = Field(description="0 to 4.", examples=[2])
    age_mismatch: float | None = Field(description="Years between the two.", examples=[20])
    model_version: str = Field(examples=["rules-v1"])
    predicted_at: AwareDatetime


class Match(RaisedConcerns, Prediction):
    """A prediction and the other person. Concerns are about tutors; students have none."""

    rank: Count = Field(
        description="Rank by churn_probability among the pairs that match the filters, 1 is the lowest; ties share a "
        "rank."
    )
    external_id: str | None = Field(description="The other person's id as delivered, where it was not a UUID.")
    name: str | None = Field(description="The other person's name.", examples=["Ada Novak"])
    subjects: list[str] = Field(description="The other person's subjects.", examples=[["maths"]])
    free_capacity: int | None = Field(
        description="If the other person is a tutor with a known capacity: number of free places.", examples=[3]
    )


class MatchList(BaseModel):
    """A page of the predictions for one person."""

    data: list[Match]
    meta: MatchPageMeta


class _MatchFilters(PageFilters):
    risk_level: list[RiskLevel] = Field(default=[], description="Any of these values; may be repeated.")
    min_compatibility: float | None = Field(default=None, ge=0, le=1, description="Minimum compatibility_score.")
    subject: SearchText | None = Field(default=None, description="One of the other person's subjects, spelt exactly.")
    shares_subject: bool = Field(
        default=True,
        description=(
            "Only people who share a subject with the person; people without subjects fit everybody. "
            "False returns people of all subjects. With `subject`, only that filter counts."
        ),
    )
    sort_by: Literal["churn_probability", "compatibility_score", "name"] = "churn_probability"
    sort_order: SortOrder | None = Field(
        default=None, description="Default: best first, which is asc, or desc for compatibility_score."
    )


class MatchesOfTutorFilters(_MatchFilters):
    """Which students, in which order, and which page of them."""


class MatchesOfStudentFilters(_MatchFilters):
    """Which tutors, in which order, and which page of them."""

    has_capacity: bool | None = Field(
        default=None,
        description="Only tutors with room for another student; a tutor with unknown capacity always has room.",
    )
    concerns_last: bool = Field(
        default=False, description="Tutors with a raised concern come last, as among alternatives and stand-ins."
    )


class PredictionModel(BaseModel):
    """The source of a prediction."""

    version: str = Field(examples=["match-20260131T120004"])
    kind: Literal["model", "rules"] = Field(description="`rules` until a trained model has been promoted.")
    trained_at: AwareDatetime | None = Field(description="Null for rules.")


class Contribution(BaseModel):
    """Contribution of one feature to the prediction."""

    feature: str = Field(examples=["pace_mismatch"])
    label: str = Field(examples=["Difference in pace"])
    value: float | None = Field(description="Null if unknown.", examples=[3])
    contribution: float = Field(description="In log-odds of churn; above 0 increases the risk.", examples=[0.41])


class Mismatch(BaseModel):
    """Distance between the two in one respect."""

    name: Literal["pace_mismatch", "style_mismatch", "communication_mismatch", "age_mismatch"]
    label: str = Field(examples=["Pace"])
    value: float | None = Field(description="Null if a preference is unknown.", examples=[3])
    max: float = Field(description="Maximum, or the largest value that counts.", examples=[4])
    severity: Literal["none", "low", "medium", "high"] | None = Field(description="Null if unknown.")


class Ranked(BaseModel):
    """How a tutor's risk with a student compares, where all levels are the same."""

    rank: Count = Field(
        description=(
            "Rank of the tutor by churn_probability, 1 is the lowest, among active tutors who share a "
            "subject with the student or have none; if the student has none, among those who share one "
            "with the tutor. With `subject`, among those who teach it."
        )
    )
    rank_of: Count = Field(description="Number of these tutors, including this one.", examples=[27])


class Alternative(RaisedConcerns, Ranked):
    """Another of these tutors with a free place and a lower risk."""

    tutor_id: UUID
    name: str | None = Field(examples=["Ada Novak"])
    churn_probability: Fraction
    risk_level: RiskLevel
    compatibility_score: Fraction
    free_capacity: int | None = Field(description="Null if the capacity is unknown.", examples=[3])


class MatchExplanation(BaseModel):
    """A prediction in words for student and tutor, with its reasons."""

    source: Literal["model", "rules"] = Field(
        description="Author of the texts: a language model, or rules with the same numbers."
    )
    for_student: str = Field(description="Two to three sentences: why the tutor suits the student or may not.")
    for_tutor: str = Field(description="Two to three sentences: what the tutor should know.")
    contributions: list[Contribution] = Field(description="Strongest first.")
    mismatches: list[Mismatch]
    alternatives: list[Alternative] = Field(
        description="At most three; tutors with a raised concern last, otherwise the lowest risk first."
    )


class PairPrediction(TutorConcerns, Ranked, Prediction):
    """The prediction for one pair, and its source."""

    student_name: str | None = Field(examples=["Lea Berg"])
    tutor_name: str | None = Field(examples=["Ada Novak"])
    tutor_let_down_probability: Fraction | None = Field(
        description="Probability that the tutor moves, cancels or misses a session; null without sessions."
    )
    tutor_let_down_level: RiskLevel | None = Field(description="Like `risk_level` of upcoming sessions.")
    sessions_together: Count = Field(
        description="Completed sessions of the two. Above 0 they have met, and `churn_probability` is the value for a "
        "first session."
    )
    is_stored: bool = Field(description="False if it was computed for this answer.")
    model: PredictionModel
    explanation: MatchExplanation | None = Field(description="Null unless asked for.")


class PairPredictionResponse(BaseModel):
    """The prediction for one pair."""

    data: PairPrediction
    meta: MatchMeta


class PredictOptions(BaseModel, extra="forbid"):
    """What beside the numbers."""

    explain: bool = Field(default=False, description="Add an explanation; takes up to eight seconds.")
    subject: SearchText | None = Field(
        default=None, description="Ranks and alternatives only among tutors of this subject, spelt exactly."
    )


class GenerationAccepted(BaseModel):
    """The run that makes new predictions of all pairs."""

    run_id: str = Field(examples=["0b5e2c8e-7f0d-4a3e-9f43-3f0c6f1f2a11"])
    status_url: str = Field(examples=["/api/matching/generate-all/0b5e2c8e-7f0d-4a3e-9f43-3f0c6f1f2a11"])


class GenerationStatus(BaseModel):
    """Progress of that run."""

    run_id: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
