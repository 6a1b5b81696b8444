"""What the endpoint of upcoming sessions takes and gives."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.fields import Count, Fraction, Id, Instant
from api.matching.schemas.people import MatchPageMeta, TutorConcerns
from api.matching.schemas.predictions import RiskLevel
from api.paging import PageFilters
from api.text_search import SEARCHED
from api.tutors.schemas import SearchText, TeamOf

UpcomingSort = Literal[
    "let_down_probability",
    "tutor_disruption_probability",
    "student_no_show_probability",
    "first_session_risk",
    "scheduled_time",
    "student_name",
]


class UpcomingSession(TutorConcerns):
    """A scheduled session, with the risks that its tutor lets it down and that its student misses it."""

    session_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["S-1042"])
    scheduled_time: AwareDatetime
    subject: str | None = Field(examples=["maths"])
    duration_minutes: int | None = Field(examples=[60])
    tutor_id: UUID
    tutor_external_id: str | None = Field(description="The id as delivered, if any.", examples=["T-1042"])
    tutor_name: str | None = Field(examples=["Ada Novak"])
    tutor_sessions: Count = Field(
        description="Number of this tutor's sessions that match the filters, including this one."
    )
    student_id: UUID
    student_external_id: str | None = Field(description="The id as delivered, if any.", examples=["P-230"])
    student_name: str | None = Field(examples=["Lea Berg"])
    is_first_meeting: bool = Field(
        description="Whether it is the first session of the two; in a series, true only for the first one."
    )
    tutor_reschedule_rate: Fraction = Field(description="Estimated share of sessions the tutor reschedules.")
    tutor_no_show_rate: Fraction = Field(description="Estimated share of sessions the tutor misses.")
    pair_sessions_before: Count = Field(description="Number of earlier sessions of the two.")
    let_down_probability: Fraction | None = Field(
        description="Probability that the tutor moves, cancels or misses it: the tutor's `let_down_rate_expected`, so "
        "planned sessions add up to `harm_sessions`. Null for a tutor without sessions."
    )
    risk_level: RiskLevel | None = Field(
        description="`high`: that probability is above the limit (`let_down_limit`). `medium`: above the usual rate "
        "(`let_down_usual`), or the tutor is unreliable, suddenly worse or has too many no-shows. `low`: neither."
    )
    rank: Count | None = Field(
        description="Rank by let_down_probability among the sessions that match the filters, 1 is the most likely; "
        "ties share a rank. Null without a probability.",
        examples=[3],
    )
    tutor_disruption_probability: Fraction | None = Field(
        description="The session model's probability of a move or no-show; null before a prediction. For comparison "
        "only: levels and order use let_down_probability, which predicts better."
    )
    model_version: str | None = Field(description="Model behind `tutor_disruption_probability`.", examples=["rules-v1"])
    student_no_show_probability: Fraction | None = Field(
        description="Probability that the student does not come; null before a prediction."
    )
    student_risk_level: RiskLevel | None = Field(
        description="`high`: that probability is above the limit (`let_down_limit`). `medium`: above half of it."
    )
    student_model_version: str | None = Field(
        description="Model behind `student_no_show_probability`.", examples=["rules-v1"]
    )
    churn_probability: Fraction | None = Field(
        description="For a first meeting: probability that the student leaves after it; otherwise null, or before a "
        "prediction."
    )
    churn_risk_level: RiskLevel | None = Field(description="Level of `churn_probability`, by the limits of matching.")
    first_session_risk: Fraction | None = Field(
        description="For a first meeting: probability that the tutor or the student fails it, or that the student "
        "leaves after it."
    )
    preparation: list[str] = Field(
        description="For a first meeting: notable facts about the two, one sentence each.",
        examples=[["The student's first tutor.", "Pace (1 slow, 5 fast): the student prefers 2, the tutor 4."]],
    )
    stand_in_id: UUID | None = Field(
        description="Tutor who has agreed to hold it instead, as noted in the tutor's open case; null if none has. The "
        "marketplace moves the session."
    )
    stand_in_external_id: str | None = Field(description="The id as delivered, if any.", examples=["T-1043"])
    stand_in_name: str | None = Field(examples=["Ada Novak"])


class UpcomingMeta(MatchPageMeta):
    """The publication behind the list, and the limits of the levels."""

    let_down_limit: Fraction = Field(description="Limit above which the risk is high.", examples=[0.15])
    let_down_usual: Fraction | None = Field(description="The rate of let-downs over all tutors.", examples=[0.12])


class UpcomingList(BaseModel):
    """A page of planned sessions."""

    data: list[UpcomingSession]
    meta: UpcomingMeta


class UpcomingFilters(PageFilters):
    """Which sessions, in which order, and which page of them."""

    min_risk: float | None = Field(default=None, ge=0, le=1, description="Minimum let_down_probability.")
    tutor_id: Id | None = Field(default=None, description="UUID or external id of a tutor.")
    team_of: TeamOf = None
    one_per_tutor: bool = Field(default=False, description="Only the first session of each tutor.")
    risk_level: list[RiskLevel] = Field(default=[], description="Any of these values; may be repeated.")
    student_risk_level: list[RiskLevel] = Field(default=[], description="Any of these values; may be repeated.")
    is_first_meeting: bool | None = Field(
        default=None, description="Only first meetings (true), or only others (false)."
    )
    since: Instant | None = Field(
        default=None, description="Earliest scheduled_time; default: the beginning of the as-of day."
    )
    until: Instant | None = Field(default=None, description="Before this time.")
    search: SearchText | None = Field(
        default=None,
        description=f"Searches tutors and students. {SEARCHED}",
    )
    sort_by: UpcomingSort = Field(
        default="let_down_probability",
        description="`let_down_probability`: most likely to be let down first, each tutor's earliest first. Or by "
        "time, by student, by the session model, by the student's no-show risk, or first meetings with "
        "the greatest risk first.",
    )
