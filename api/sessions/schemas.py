"""What the session endpoints answer. What they take is described by what reads it: `ingest.posts.SessionPost`."""

from typing import Literal

from pydantic import BaseModel, Field

from api.problems import FieldError


class SessionReceipt(BaseModel):
    """The session is durably stored; its scores follow."""

    session_id: str = Field(description="As delivered.", examples=["S-1042"])
    status: Literal["queued"]
    duplicate: Literal[True] = Field(
        default=True,
        description="Only if neither session nor move changed, and neither is stale: both are stored already.",
    )
    stale: Literal[True] = Field(
        default=True, description="Only if neither session nor move changed, because a newer version is stored."
    )
    conflict: Literal[True] = Field(
        default=True, description="Only if it contradicts a stored version that is as new; it is in quarantine."
    )


class BatchRow(BaseModel):
    """What became of one row."""

    session_id: str | None = Field(description="As delivered; null if it could not be read.", examples=["S-1042"])
    status: Literal["queued", "duplicate", "stale", "rejected"]
    conflict: Literal[True] = Field(
        default=True, description="Only if it contradicts a stored version that is as new; it is in quarantine."
    )
    errors: list[FieldError] = Field(default_factory=list, description="Only of a rejected row.")


class BatchReceipt(BaseModel):
    """What became of a batch. Queued and duplicate rows are durably stored, of stale ones a newer version is, rejected
    ones are in quarantine."""

    queued: int = Field(description="Rows that changed something.", examples=[998])
    duplicate: int = Field(description="Rows that changed nothing: the same is stored already.", examples=[1])
    stale: int = Field(description="Rows that changed nothing: a newer version is stored.", examples=[0])
    rejected: int = Field(description="Rows that cannot be taken.", examples=[1])
    rows: list[BatchRow] = Field(description="In the order in which they were sent.")
