"""What the funnel plot gives."""

from uuid import UUID

from pydantic import BaseModel, Field

from api.fields import Count, Fraction
from api.publication import Meta
from api.tutors.schemas import RiskStatus
from core.concerns import ConcernName


class FunnelPoint(BaseModel):
    """One tutor with sessions in the last 90 days."""

    tutor_id: UUID
    external_id: str | None
    name: str | None
    risk_status: RiskStatus
    attention: bool = Field(description="Only tutors with (true) or without (false) a raised concern.")
    concerns: list[ConcernName] = Field(description="Those that are raised.")
    sessions_90d: Count
    let_down_rate_90d: Fraction | None = Field(description="Let-downs per session.")


class SubjectCount(BaseModel):
    """A subject, and how many tutors teach it."""

    subject: str = Field(examples=["maths"])
    tutors: Count


class Funnel(BaseModel):
    """Sessions against rates, with the reference values."""

    points: list[FunnelPoint] = Field(description="Tutors with the most sessions first.")
    platform_let_down_rate_90d: Fraction | None = Field(description="The rate of all tutors together.")
    risk_threshold: Fraction = Field(description="Rate of let-downs that should not be exceeded.", examples=[0.15])
    subjects: list[SubjectCount] = Field(description="Of all tutors, whatever the filters; in alphabetical order.")


class FunnelResponse(BaseModel):
    """The funnel plot."""

    data: Funnel
    meta: Meta
