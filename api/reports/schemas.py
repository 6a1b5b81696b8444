"""What the endpoints of report mail take and give."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.fields import Id, Instant
from api.paging import PageFilters, PagePlace
from reports.kinds import ReportKind

AddressPart = Annotated[str, StringConstraints(min_length=1, max_length=254, pattern=r"^[^\x00-\x1f]+$")]


class ReportState(StrEnum):
    """`unknown`: the provider may have it; `suppressed`: not wanted, or covered by another mail; `error` says why.
    `sample`: made up with the demo and never sent."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    SAMPLE = "sample"


class ReportFilters(PageFilters):
    """Which mail, and which page of it."""

    kind: list[ReportKind] = Field(default=[], description="Any of these values; may be repeated.")
    state: list[ReportState] = Field(default=[], description="Any of these values; may be repeated.")
    tutor_id: Id | None = Field(
        default=None, description="Mail about this tutor: UUID, or the external id as delivered."
    )
    recipient: AddressPart | None = Field(
        default=None,
        description="Part of the recipient's address, ignoring case; for admins only.",
        examples=["@example.org"],
    )
    since: Instant | None = Field(default=None, description="Queued at this time or later.")


class Report(BaseModel):
    """One mail to one person."""

    report_id: UUID
    channel: Literal["mail", "chat"]
    kind: ReportKind
    state: ReportState
    recipient: str = Field(
        description="The address (only first letter and domain unless an admin asks), or the chat.",
        examples=["h…@example.org"],
    )
    subject: str = Field(examples=["High risk: Ada Novak"])
    topic: str = Field(
        description="Subject matter, the same for all recipients.", examples=["risk_alert:T-1042:2026-01-31:high_risk"]
    )
    tutor_ids: list[UUID] = Field(description="Tutors named in it.")
    attempts: int = Field(ge=0, examples=[1])
    error: str | None = Field(description="Why it was not sent, or not at once; without addresses unless for an admin.")
    provider: str | None = Field(examples=["sendgrid"])
    created_at: AwareDatetime = Field(description="When it was queued.")
    next_attempt_at: AwareDatetime | None = Field(description="Next attempt; null unless it is queued.")
    settled_at: AwareDatetime | None = Field(description="When it got its final state; null before.")
    delivered_at: AwareDatetime | None = Field(
        description="When the recipient's server accepted it; null if the provider does not report it."
    )
    has_body: bool = Field(description="Whether its text is stored: after it was first given to a provider.")


class ReportDetail(Report):
    """One mail with its text, as given to the provider."""

    body_text: str | None = Field(description="The plain part; null for the role `read` in mail about appeals.")
    body_html: str | None = Field(description="The HTML part; to show it, use `/html` in a sandboxed frame.")


class ReportList(BaseModel):
    """A page of the audit trail, newest first."""

    data: list[Report]
    meta: PagePlace


class ReportResponse(BaseModel):
    """One mail."""

    data: ReportDetail
