"""What the endpoint of upcoming sessions takes and gives."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.fields import Count, Fraction, Id, Instant
from api.matching.schemas.people import MatchPageMeta, TutorConcerns
from api.matching.schemas.predictions import RiskLevel
from api.paging import PageFilters
from api.tutors.schemas import SearchText

UpcomingSort = Literal[
    "let_down_probability",
    "tutor_disruption_probability",
    "student_no_show_probability",
    "first_session_risk",
    "scheduled_time",
    "student_name",
]


class UpcomingSession(TutorConcerns):
    """A scheduled session, and how likely its tutor is to let it down, and its student to miss it."""

    session_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["S-1042"])
    scheduled_time: AwareDatetime
    subject: str | None = Field(examples=["maths"])
    duration_minutes: int | None = Field(examples=[60])
    tutor_id: UUID
    tutor_external_id: str | None = Field(description="The id as delivered, if any.", examples=["T-1042"])
    tutor_name: str | None = Field(examples=["Ada Novak"])
    tutor_sessions: Count = Field(description="Sessions of this tutor that match the filters, this one among them.")
    student_id: UUID
    student_external_id: str | None = Field(description="The id as delivered, if any.", examples=["P-230"])
    student_name: str | None = Field(examples=["Lea Berg"])
    is_first_meeting: bool = Field(
        description="Whether the two have not met before; of a series, true for the first session alone."
    )
    tutor_reschedule_rate: Fraction = Field(description="Estimated share of sessions the tutor reschedules.")
    tutor_no_show_rate: Fraction = Field(description="Estimated share of sessions the tutor misses.")
    pair_sessions_before: Count = Field(description="Sessions of the two before this one.")
    let_down_probability: Fraction | None = Field(
        description="Probability that the tutor moves, cancels or misses it: `let_down_rate_expected` of the tutor, so "
        "that planned sessions add up to `harm_sessions`. Null for a tutor without sessions."
    )
    risk_level: RiskLevel | None = Field(
        description="`high`: that probability is above the limit (`let_down_limit`). `medium`: above the usual rate "
        "(`let_down_usual`), or the tutor is unreliable, suddenly worse or has too many no-shows. `low`: neither."
    )
    rank: Count | None = Field(
        description="Place by let_down_probability among the sessions that match the filters, 1 the likeliest; "
        "equals share one. Null without a probability.",
        examples=[3],
    )
    tutor_disruption_probability: Fraction | None = Field(
        description="What the session model says of moves and no-shows; null until predicted. For comparison: levels "
        "and order go by let_down_probability, which predicts better."
    )
    model_version: str | None = Field(description="What `tutor_disruption_probability` is of.", examples=["rules-v1"])
    student_no_show_probability: Fraction | None = Field(
        description="Probability that the student does not come; null until predicted."
    )
    student_risk_level: RiskLevel | None = Field(
        description="`high`: that probability is above the limit (`let_down_limit`). `medium`: above half of it."
    )
    student_model_version: str | None = Field(
        description="What `student_no_show_probability` is of.", examples=["rules-v1"]
    )
    churn_probability: Fraction | None = Field(
        description="Of a first meeting: probability that the student leaves after it; null for others, or unpredicted."
    )
    churn_risk_level: RiskLevel | None = Field(description="Of that, by the limits of matching.")
    first_session_risk: Fraction | None = Field(
        description="Of a first meeting: probability that tutor or student fails it, or the student leaves after it."
    )
    preparation: list[str] = Field(
        description="Of a first meeting: what is known of the two that stands out, a sentence each.",
        examples=[["The student's first tutor.", "Pace (1 slow, 5 fast): the student prefers 2, the tutor 4."]],
    )


class UpcomingMeta(MatchPageMeta):
    """What is behind the list, and what levels are measured by."""

    let_down_limit: Fraction = Field(description="Above it, risk is high.", examples=[0.15])
    let_down_usual: Fraction | None = Field(description="The rate of let-downs over all tutors.", examples=[0.12])


class UpcomingList(BaseModel):
    """A page of sessions to come."""

    data: list[UpcomingSession]
    meta: UpcomingMeta


class UpcomingFilters(PageFilters):
    """Which sessions, in which order, and which page of them."""

    min_risk: float | None = Field(default=None, ge=0, le=1, description="Least let_down_probability.")
    tutor_id: Id | None = Field(default=None, description="UUID or external id of a tutor.")
    one_per_tutor: bool = Field(default=False, description="Only the first session of each tutor.")
    risk_level: list[RiskLevel] = Field(default=[], description="Any of these; may be given several times.")
    student_risk_level: list[RiskLevel] = Field(default=[], description="Any of these; may be given several times.")
    is_first_meeting: bool | None = Field(
        default=None, description="Only first meetings (true), or only others (false)."
    )
    since: Instant | None = Field(
        default=None, description="Earliest scheduled_time; left out: the beginning of the as-of day."
    )
    search: SearchText | None = Field(
        default=None,
        description="Part of the name or of the external id of the tutor or the student, without regard to accents and "
        "case.",
    )
    sort_by: UpcomingSort = Field(
        default="let_down_probability",
        description="The likeliest to be let down first, of one tutor the earliest; or the earliest; or by student; or "
        "by what the session model says; or those that the student is likeliest to miss first; or "
        "first meetings that are at the greatest risk.",
    )
