"""What the endpoint of upcoming sessions takes and gives."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.fields import Count, Fraction, Id
from api.matching.schemas.people import MatchPageMeta
from api.matching.schemas.predictions import RiskLevel


class UpcomingSession(BaseModel):
    """A scheduled session, and how likely its tutor is to move or miss it."""

    session_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["S-1042"])
    scheduled_time: AwareDatetime
    subject: str | None = Field(examples=["maths"])
    duration_minutes: int | None = Field(examples=[60])
    tutor_id: UUID
    tutor_name: str | None = Field(examples=["Ada Novak"])
    tutor_sessions: Count = Field(description="Sessions of this tutor that match the filters, this one among them.")
    student_id: UUID
    student_name: str | None = Field(examples=["Lea Berg"])
    is_first_meeting: bool = Field(description="Whether the two have not met before.")
    tutor_reschedule_rate: Fraction = Field(description="Estimated share of sessions the tutor reschedules.")
    tutor_no_show_rate: Fraction = Field(description="Estimated share of sessions the tutor misses.")
    pair_sessions_before: Count = Field(description="Sessions of the two before this one.")
    tutor_disruption_probability: Fraction | None = Field(
        description="Probability that the tutor reschedules it or does not come; null until it is predicted."
    )
    risk_level: RiskLevel | None
    model_version: str | None = Field(examples=["rules-v1"])


class UpcomingList(BaseModel):
    """A page of sessions to come."""

    data: list[UpcomingSession]
    meta: MatchPageMeta


class UpcomingFilters(BaseModel, extra="forbid"):
    """Which sessions, and which page of them; the likeliest to be disturbed come first."""

    min_risk: float | None = Field(default=None, ge=0, le=1, description="Least tutor_disruption_probability.")
    tutor_id: Id | None = Field(default=None, description="UUID or external id of a tutor.")
    one_per_tutor: bool = Field(default=False, description="Only the likeliest session of each tutor.")
    limit: int = Field(default=50, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=10_000_000)
