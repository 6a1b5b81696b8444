"""What the endpoints of excuses take and give."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

LONGEST_REASON = 2_000


class ExcusePost(BaseModel):
    """Why a reschedule does not count against the tutor."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_REASON, pattern=r"^[^\x00]*$")
    ] = Field(examples=["Storm: all schools were closed"])


class Excuse(BaseModel):
    """A reschedule that does not count against the tutor."""

    session_id: UUID
    reason: str
    created_by: str = Field(description="The API key or browser session that excused it.", examples=["quality-team"])
    created_at: AwareDatetime
