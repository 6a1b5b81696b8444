"""What is said of all tutors together."""

from datetime import date

from pydantic import BaseModel, Field

from api.comparison.schemas import NOTICE_DAYS, NoticeCounts, NoticeHours
from api.fields import Count, Fraction
from api.publication import Meta


class PlatformNoticeBand(NoticeHours):
    """Sessions that all tutors called off with notice in this range."""

    moved: Count
    cancelled: Count = Field(description="Cancelled, and not moved before.")
    called_off: Count = Field(description="Both together.")
    share: Fraction | None = Field(description="Share of those with known notice.")


class PlatformNotice(BaseModel):
    """Notice of moves and cancellations by all tutors. As of the last night."""

    days: int = Field(description="Number of days of sessions.", examples=[NOTICE_DAYS])
    short_notice_hours: float = Field(description="Notice below this is short.", examples=[24])
    totals: NoticeCounts
    bands: list[PlatformNoticeBand] = Field(description="The shortest notice first.")


class AttentionWeek(BaseModel):
    """Tutors who began to need attention in a week, and who no longer needed it."""

    week_start: date = Field(description="A Monday.")
    is_complete: bool = Field(description="Whether the week is over.")
    began: Count = Field(description="Tutors with a raised concern who had none before.")
    ended: Count = Field(description="Tutors whose last concern was cleared.")
    tutors: Count = Field(description="Tutors with a raised concern at the end of the week, or on the as-of day.")


class Platform(BaseModel):
    """All tutors together."""

    notice: PlatformNotice
    attention_weeks: list[AttentionWeek] = Field(
        description="Oldest first, at most 52, since concerns are known. Includes tutors who are inactive now."
    )
    inactive_with_attention: Count = Field(description="Inactive tutors with a raised concern.")


class PlatformResponse(BaseModel):
    """All tutors together."""

    data: Platform
    meta: Meta
