"""What the overview gives."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from api.fields import Count, Fraction
from api.publication import Meta
from api.tutors.counts import WeekCounts
from api.tutors.schemas import ReliabilityCounts, RiskStatus, Week
from core.concerns import Concern, ConcernName
from core.patterns import Pattern


class StatusCount(BaseModel):
    """Active tutors of one risk status."""

    risk_status: RiskStatus
    tutors: Count
    change: Annotated[int, Field(examples=[-2])] | None = Field(
        description="Difference to the day before; null if there are no scores of an earlier day."
    )


class PlatformRates(BaseModel):
    """All tutors together, and the priors towards which single tutors are shrunk."""

    tutors: Count = Field(description="Tutors with sessions in the last 90 days.")
    sessions_90d: Count
    let_downs_90d: Count
    let_down_rate_90d: Fraction | None
    let_down_prior_alpha: float = Field(examples=[3.1])
    let_down_prior_beta: float = Field(examples=[31.4])
    tutor_no_show_rate_90d: Fraction | None
    no_show_prior_alpha: float = Field(examples=[1.2])
    no_show_prior_beta: float = Field(examples=[61.0])
    first_session_rate: Fraction | None
    first_session_prior_alpha: float = Field(examples=[7.0])
    first_session_prior_beta: float = Field(examples=[3.0])
    rating_mean_90d: float | None = Field(examples=[4.4])


class Rules(BaseModel):
    """The settings behind the statuses."""

    timezone: str = Field(description="Reporting zone: days begin and end in it.", examples=["Europe/Vienna"])
    risk_threshold: Fraction = Field(description="Rate of let-downs that should not be exceeded.", examples=[0.15])
    reliability_counts: ReliabilityCounts
    high_risk_probability: Fraction = Field(description="From this risk probability on: high_risk.", examples=[0.8])
    watch_probability: Fraction = Field(description="From this risk probability on: watch.", examples=[0.5])


class PlatformWeek(WeekCounts, Week):
    """One week, all tutors together."""

    rating_mean: float | None = Field(examples=[4.4])


class ConcernCount(BaseModel):
    """Active tutors with one concern raised."""

    concern: ConcernName
    tutors: Count
    raised_today: Count = Field(description="Of these, tutors for whom it was raised on as_of.")
    cleared_today: Count = Field(description="Other active tutors, for whom it was raised until the day before.")


class TutorName(BaseModel):
    """Who is meant."""

    tutor_id: UUID
    external_id: str | None
    name: str | None


class RaisedConcern(Concern, TutorName):
    """A raised concern and its tutor."""


class PlatformPattern(Pattern):
    """One pattern of all tutors together, with its words."""

    sentence: str = Field(
        examples=[
            "On Fridays, tutors moved, cancelled or missed 310 of 2,040 sessions in 180 days, 15%; otherwise 11%. "
            "About 15% is to be expected there."
        ]
    )


class Overview(BaseModel):
    """The platform at a glance."""

    active_tutors: Count
    attention: Count = Field(description="Active tutors with a raised concern.")
    attention_began_today: Count = Field(description="Of these, tutors without a raised concern the day before.")
    attention_ended_today: Count = Field(
        description="Other active tutors, who had a raised concern until the day before."
    )
    concerns: list[ConcernCount] = Field(description="Every concern, in a fixed order; a tutor may have several.")
    risk_status: list[StatusCount] = Field(description="All four statuses, most serious first.")
    compared_with: date | None = Field(description="The newest day before as_of that has scores.")
    platform: PlatformRates
    rules: Rules
    weeks: list[PlatformWeek] = Field(description="Oldest first.")
    newest_concerns: list[RaisedConcern] = Field(description="Concerns about active tutors, newest first.")
    patterns: list[PlatformPattern] = Field(
        description="Slots in which all tutors together let down more than in others, most certain first. As of the "
        "last night."
    )


class OverviewResponse(BaseModel):
    """The overview."""

    data: Overview
    meta: Meta
