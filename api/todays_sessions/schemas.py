"""What is said of today's sessions."""

from pydantic import BaseModel, Field

from api.fields import Count
from api.publication import Meta


class SessionCounts(BaseModel):
    """Sessions, each in exactly one of the counts."""

    high: Count = Field(description="Planned, with a high risk of a let-down by the tutor.")
    medium: Count = Field(description="Planned, medium risk.")
    low: Count = Field(description="Planned, low risk.")
    unknown: Count = Field(description="Planned, with a tutor without data.")
    held: Count
    let_down: Count = Field(description="Moved, cancelled or missed by the tutor.")
    other: Count = Field(description="Moved, cancelled or missed, but not by the tutor, or excused.")


class SessionHour(SessionCounts):
    """Sessions that begin in one hour."""

    hour: int = Field(ge=0, le=23, description="In the reporting zone.", examples=[16])


class TodaysSessions(BaseModel):
    """The sessions of the as-of day."""

    timezone: str = Field(description="Reporting zone.", examples=["Europe/Vienna"])
    sessions: Count
    totals: SessionCounts
    hours: list[SessionHour] = Field(description="Hours without sessions are absent.")


class TodaysSessionsResponse(BaseModel):
    """Today's sessions by hour."""

    data: TodaysSessions
    meta: Meta
