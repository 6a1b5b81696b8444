"""What the endpoints of the audit log take and give."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.bodies import WHOLE, Body
from api.fields import Instant
from api.paging import PageFilters, PagePlace
from core.audit import Action
from ingest.contract import NOT_BLANK

LONGEST_FILTER = 200


class AuditFilters(PageFilters):
    """Which entries, and which page of them."""

    actor: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_FILTER, pattern=NOT_BLANK)] | None = Field(
        default=None, description="Part of the name of who did it, in any case.", examples=["quality-team"]
    )
    action: list[Action] = Field(default=[], description="Any of these; may be given several times.")
    since: Instant | None = Field(default=None, description="At this moment or later.")
    until: Instant | None = Field(default=None, description="Before this moment.")


class AuditEntry(BaseModel):
    """One deed, or one sum of refused log-ins."""

    entry_id: int = Field(description="Later entries have a higher one.", examples=[1042])
    happened_at: AwareDatetime
    actor: str = Field(
        description=(
            "A person with their number, a key, a key's browser session, the command line, a service, or "
            "`unknown (ADDRESS)` who was refused."
        ),
        examples=["Ann Lee (person 7)"],
    )
    action: str = Field(description="What was done; the values of the filter.", examples=["excuse.add"])
    subject_kind: str = Field(description="What it was done to.", examples=["session"])
    subject_id: str = Field(description="Which one.", examples=["4a9e2f9e-4f0a-5c58-9d65-3f4f5dd2f5a1"])
    details: dict[str, Any] = Field(description="What else there is to know, by action; never a secret.")
    address: str | None = Field(
        description="Of the client; null at the command line, of what tutorq does by itself, and of older entries.",
        examples=["203.0.113.7"],
    )


class AuditList(BaseModel):
    """A page of the audit log, newest first."""

    data: list[AuditEntry]
    meta: PagePlace


class Exported(StrEnum):
    """What was taken out."""

    TUTORS = "tutors"


class ExportNote(Body):
    """An export made by the page from what it has read."""

    what: Exported = Field(strict=False)
    rows: Annotated[int, Field(ge=0, le=1_000_000, examples=[80]), WHOLE]
