"""What the session endpoints answer. What they take is described by what reads it: `ingest.posts.SessionPost`."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.problems import FieldError

EARLIER = datetime.fromisoformat("2026-01-31T15:00:00+00:00")


class Remarks(BaseModel):
    """What else there is to say of a posted session."""

    conflict: Literal[True] = Field(
        default=True, description="Only if it contradicts a stored version that is as new; it is in quarantine."
    )
    stored_updated_at: AwareDatetime | None = Field(
        default=None,
        description="Only of a stale one and of a conflict: the version that it lost against; null if that has none.",
        examples=[EARLIER],
    )
    deleted: Literal[True] = Field(
        default=True,
        description="Only if the session was deleted, and this version is no newer than that. A newer one brings it "
        "back, or an admin by `override`.",
    )


class SessionReceipt(Remarks):
    """The session is durably stored; its scores follow."""

    session_id: str = Field(description="As delivered.", examples=["S-1042"])
    status: Literal["queued"]
    duplicate: Literal[True] = Field(
        default=True, description="Only if both session and move, as they are, are stored already."
    )
    stale: Literal[True] = Field(
        default=True,
        description="Only if neither session nor move changed, because a newer version is stored or was deleted.",
    )


class BatchRow(Remarks):
    """What became of one row."""

    session_id: str | None = Field(description="As delivered; null if it could not be read.", examples=["S-1042"])
    status: Literal["queued", "duplicate", "stale", "conflict", "rejected"]
    errors: list[FieldError] = Field(default_factory=list, description="Only of a rejected row.")


class BatchReceipt(BaseModel):
    """What became of a batch. Queued and duplicate rows are durably stored, of stale ones a newer version is; rejected
    ones, and those in conflict, are in quarantine."""

    queued: int = Field(description="Rows that changed something.", examples=[998])
    duplicate: int = Field(description="Rows that changed nothing: the same is stored already.", examples=[1])
    stale: int = Field(
        description="Rows that changed nothing: a newer version is stored, or was deleted.", examples=[0]
    )
    conflict: int = Field(
        description="Rows that changed nothing: they contradict a stored version that is as new.", examples=[0]
    )
    rejected: int = Field(description="Rows that cannot be taken.", examples=[1])
    rows: list[BatchRow] = Field(description="In the order in which they were sent.")
