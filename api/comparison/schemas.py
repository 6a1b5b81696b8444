"""What a comparison gives."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from api.fields import Count, Fraction
from api.publication import Meta

# Vars of the dbt project: notice_days, retention_days.
NOTICE_DAYS = 90
RETENTION_DAYS = 90


class QualityBin(BaseModel):
    """Tutors whose score is in a range."""

    from_score: Annotated[int, Field(examples=[60])]
    to_score: Annotated[int, Field(examples=[65])] = Field(
        description="Upper end of the range; the last one includes 100."
    )
    tutors: Count


class QualityComparison(BaseModel):
    """One tutor's quality score among all rated tutors."""

    score: float | None = Field(examples=[61.4])
    percentile: Fraction | None = Field(description="Share of rated tutors with a lower score; null if not rated.")
    rated_tutors: Count = Field(description="Number of tutors with enough sessions, including this one if rated.")
    bins: list[QualityBin] = Field(description="20 ranges of 5 points, the lowest first.")


class NoticeCounts(BaseModel):
    """Sessions that tutors moved or cancelled, not excused."""

    called_off: Count
    short: Count = Field(description="With less notice than `short_notice_hours`.")
    unknown: Count = Field(description="With unknown notice.")
    short_share: Fraction | None = Field(description="Share of those with known notice; null without any.")


class NoticeHours(BaseModel):
    """A range of notice."""

    from_hours: float | None = Field(description="Null: called off after the planned start.", examples=[12])
    to_hours: float | None = Field(description="Null: no upper end.", examples=[24])
    is_short: bool = Field(description="Whether this is short notice.")


class NoticeBand(NoticeHours):
    """Sessions that one tutor, and all tutors, called off with notice in this range."""

    tutor: Count
    tutor_share: Fraction | None = Field(description="Share of the tutor's sessions with known notice.")
    platform: Count
    platform_share: Fraction | None = Field(description="The same for all tutors together.")


class NoticeComparison(BaseModel):
    """Notice of one tutor's moves and cancellations, compared with all tutors."""

    days: int = Field(description="Number of days of sessions.", examples=[NOTICE_DAYS])
    short_notice_hours: float = Field(description="Notice below this is short.", examples=[24])
    tutor: NoticeCounts
    platform: NoticeCounts = Field(description="All tutors, as of the last night.")
    bands: list[NoticeBand] = Field(description="The shortest notice first.")


class RetentionStep(BaseModel):
    """New students with at least this many sessions."""

    session_number: int = Field(description="1 is the first session with the tutor.", examples=[2])
    tutor: Count
    tutor_share: Fraction | None = Field(description="Null without new students.")
    platform: Count
    platform_share: Fraction | None


class Retention(BaseModel):
    """How many new students come back to one tutor, compared with all tutors."""

    days: int = Field(description="Number of days each new student is followed.", examples=[RETENTION_DAYS])
    students: Count = Field(description="The tutor's students whose first session was between a year and `days` ago.")
    platform_students: Count = Field(description="The same for all tutors, as of the last night.")
    least_students: int = Field(description="With fewer students there are no figures.", examples=[5])
    steps: list[RetentionStep] = Field(description="The first session first.")


class Comparison(BaseModel):
    """One tutor compared with all others."""

    tutor_id: UUID
    external_id: str | None
    name: str | None
    quality: QualityComparison
    notice: NoticeComparison
    retention: Retention


class ComparisonResponse(BaseModel):
    """One tutor compared with all others."""

    data: Comparison
    meta: Meta
