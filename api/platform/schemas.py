"""What is said of all tutors together."""

from datetime import date

from pydantic import BaseModel, Field

from api.comparison.schemas import NOTICE_DAYS, NoticeCounts, NoticeHours
from api.fields import Count, Fraction
from api.publication import Meta


class PlatformNoticeBand(NoticeHours):
    """Sessions that all tutors called off with so much notice."""

    moved: Count
    cancelled: Count = Field(description="Cancelled, and not moved before.")
    called_off: Count = Field(description="Both together.")
    share: Fraction | None = Field(description="Of those whose notice is known.")


class PlatformNotice(BaseModel):
    """With how much notice tutors move or cancel sessions. As of the last night."""

    days: int = Field(description="Sessions of so many days.", examples=[NOTICE_DAYS])
    short_notice_hours: float = Field(description="Less notice is short.", examples=[24])
    totals: NoticeCounts
    bands: list[PlatformNoticeBand] = Field(description="The shortest notice first.")


class AttentionWeek(BaseModel):
    """Tutors who began to need attention in a week, and who no longer needed it."""

    week_start: date = Field(description="A Monday.")
    is_complete: bool = Field(description="Whether the week is over.")
    began: Count = Field(description="A concern was raised, and none had been.")
    ended: Count = Field(description="The last concern was cleared.")
    tutors: Count = Field(description="With a raised concern at the end of the week, or on the as-of day.")


class Platform(BaseModel):
    """All tutors together."""

    notice: PlatformNotice
    attention_weeks: list[AttentionWeek] = Field(
        description="Oldest first, 52 at most, from when concerns are known. Also of tutors who are not active now."
    )
    inactive_with_attention: Count = Field(description="Tutors with a raised concern who are not active.")


class PlatformResponse(BaseModel):
    """All tutors together."""

    data: Platform
    meta: Meta
