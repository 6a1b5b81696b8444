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
        default=None, description="Part of the actor's name, ignoring case.", examples=["quality-team"]
    )
    action: list[Action] = Field(default=[], description="Any of these values; may be repeated.")
    since: Instant | None = Field(default=None, description="At this time or later.")
    until: Instant | None = Field(default=None, description="Before this time.")


class AuditEntry(BaseModel):
    """One action, or a count of refused log-ins."""

    entry_id: int = Field(description="Increases with each entry.", examples=[1042])
    happened_at: AwareDatetime
    actor: str = Field(
        description=(
            "A person with their id, a key, a key's browser session, the command line, a service, or "
            "`unknown (ADDRESS)` for a refused caller."
        ),
        examples=["Ann Lee (person 7)"],
    )
    action: str = Field(description="The action; also the values of the filter.", examples=["excuse.add"])
    subject_kind: str = Field(description="Kind of the subject of the action.", examples=["session"])
    subject_id: str = Field(description="Id of the subject.", examples=["4a9e2f9e-4f0a-5c58-9d65-3f4f5dd2f5a1"])
    details: dict[str, Any] = Field(description="Further details, by action; never a secret.")
    address: str | None = Field(
        description="The client's address; null for the command line, for actions of tutorq itself, and for older "
        "entries.",
        examples=["203.0.113.7"],
    )


class AuditList(BaseModel):
    """A page of the audit log, newest first."""

    data: list[AuditEntry]
    meta: PagePlace


class Exported(StrEnum):
    """The exported data."""

    TUTORS = "tutors"


class ExportNote(Body):
    """An export made by the page from data that it has read."""

    what: Exported = Field(strict=False)
    rows: Annotated[int, Field(ge=0, le=1_000_000, examples=[80]), WHOLE]
