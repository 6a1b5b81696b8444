"""What the endpoints of excuses take and give."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from api.bodies import Body
from ingest.contract import NOT_BLANK

LONGEST_REASON = 2_000


class ExcusePost(Body):
    """Why something does not count against the tutor."""

    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=LONGEST_REASON, pattern=NOT_BLANK), AfterValidator(str.strip)
    ] = Field(examples=["Storm: all schools were closed"])


class ExcuseNote(BaseModel):
    """Why something does not count against the tutor, who excused it, and when."""

    reason: str = Field(examples=["Storm: all schools were closed"])
    created_by: str = Field(
        description="The person, API key or browser session that excused the session.", examples=["quality-team"]
    )
    created_at: AwareDatetime


class Excuse(ExcuseNote):
    """A session that does not count against the tutor."""

    session_id: UUID


class DayExcuses(BaseModel):
    """The sessions of one tutor and day that do not count against the tutor."""

    data: list[Excuse]
