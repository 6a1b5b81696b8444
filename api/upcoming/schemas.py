"""What the endpoint of upcoming sessions takes and gives."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.fields import Count, Fraction, Id, Instant
from api.matching.schemas.people import MatchPageMeta, TutorConcerns
from api.matching.schemas.predictions import RiskLevel
from api.paging import PageFilters
from api.tutors.schemas import SearchText

UpcomingSort = Literal["tutor_disruption_probability", "scheduled_time", "student_name"]


class UpcomingSession(TutorConcerns):
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
    rank: Count | None = Field(
        description="Place by this probability among the sessions that match the filters, 1 the likeliest; equals "
        "share one. Null until it is predicted.",
        examples=[3],
    )
    model_version: str | None = Field(examples=["rules-v1"])


class UpcomingList(BaseModel):
    """A page of sessions to come."""

    data: list[UpcomingSession]
    meta: MatchPageMeta


class UpcomingFilters(PageFilters):
    """Which sessions, in which order, and which page of them."""

    min_risk: float | None = Field(default=None, ge=0, le=1, description="Least tutor_disruption_probability.")
    tutor_id: Id | None = Field(default=None, description="UUID or external id of a tutor.")
    one_per_tutor: bool = Field(default=False, description="Only the likeliest session of each tutor.")
    risk_level: list[RiskLevel] = Field(default=[], description="Any of these; may be given several times.")
    since: Instant | None = Field(default=None, description="Earliest scheduled_time.")
    search: SearchText | None = Field(
        default=None,
        description="Part of the name or of the external id of the tutor or the student, without regard to accents and "
        "case.",
    )
    sort_by: UpcomingSort = Field(
        default="tutor_disruption_probability",
        description="The likeliest to be disturbed first; or the earliest; or by student, and of each the earliest.",
    )
