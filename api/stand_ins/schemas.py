"""What the endpoint of stand-ins takes and gives."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.fields import Count, Fraction
from api.matching.schemas.people import MatchPageMeta, RaisedConcerns
from api.matching.schemas.predictions import RiskLevel
from api.paging import PageFilters


class StandIn(RaisedConcerns):
    """A tutor who is free at the time of the session and teaches its subject."""

    tutor_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["T-1042"])
    name: str | None = Field(examples=["Ada Novak"])
    email: str | None = Field(description="To ask them.", examples=["ada@example.org"])
    subjects: list[str] = Field(description="Empty if the tutor names none.", examples=[["maths", "physics"]])
    let_down_probability: Fraction | None = Field(
        description="Probability that this tutor moves, cancels or misses a session; null without sessions."
    )
    let_down_level: RiskLevel | None = Field(description="Like `risk_level` of upcoming sessions.")
    churn_probability: Fraction | None = Field(
        description=(
            "Probability that the student leaves after the first session with this tutor; null before a "
            "prediction, and with `TUTORQ_MATCH_PAIRS=top` for tutors not on the student's list."
        )
    )
    risk_level: RiskLevel | None = Field(description="Of `churn_probability`.")
    rank: Count | None = Field(
        description="Rank by churn_probability among the stand-ins, 1 is the lowest; ties share a rank.", examples=[3]
    )
    compatibility_score: Fraction | None = Field(description="1 is the best fit of preferences, 0 the worst.")


class CoveredSession(BaseModel):
    """The planned session that needs a stand-in."""

    session_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["S-1042"])
    scheduled_time: AwareDatetime
    minutes: Count = Field(description="Length; 60 if unknown.", examples=[60])
    subject: str | None = Field(examples=["maths"])
    student_id: UUID
    student_name: str | None = Field(examples=["Lea Berg"])
    tutor_id: UUID
    tutor_name: str | None = Field(examples=["Ada Novak"])


class StandInList(BaseModel):
    """A page of stand-ins and their session."""

    session: CoveredSession
    data: list[StandIn]
    meta: MatchPageMeta


class StandInPage(PageFilters):
    """Which page of them."""

    limit: int = Field(default=20, ge=1, le=500)
