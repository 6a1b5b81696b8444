"""What a stored session looks like."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.quarantine.schemas import CONTENT, CONTENT_EXAMPLES, RefusedFields
from ingest.contract import Initiator, Status

WHEN = datetime.fromisoformat("2026-01-31T15:00:00+00:00")


class StoredMove(BaseModel):
    """One move of a session."""

    initiator: Initiator
    reason_code: str | None = Field(examples=["illness"])
    reason: str | None = Field(description="In the sender's words; null for the role `read`.")
    requested_at: AwareDatetime | None = Field(description="When the change was requested.")
    original_time: AwareDatetime | None = Field(description="Original time of the session.")
    new_time: AwareDatetime | None
    updated_at: AwareDatetime | None = Field(description="Version of the move; null if its source states none.")
    created_at: AwareDatetime = Field(description="When the move first arrived.")
    loaded_at: AwareDatetime = Field(description="When its present content arrived.")


class Load(BaseModel):
    """The load of the landing file with the stored content."""

    load_id: int = Field(examples=[812])
    source: str = Field(description="Name of the file.", examples=["sessions-2026-01.csv"])


class RefusedOfSession(RefusedFields):
    """One row of a session, or of its moves, in quarantine."""

    content: str | None = Field(description=f"{CONTENT} Null for the role `read`.", examples=CONTENT_EXAMPLES)


class StoredSession(BaseModel):
    """A session in its stored version."""

    session_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["S-1042"])
    tutor_id: UUID
    tutor_external_id: str | None = Field(examples=["T-17"])
    student_id: UUID
    student_external_id: str | None = Field(examples=["P-230"])
    scheduled_time: AwareDatetime
    status: Status
    subject: str | None = Field(examples=["maths"])
    booked_at: AwareDatetime | None
    started_at: AwareDatetime | None
    completed_time: AwareDatetime | None
    cancelled_at: AwareDatetime | None
    duration_minutes: int | None = Field(examples=[60])
    rating: float | None = Field(description="1-5.", examples=[4.5])
    initiator: Initiator | None = Field(description="Who caused a cancellation or a no-show.")
    reason_code: str | None
    technical_issue: bool | None
    updated_at: AwareDatetime | None = Field(
        description="Version of the content; null if its source states none.", examples=[WHEN]
    )
    created_at: AwareDatetime = Field(description="When the session first arrived.")
    loaded_at: AwareDatetime = Field(description="When its present content arrived.")
    is_excused: bool
    load: Load | None = Field(description="Null if the present content was posted, or written with SQL.")
    moves: list[StoredMove] = Field(description="Oldest first.")
    refused: list[RefusedOfSession] = Field(
        description="Rows of this session and its moves in quarantine, including remarks: the 50 last seen."
    )


class StoredSessionResponse(BaseModel):
    """One session."""

    data: StoredSession
