"""What the session endpoints answer. What they take is described by what reads it: `ingest.posts.SessionPost`."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.problems import FieldError

EARLIER = datetime.fromisoformat("2026-01-31T15:00:00+00:00")


class Remarks(BaseModel):
    """What else there is to say of a posted session."""

    conflict: Literal[True] = Field(
        default=True,
        description="Only if it contradicts the stored version with the same `updated_at` (or neither has one), and "
        "lost; it is in quarantine.",
    )
    stored_updated_at: AwareDatetime | None = Field(
        default=None,
        description="Only for stale and conflicting rows: `updated_at` of the stored version; null if it has none.",
        examples=[EARLIER],
    )
    deleted: Literal[True] = Field(
        default=True,
        description="Only if the session was deleted and this version is not newer. A newer version restores it, or "
        "an admin with `override`.",
    )


class SessionReceipt(Remarks):
    """What became of the session, after the commit. It is stored as it was sent, and its scores follow, unless `stale`
    or `conflict` is there."""

    session_id: str = Field(description="As delivered.", examples=["S-1042"])
    status: Literal["queued"] = Field(description="Always `queued`, also beside `stale` and `conflict`.")
    duplicate: Literal[True] = Field(
        default=True, description="Only if both session and move are already stored unchanged."
    )
    stale: Literal[True] = Field(
        default=True,
        description="Only if neither session nor move changed, because a newer version is stored or was deleted.",
    )


class BatchRow(Remarks):
    """Result for one row."""

    session_id: str | None = Field(description="As delivered; null if it could not be read.", examples=["S-1042"])
    status: Literal["queued", "duplicate", "stale", "conflict", "rejected"]
    errors: list[FieldError] = Field(default_factory=list, description="Only for a rejected row.")


class BatchReceipt(BaseModel):
    """Results of a batch. Queued and duplicate rows are durably stored; for stale rows, a newer version is stored;
    rejected and conflicting rows are in quarantine."""

    queued: int = Field(description="Rows that changed something.", examples=[998])
    duplicate: int = Field(description="Rows that changed nothing: the same version is already stored.", examples=[1])
    stale: int = Field(
        description="Rows that changed nothing: a newer version is stored, or was deleted.", examples=[0]
    )
    conflict: int = Field(
        description="Rows that changed nothing: they contradict a stored version with the same `updated_at`.",
        examples=[0],
    )
    rejected: int = Field(description="Refused rows.", examples=[1])
    rows: list[BatchRow] = Field(description="In the order sent.")
